"""An installation on a secured broker: programs that run as the principals of roles."""

import asyncio
import os
import subprocess
import time
from secrets import token_hex
from typing import NamedTuple

import orjson

from streams.kafka.clients import KafkaClients
from streams.kafka.reading import open_topics
from streams.kafka.security import BrokerAddress
from streams.kafka.topics import POSTINGS
from streams.settings import Settings
from tests.support.pipeline import DONE_S, PROGRAM


class Ran(NamedTuple):
    """The end of a program: its exit status, and what it wrote."""

    status: int
    said: str


class SecuredInstallation:
    """Topics of one test on a secured broker, whose roles have their rights."""

    def __init__(self, kafka, prefix, folder, **environment):
        """`environment` is that of the program of every role."""
        self.kafka = kafka
        self.prefix = prefix
        self._given = environment
        self._folder = folder
        self._workers = []
        self._keys = {}
        for name in ("REFUSION_PSEUDONYM_KEY_FILE", "REFUSION_SEAL_KEY_FILE"):
            path = folder / name
            path.touch(0o600)
            path.write_text(token_hex(32))
            self._keys[name] = str(path)
        self.settings = Settings.load(self.environment("operator"))
        asyncio.run(kafka.give_roles_their_rights(self.settings))

    def environment(self, role):
        """The environment that the program of a role runs in; keys and password are in files."""
        return {
            "PATH": os.environ["PATH"],
            "REFUSION_BOOTSTRAP": self.kafka.bootstrap,
            "REFUSION_PREFIX": self.prefix,
            "REFUSION_PARTITIONS": "2",
            "REFUSION_DEMO": "1",
            "REFUSION_STATE_DIR": str(self._folder / role),
            "REFUSION_LEDGER": str(self._folder / "ledger"),
            **self._keys,
            **self._given,
            **self.kafka.credentials.settings(role),
        }

    def run(self, role, *arguments, said="", **environment):
        """Run a command as a role, to its end; `said` is its standard input."""
        done = subprocess.run(
            [PROGRAM, *arguments],
            env=self.environment(role) | environment,
            input=said,
            capture_output=True,
            text=True,
            check=False,
            timeout=DONE_S,
        )
        return Ran(done.returncode, done.stdout + done.stderr)

    def start(self, stage, **environment):
        """Start the worker of a stage, as the role of that name."""
        log = (self._folder / f"{stage}.log").open("ab")
        worker = subprocess.Popen(
            [PROGRAM, "worker", stage, "--processes", "1"],
            env=self.environment(stage) | environment,
            stderr=log,
        )
        self._workers.append(worker)
        return worker

    def publish_for(self, role, portions, pause_s):
        """Publish a portion after the other; one command more waits for its lines from the first
        to the last, and has them only then.
        """
        *given, held = portions
        environment = self.environment(role)
        holding = subprocess.Popen([PROGRAM, "publish"], env=environment, stdin=subprocess.PIPE)
        for portion in given:
            began = time.monotonic()
            done = subprocess.run(
                [PROGRAM, "publish"], env=environment, input=portion, check=False, timeout=DONE_S
            )
            assert done.returncode == 0
            time.sleep(max(0.0, pause_s - (time.monotonic() - began)))
        holding.communicate(held, timeout=DONE_S)
        assert holding.returncode == 0

    def wait_until_settled(self, role):
        """Wait until the stages have done all that stands in their topics."""
        deadline = time.monotonic() + DONE_S
        while self.lag(role) > 0:
            assert time.monotonic() < deadline, "the stages did not get through"
            assert all(worker.poll() is None for worker in self._workers), "a worker ended"
            time.sleep(0.2)

    def lag(self, role):
        """Count how many records the stages have not done, as a role sees it."""
        status = orjson.loads(self.run(role, "run", "status", "--json").said)
        return sum(status["lag"].values())

    def start_as(self, principal, stage):
        """Start the worker of a stage as a principal who may not be it."""
        state = {"REFUSION_STATE_DIR": str(self._folder / f"{principal}-as-{stage}")}
        with (self._folder / f"{principal}-as-{stage}.log").open("wb") as log:
            return subprocess.Popen(
                [PROGRAM, "worker", stage, "--processes", "1"],
                env=self.environment(principal) | state,
                stderr=log,
            )

    def wait_until(self, come_about):
        """Wait for what a function looks for."""
        deadline = time.monotonic() + DONE_S
        while not come_about():
            assert time.monotonic() < deadline, "it did not come about"
            time.sleep(0.1)

    def log(self, stage):
        return (self._folder / f"{stage}.log").read_text()

    def log_as(self, principal, stage):
        return self.log(f"{principal}-as-{stage}")

    def wait_for_postings(self, role, count):
        """Read the postings as a role until there are so many."""
        deadline = time.monotonic() + DONE_S
        while len(found := self.records(role, POSTINGS)) < count:
            assert time.monotonic() < deadline, "the postings did not come"
            assert all(worker.poll() is None for worker in self._workers), "a worker ended"
            time.sleep(0.2)
        return [orjson.loads(record.value or b"") for record in found]

    def records(self, role, topic):
        """Read the committed records of a topic as a role."""
        return asyncio.run(self._records(role, self.settings.topic(topic)))

    async def _records(self, role, topic):
        address = BrokerAddress(self.kafka.bootstrap, self.kafka.credentials.logon(role))
        async with open_topics(KafkaClients(address, "refusion-test")) as topics:
            ends = await topics.ends(topic)
            return [
                record
                for partition, end in ends.items()
                async for record in topics.records(topic, partition, 0, end)
            ]

    def wait_for_log(self, stage, text):
        """Wait until the worker of a stage has said something."""
        self.wait_until(lambda: text in self.log(stage))

    def clean_up(self):
        for worker in self._workers:
            worker.kill()
            worker.wait()
