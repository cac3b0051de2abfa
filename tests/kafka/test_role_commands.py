"""Each role's real commands on a secured broker: what is its work succeeds, all else is refused.

A refusal ends a command or a worker with status 2 and one sentence with the principal. The rights
themselves, topic by topic, are tried in `test_security.py`.
"""

import asyncio
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import asyncssh
import orjson
import pytest

from streams.devtools.local_kafka import QUICK_START, LocalKafka
from streams.kafka.clients import KafkaClients
from streams.kafka.rights import ROLES, give_rights, rights_of
from streams.kafka.topics import DEAD_LETTERS
from tests.kafka.secured import SecuredInstallation
from tests.support.audit_run import CITIZEN_CPR, openings
from tests.support.lines import payment
from tests.support.pipeline import DONE_S, QUICK_RETURN
from tests.support.places import ROOT
from tests.support.sftp_server import Server

STAGES = ("intake", "citizens", "projections")
SOURCE = "kmd"
"""An upstream system with a source of its own, a raw topic and a principal of that name."""
REGISTER = """
- {cvr: "12345678", name: Randers, kind: municipality, municipality: "730"}
- {cvr: "22222222", name: Favrskov, kind: municipality, municipality: "710", source: kmd}
"""
LOOKING = {
    "run status", "run close --dry-run", "replay --dry-run", "dead-letters list",
    "dead-letters show", "explain", "diff", "export", "keys state", "approvals list",
    "approve --refuse", "destinations", "destinations --confirm", "deliver", "lis borger",
    "audit package",
}  # fmt: skip
FORMER_CPR = "6101901365"
LIS = ("lis", "afregning", "--run", "50")
"""It fails until the stage `projections` has built its tables."""
MAY = {
    "upstream": {"publish"},
    SOURCE: {"publish --source"},
    "intake": {"keys state"},
    "citizens": {"keys state"},
    "projections": {"keys state", "approvals list", "destinations"},
    "operator": LOOKING
    | {"publish", "publish --source", "dead-letters retry", "free-id", "merge", "opening load"},
    "auditor": LOOKING | {"verify"},
    "site": LOOKING,
    "consumer": set(),
}
"""These are the commands that are a principal's work, without workers and consumers."""
AT_ONCE = 4
"""Commands that are refused side by side: they change nothing, and wait for the broker mostly."""


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    """Everything at work: reports published by two, three workers, a closed run, dead letters."""
    folder = tmp_path_factory.mktemp("roles")
    register = folder / "reporters.yaml"
    register.write_text(REGISTER)
    with LocalKafka(
        properties=QUICK_RETURN, java_options=QUICK_START, principals=[*ROLES, SOURCE]
    ) as kafka:
        made = SecuredInstallation(kafka, "roles.", folder, REFUSION_REPORTERS=str(register))
        rights = {f"User:{SOURCE}": rights_of("upstream", made.settings, SOURCE)}
        asyncio.run(give_rights(KafkaClients(kafka.address(), "refusion-test"), rights))
        assert made.run("operator", "run", "status").status == 0
        for stage in STAGES:
            made.start(stage)
        publish(made, "upstream", cpr=CITIZEN_CPR, report_id="P1")
        publish(made, "upstream", cpr=FORMER_CPR, report_id="F1")
        publish(made, "upstream", cpr=CITIZEN_CPR, report_id="bad", period_end="2023-01-01")
        made.wait_until_settled("operator")
        closed = made.run("operator", "run", "close", "--month", "2024-02")
        assert closed.status == 0, closed.said
        made.wait_until_settled("operator")
        yield made
        made.clean_up()


def publish(installation, principal, *options, **fields):
    line = payment(**fields).decode()
    done = installation.run(principal, "publish", *options, said=line)
    assert done.status == 0, done.said


@pytest.fixture
def server(tmp_path):
    running = Server(tmp_path)
    yield running
    running.close()


@pytest.fixture
def delivering(server, tmp_path):
    """Settings with which files are delivered: the server, and the file of destinations."""
    address = f"sftp://refusion@127.0.0.1:{server.port}/in/{{municipality}}"
    fingerprint = asyncssh.read_private_key(str(server.keys / "host")).get_fingerprint()
    destination = {"municipality": "730", "to": address, "host_key": fingerprint}
    destinations = tmp_path / "destinations.yaml"
    destinations.write_bytes(orjson.dumps([destination]))
    return {
        "REFUSION_DESTINATIONS": str(destinations),
        "REFUSION_SFTP_KEY": str(server.keys / "client"),
    }


@pytest.fixture(scope="module")
def folder(installation, tmp_path_factory):
    """A folder with the files of a run, and reports to load; the tables of LIS are built."""
    made = tmp_path_factory.mktemp("files")
    (made / "openings.jsonl").write_bytes(b"\n".join(map(orjson.dumps, openings("2023-06-05"))))
    installation.wait_until(lambda: not installation.run("operator", *LIS).status)
    files = str(made / "exported")
    exported = installation.run("operator", "export", "--run", "50", "--out", files)
    assert exported.status == 0, exported.said
    return made


@pytest.fixture
def commands(installation, folder, tmp_path, delivering):
    """Name each command, with its words and what is written to its standard input."""
    asked = installation.run(
        "operator", "destinations", "--confirm", REFUSION_FOUR_EYES="1", **delivering
    )
    assert asked.status == 3, asked.said
    request = asked.said.partition("refusion approve ")[2].split()[0].strip("`")
    confirmed = installation.run("operator", "destinations", "--confirm", **delivering)
    assert confirmed.status == 0, confirmed.said
    opening, files = folder / "openings.jsonl", folder / "exported"
    package = str(tmp_path / "package.zip")
    (letter, *_) = installation.records("auditor", DEAD_LETTERS)
    places = [f"{partition}/{letter.offset}" for partition in (0, 1)]
    freed = ("--reporter", "12345678", "--report-id", "P1", "--reason", "a slip")
    looked = ("--purpose", "a test")
    theirs = payment(cpr=CITIZEN_CPR, reporter="22222222", report_id="K1").decode()
    return {
        "publish": (("publish",), payment(cpr=CITIZEN_CPR, report_id="P1").decode()),
        "publish --source": (("publish", "--source", SOURCE), theirs),
        "run status": (("run", "status"), ""),
        "run close --dry-run": (("run", "close", "--month", "2024-03", "--dry-run"), ""),
        "replay --dry-run": (("replay", "--dry-run", "--jobs", "1"), ""),
        "dead-letters list": (("dead-letters", "list"), ""),
        "dead-letters show": (("dead-letters", "show", *places[:1]), ""),
        "dead-letters retry": (("dead-letters", "retry", "--unchanged", "--again"), ""),
        "free-id": (("free-id", *freed), CITIZEN_CPR),
        "merge": (("merge", "--reason", "a test"), f"{FORMER_CPR}\n{CITIZEN_CPR}\n"),
        "explain": (("explain", *looked), CITIZEN_CPR),
        "diff": (("diff", "--run", "50", *looked), CITIZEN_CPR),
        "export": (("export", "--run", "50", "--out", str(tmp_path / "out")), ""),
        "keys state": (("keys", "state"), ""),
        "approvals list": (("approvals", "list"), ""),
        "approve --refuse": (("approve", request, "--refuse", "--reason", "a test"), ""),
        "destinations": (("destinations",), ""),
        "destinations --confirm": (("destinations", "--confirm"), ""),
        "deliver": (("deliver", "--run", "50", "--municipality", "730", "--from", str(files)), ""),
        "lis borger": (("lis", "borger", *looked), CITIZEN_CPR),
        "opening load": (("opening", "load", str(opening)), ""),
        "audit package": (("audit", "package", "--run", "50", "--out", package), ""),
        "verify": (("verify", "--fold", "--jobs", "1"), ""),
    }


@pytest.mark.long
@pytest.mark.parametrize("principal", MAY)
def test_the_commands_of_a_role_succeed_and_all_others_are_refused(
    installation, commands, delivering, principal
):
    workers = {
        stage: installation.start_as(principal, stage) for stage in STAGES if stage != principal
    }

    def run(name):
        words, said = commands[name]
        return name, installation.run(principal, *words, said=said, **delivering)

    for name, done in map(run, filter(MAY[principal].__contains__, commands)):
        assert done.status == 0, f"{name}: {done.said}"
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for name, done in pool.map(run, [name for name in commands if name not in MAY[principal]]):
            assert done.status == 2, f"{name}: {done.said}"
            assert f"User:{principal}" in done.said, f"{name}: {done.said}"
    for stage, worker in workers.items():
        status, said = worker.wait(DONE_S), installation.log_as(principal, stage)
        assert status == 2, f"{stage}: {said}"
        assert f"User:{principal}" in said, f"{stage}: {said}"


@pytest.mark.long
def test_a_consumer_of_the_postings_does_its_work_with_its_own_rights(installation, tmp_path):
    """And a worker's own role is none for it: `test_the_commands_…` has the refusals."""
    ledger = tmp_path / "ledger.sqlite"
    consumer = subprocess.Popen(
        [sys.executable, "-m", "examples.ledger_consumer", ledger],
        env=installation.environment("consumer"),
        cwd=ROOT,
    )
    try:
        installation.wait_until(lambda: ledger.exists() and rows_of(ledger) > 0)
    finally:
        consumer.terminate()
        consumer.wait(DONE_S)


def rows_of(ledger):
    with closing(sqlite3.connect(ledger)) as connection:
        try:
            return connection.execute("SELECT count(*) FROM rows").fetchone()[0]
        except sqlite3.OperationalError:  # its tables are not made yet
            return 0
