"""A broker that goes in the middle of commands, and does not come back: each ends with a sentence.

It is killed while all commands run side by side, as soon as some are done. Which of them is not the
same each time; what must hold is. Brokers that stand still are those of `test_silent_brokers.py`.
"""

import os
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import orjson
import pytest
from aiokafka import AIOKafkaProducer
from click.testing import CliRunner

from streams.cli.main import main
from streams.devtools.local_kafka import QUICK_START, LocalKafka
from streams.kafka import clients, topics
from tests.support.audit_run import CITIZEN_CPR, openings, some_lines
from tests.support.lines import payment
from tests.support.pipeline import PROGRAM, QUICK_RETURN, Pipeline, settings_for
from tests.support.population import reports_of_some_lives

PATIENCE_S = 240.0
"""Several times what a command takes for its own limits, for a machine that is busy."""
STAGES = ("intake", "citizens", "projections")
LOOKED = ("--purpose", "a test")
MANY = 20_000
"""Reports that are published, so that it takes a while."""
SOME = 5
"""Commands that are done when the broker goes, of more than three times as many."""


class Ended(NamedTuple):
    """The end of a command."""

    status: int
    said: str


class Commands:
    """All commands that need the broker, with what is written to their standard input."""

    def __init__(self, settings, folder):
        (folder / "known_hosts").write_text("")
        self._given = {
            name: value for name, (value, at) in settings.values.items() if at == "environment"
        } | {"REFUSION_SFTP_KNOWN_HOSTS": str(folder / "known_hosts")}
        self.folder = folder
        self.topic = settings.topic
        opening, out = folder / "openings.jsonl", folder / "out"
        opening.write_bytes(b"\n".join(map(orjson.dumps, openings("2023-06-05"))))
        out.mkdir()
        cpr = CITIZEN_CPR.encode()
        many = (payment(report_id=f"N{at}", cpr=CITIZEN_CPR) for at in range(MANY))
        close = ("run", "close", "--month", "2024-03")
        to = "sftp://anna@127.0.0.1:1/{municipality}"
        self.said = {
            ("publish",): b"\n".join(many),
            ("run", "status"): b"",
            (*close, "--dry-run"): b"",
            (*close, "--accept", "all"): b"",
            ("replay", "--dry-run", "--jobs", "2"): b"",
            ("dead-letters", "list"): b"",
            ("dead-letters", "retry"): b"",
            ("explain", *LOOKED): cpr,
            ("explain", "--whole-journal", *LOOKED): cpr,
            ("diff", "--run", "50", *LOOKED): cpr,
            ("export", "--run", "50", "--out", str(out)): b"",
            ("deliver", "--run", "50", "--from", str(out), "--to", to): b"",
            ("opening", "load", str(opening)): b"",
            ("verify", "--deep", "--fold", "--jobs", "2"): b"",
            ("keys", "state"): b"",
            ("approvals", "list"): b"",
            ("lis", "build"): b"",
        }

    def together(self, when_some_have_ended):
        """Run all of them side by side. Returns how each has ended."""
        with ThreadPoolExecutor(len(self.said)) as pool:
            futures = {words: pool.submit(self._run, words) for words in self.said}
            while sum(future.done() for future in futures.values()) < SOME:
                time.sleep(0.02)
            when_some_have_ended()
            return {words: future.result() for words, future in futures.items()}

    def here(self, words):
        """Run one of them in this process."""
        done = CliRunner().invoke(main, list(words), input=self.said.get(words), env=self._given)
        return Ended(done.exit_code, done.stderr)

    def wait_for_the_broker(self):
        """Wait until it answers: one that has stood still for seconds is in no list at first."""
        end = time.monotonic() + PATIENCE_S
        while (ended := self.here(("approvals", "list"))).status:
            assert time.monotonic() < end, ended
            time.sleep(0.5)

    def _run(self, words):
        done = subprocess.run(
            [PROGRAM, *words], env=os.environ | self._given, cwd=self.folder, check=False,
            input=self.said[words], capture_output=True, timeout=PATIENCE_S,
        )  # fmt: skip
        return Ended(done.returncode, done.stderr.decode())


@pytest.fixture(scope="module")
def kafka():
    """A broker of this module's own, which may go."""
    with LocalKafka(properties=QUICK_RETURN, java_options=QUICK_START) as running:
        yield running


@pytest.fixture(scope="module")
def commands(kafka, tmp_path_factory):
    """Commands on reports that are settled and booked, a closed run, and dead letters."""
    folder = tmp_path_factory.mktemp("goes")
    pipeline = Pipeline(settings_for(kafka, "goes.", folder / "state"))
    pipeline.start(*STAGES)
    pipeline.publish([*some_lines(reports_of_some_lives()), b"no report"])
    pipeline.wait_until_settled(STAGES)
    pipeline.close_run("2024-02")
    pipeline.wait_until_settled(STAGES)
    pipeline.clean_up()
    return Commands(pipeline.settings, folder)


@pytest.mark.long
@pytest.mark.parametrize(
    ("words", "topic"),
    [
        (("explain", *LOOKED), topics.ACCESS),
        (("dead-letters", "retry", "--unchanged", "--again"), topics.RAW),
        (("opening", "load", "{folder}/openings.jsonl"), topics.REPORTS),
    ],
    ids=lambda words: words[0],
)
def test_nobody_waits_for_ever_for_an_acknowledgement(kafka, commands, monkeypatch, words, topic):
    words = tuple(word.format(folder=commands.folder) for word in words)
    commands.wait_for_the_broker()
    (node,) = kafka.nodes
    send, stopped = AIOKafkaProducer.send, []

    async def send_to_one_that_stands_still(producer, to, *record, **more):
        acknowledgement = await send(producer, to, *record, **more)
        if to == commands.topic(topic):
            stopped.append(to)
            node.signal(signal.SIGSTOP)
        return acknowledgement

    monkeypatch.setattr(AIOKafkaProducer, "send", send_to_one_that_stands_still)
    monkeypatch.setattr(clients, "ACKNOWLEDGE_S", 4.0)
    try:
        status, said = commands.here(words)
    finally:
        node.signal(signal.SIGCONT)
    assert stopped, said
    assert status == 2
    assert said.splitlines()[-1].startswith("refusion: ")
    assert "(REFUSION_BOOTSTRAP)" in said


@pytest.mark.long
def test_each_command_ends_with_a_sentence(kafka, commands):
    (node,) = kafka.nodes
    try:
        ended = commands.together(lambda: node.signal(signal.SIGKILL))
    finally:
        node.wait(time.monotonic() + PATIENCE_S)
        kafka.start()
    for words, (status, said) in ended.items():
        assert status in (0, 1, 2), (words, said)
        assert "Traceback" not in said, words
        assert "the journal has nothing" not in said, words
        assert not said or len(said.splitlines()) == 1, (words, said)
        assert status == 0 or "refusion: " in said, (words, said)
    assert any(
        "(REFUSION_BOOTSTRAP)" in said or "acknowledged" in said for _, said in ended.values()
    )
