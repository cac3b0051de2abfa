"""The tables and proofs of `make run`, with a small population; its proofs fail when they must."""

import asyncio
import io
import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import orjson
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from rich.console import Console

from demo import __main__ as demo
from demo import proofs
from demo.ledger import JsonObject, Ledger, corrections
from demo.passage import Killing
from demo.population import reports_by_citizen, simulated, with_bad_lines
from demo.sentences import explained, kroner
from demo.tables import fates
from domain.basics.money import ROUNDINGS
from streams.citizens.rule_sets import load_rule_set
from streams.devtools.local_kafka import QUICK_START, LocalKafka
from streams.settings import Settings
from streams.wire import journal
from streams.wire.outcomes import Accepted
from streams.wire.validator import Validator
from tests.streams.cli.test_signals import is_alive, until
from tests.support.places import ROOT

SETTINGS = Settings.load({"REFUSION_DEMO": "1"})


def a_console() -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(file=out, width=120, soft_wrap=True), out


# --- the whole story ----------------------------------------------------------------------------


async def topics_of(bootstrap):
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        return await admin.list_topics()
    finally:
        await admin.close()


def test_it_shows_what_came_in_and_out_and_proves_it(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    console, out = a_console()
    with LocalKafka(java_options=QUICK_START) as kafka:
        monkeypatch.setenv("REFUSION_BOOTSTRAP", kafka.bootstrap)
        status = demo.demonstrate(console, 80, reference_seconds=60)
        left = [
            name for name in asyncio.run(topics_of(kafka.bootstrap)) if name.startswith("refusion")
        ]
    text = out.getvalue()
    assert status == 0, text
    assert left == []
    assert list(tmp_path.iterdir()) == []
    numbers = {
        name: int(number.replace(",", ""))
        for name, number in re.findall(r"^ (\S.*?) {2,}([\d,]+) *$", text, re.MULTILINE)
    }
    rejected = {name: number for name, number in numbers.items() if name.startswith("rejected: ")}
    published = numbers["accepted"] + sum(rejected.values())
    assert {
        "rejected: conflicting_duplicate",
        "rejected: not_json",
        "rejected: unknown_municipality",
    } <= set(rejected)
    assert f"Of {published:,} records {numbers['accepted']:,} are accepted" in text
    assert (
        "duplicates 0, missing 0, revisions without gaps; 12 of 12 partitions are byte for byte"
        in text
    )
    assert "messages for reason late_report" in numbers
    assert re.search(
        r"^Killed a worker with \d+ partitions \(SIGKILL\)"
        r" when \d+% of the reports were settled\.$",
        text,
        re.MULTILINE,
    )
    assert re.search(r"^ refusion 40 % +[\d,]+\.\d\d +[\d,]+\.\d\d", text, re.MULTILINE)
    assert (
        len(
            re.findall(
                r"^  \* Citizen [0-9a-f]{8}…: .* \d+ % -> \d+ %; .* kr\. of .*\.$",
                text,
                re.MULTILINE,
            )
        )
        == 3
    )
    assert "citizens agree to the øre, none differs." in text
    assert "all have the same sums to the øre." in text
    _, overview = text.split("What Randers (730) sees in LIS after run 60, of 2024-12")
    for heading in ("udgiftsgrundlag", "anciennitet", "merudgift pr. uge", "årsag"):
        assert heading in overview
    assert "\x1b" not in text, "plain where nobody watches"
    cprs = set(re.findall(rb'"cpr":"(\d{10})"', b"".join(simulated(80))))
    assert not any(cpr.decode() in text for cpr in cprs)


def descendants(session: int) -> list[str]:
    """The processes of a session that live."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, in_session = status.read_text().rpartition(")")[2].split()[:4]
        except OSError:
            continue
        if int(in_session) == session and state != "Z":
            found.append(status.parent.name)
    return found


@pytest.mark.long
@pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="looks for processes as Linux shows them"
)
def test_ctrl_c_leaves_nothing_behind(tmp_path):
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("REFUSION_")
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "demo.__main__"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment | {"TMPDIR": str(tmp_path)},
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    until(
        lambda: len(list(tmp_path.glob("refusion-demo-*/worker-*/0/citizens-*/CURRENT"))) >= 12, 90
    )
    assert len(descendants(process.pid)) > 3
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(30) == 128 + signal.SIGINT
    assert process.stderr.read().splitlines()[-1] == b"stopped, nothing is left behind"
    assert list(tmp_path.iterdir()) == []
    until(lambda: not is_alive(process.pid) and descendants(process.pid) == [], 5)
    process.stdout.close()
    process.stderr.close()


# --- the proofs, without Kafka ------------------------------------------------------------------


@pytest.fixture
def _alone(monkeypatch):
    """One process, in which a defect can be planted."""
    monkeypatch.setattr(proofs, "JOBS", 1)


def record(offset, key, value, timestamp=0, /, **headers):
    return SimpleNamespace(
        offset=offset,
        key=key,
        value=value,
        timestamp=timestamp,
        headers=[(name, str(text).encode()) for name, text in headers.items()],
    )


def a_journal(lines):
    """The journal that intake makes of lines, in one partition."""
    validator, identity = Validator(load_rule_set(), demo=True), SETTINGS.identity()
    records: list = []
    for offset, line in enumerate(lines):
        parsed = validator.parse(line.rstrip())
        if isinstance(parsed, Accepted):
            citizen, sealed = identity.of(parsed.cpr)
            value = journal.encode(parsed.report, sealed, orjson.loads(line)["reported_at"])
            records.append(record(len(records), citizen.encode(), value, raw=f"raw/0/{offset}"))
    return {0: records}


def posted(reports):
    return {
        0: [
            record(at, b"", value, 1_000)
            for at, value in enumerate(proofs.settled_again(reports[0]))
        ]
    }


def verdict(reports, postings):
    console, out = a_console()
    ledger = Ledger()
    ledger.post(each.value for each in postings[0])
    holds = proofs.check_exactly_once(
        console, reports, postings, ledger, Killing(0.5, 10, frozenset({0}))
    )
    return holds, out.getvalue()


@pytest.fixture(scope="session")
def reports():
    return a_journal(with_bad_lines(simulated(10)))


def test_the_same_bytes_are_exactly_once(reports):
    holds, text = verdict(reports, posted(reports))
    assert holds
    assert "duplicates 0, missing 0, revisions without gaps; 1 of 1 partitions" in text
    assert "came 0.5 s later." in text


def test_a_lost_posting_is_told(reports):
    postings = posted(reports)
    del postings[0][5]
    holds, text = verdict(reports, postings)
    assert not holds
    assert "missing 1, revisions with 1 GAPS; 0 of 1 partitions" in text


def test_a_posting_that_came_twice_is_told(reports):
    postings = posted(reports)
    postings[0].insert(6, postings[0][5])
    holds, text = verdict(reports, postings)
    assert not holds
    assert "duplicates 0" not in text
    assert "missing 0" in text


def test_postings_in_another_order_are_not_the_same(reports):
    postings = posted(reports)
    postings[0].reverse()
    holds, text = verdict(reports, postings)
    assert not holds
    assert "missing 0, revisions with" in text


def test_a_takeover_with_nothing_left_to_do_is_said(reports):
    assert "nothing was left" in proofs._takeover(posted(reports), Killing(5.0, 10, frozenset({0})))


def test_each_published_record_has_one_fate():
    """Two are accepted, one of them delivered twice; citizens refuses another, intake a fourth."""
    reports = {0: [record(0, b"", b"", raw="raw/0/0"), record(1, b"", b"", raw="raw/0/1")]}
    reports |= {
        1: [
            record(0, b"", b"", raw="raw/0/0"),
            record(1, b"", b""),
            record(2, b"", b"", raw="raw/1/9"),
        ]
    }
    dead = {
        3: [
            record(
                0, None, b"", reason="not_json", stage="intake", topic="raw", partition=1, offset=7
            ),
            record(
                1,
                None,
                b"",
                reason="conflicting_duplicate",
                stage="citizens",
                topic="j",
                partition=1,
                offset=2,
            ),
        ]
    }
    found = fates(reports, dead)
    assert found == (2, Counter(not_json=1, conflicting_duplicate=1), 1)
    console, out = a_console()
    assert proofs.check_nothing_lost(console, 4, found)
    assert not proofs.check_nothing_lost(console, 5, found)
    assert "1 ARE LOST" in out.getvalue()


def a_ledger(reports):
    ledger = Ledger()
    ledger.post(proofs.settled(reports, SETTINGS))
    return ledger


@pytest.mark.usefixtures("_alone")
def test_a_wrong_share_is_found_by_the_reference(monkeypatch):
    reports = simulated(20)
    of_citizen = reports_by_citizen(reports, SETTINGS.identity())
    console, out = a_console()
    assert proofs.check_from_scratch(console, a_ledger(reports), of_citizen, 60)
    monkeypatch.setitem(ROUNDINGS, "ROW_ORE", lambda amount_ore, rate: amount_ore * rate // 100 + 1)
    assert not proofs.check_from_scratch(console, a_ledger(reports), of_citizen, 60)
    assert "DO NOT." in out.getvalue()


@pytest.mark.usefixtures("_alone")
def test_money_that_hangs_on_order_is_found():
    """The second settling, of shuffled reports, has half of them."""
    reports = simulated(20)
    console, out = a_console()
    assert proofs.check_another_order(console, SETTINGS, a_ledger(reports), reports)
    assert not proofs.check_another_order(
        console, SETTINGS, a_ledger(reports), reports[: len(reports) // 2]
    )
    assert "DIFFER." in out.getvalue()


# --- sentences and sums -------------------------------------------------------------------------


ROW = {
    "month": "2024-02", "week": "2024-01-29", "benefit": "KTH",
    "paying": "730", "financing": "730", "amount_ore": 1000,
    "mechanism": "refusion", "rate": 80, "refusion_ore": 800, "medfinansiering_ore": 0,
}  # fmt: skip
LATE = {
    "citizen": "0123456789abcdef", "revision": 1, "cause": "12345678/a",
    "type": "postings", "reason": "late_report",
    "rows": [
        ROW | {
            "id": "a", "kind": "correction", "reverses": "x",
            "amount_ore": -1000, "refusion_ore": -800,
        },
        ROW | {"id": "b", "kind": "correction", "rate": 40, "refusion_ore": 400},
        ROW | {"id": "c", "kind": "result", "week": "2024-01-22", "month": "2024-01"},
    ],
}  # fmt: skip
REPORT: JsonObject = {
    "type": "benefit_payment", "reporter": "12345678", "report_id": "a",
    "reported_at": "2024-03-01T10:00:00Z", "benefit": "KTH",
    "period_start": "2024-01-22", "period_end": "2024-01-28", "amount_ore": 123456,
}  # fmt: skip


def test_a_late_report_is_explained_in_a_sentence():
    assert explained(LATE, {"12345678/a": REPORT}, load_rule_set().benefits) == (
        "Citizen 01234567…: Kontanthjælp for 2024-01-22 to 2024-01-28 (1,234.56 kr.) came on"
        " 2024-03-01, 33 days after the period's end. One week took another rate, that of"
        " 2024-01-29 80 % -> 40 %; what had been posted was corrected in 1 row,"
        " by −4.00 kr. of refusion."
    )


def test_a_reversal_is_explained_by_what_it_reverses():
    reversal: JsonObject = {
        "type": "reversal",
        "reporter": "12345678",
        "reverses": "a",
        "reported_at": "2024-05-02T10:00:00Z",
    }
    reports = {"12345678/r": reversal, "12345678/a": REPORT}
    text = explained(LATE | {"cause": "12345678/r"}, reports, load_rule_set().benefits)
    assert "(1,234.56 kr.) was reversed on 2024-05-02." in text


def test_kroner_are_exact():
    assert [kroner(ore) for ore in (0, 5, -5, 123456789, -100)] == [
        "0.00",
        "0.05",
        "−0.05",
        "1,234,567.89",
        "−1.00",
    ]


def test_a_ledger_adds_rows_and_is_empty_when_all_is_taken_out_again():
    line = json.dumps(LATE).encode()
    ledger = Ledger()
    ledger.post([line])
    assert (ledger.doubled, ledger.gaps) == (0, 0)
    ((before, after),) = corrections(LATE)
    assert (before["rate"], before["refusion_ore"]) == (80, 800)
    assert after is not None
    assert after["rate"] == 40
    assert ledger.largest["0123456789abcdef"].size_ore == 400
    assert ledger.subtract([line]) == 0
    assert ledger.subtract([line]) == 2
