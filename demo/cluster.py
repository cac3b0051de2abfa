"""The Kafka of `make run`: a broker, its own topics, worker processes, and their progress."""

import asyncio
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from domain.basics.weeks import month_number
from streams.devtools.local_kafka import LocalKafka
from streams.kafka import topics
from streams.kafka.brokers import client_id_of
from streams.kafka.clients import KafkaClients
from streams.kafka.control import ControlRecord, control_writer
from streams.kafka.errors import KafkaError
from streams.kafka.reading import KafkaTopicReader, open_topics
from streams.kafka.topic_layout import ensure_topics_of
from streams.kafka.topics import TOPICS, Topic
from streams.kit.errors import UserError
from streams.settings import BOOTSTRAP, DEMO, LEDGER, PARTITIONS, PREFIX, STATE_DIR, Settings
from streams.wire.control_records import run_of
from streams.worker.app import CHILD, STAGES

PARTITIONS_OF_TOPICS = 12
SOURCES = {"intake": topics.RAW, "citizens": topics.REPORTS, "projections": topics.POSTINGS}
"""The topic that each stage reads."""
LOOK_S = 0.1
"""The pause between two looks at a group's offsets: each look is a few requests."""
PATIENCE_S = 120.0
"""The longest wait for anything. Seconds are usual; a busy machine may need more."""
STOP_S = 30.0
LOG_TAIL_LINES = 15

ByPartition = dict[int, list[Any]]
"""Records by partition, in the order of their offsets; each has a `timestamp` in ms too."""


class DemoError(UserError):
    """Something that was expected did not happen; the message says what."""


@contextmanager
def cluster(folder: Path) -> Iterator[Settings]:
    """Make settings for the brokers in REFUSION_BOOTSTRAP, or for a local one.

    The topics are removed at the end.
    """
    if given := os.environ.get(BOOTSTRAP.name):
        settings = _settings(given, folder)
        try:
            yield settings
        finally:
            with suppress(KafkaError, OSError, TimeoutError):
                asyncio.run(_delete_topics(settings))
    else:
        with LocalKafka() as kafka:
            yield _settings(kafka.bootstrap, folder)


def _settings(bootstrap: str, folder: Path) -> Settings:
    return Settings.load(
        {
            BOOTSTRAP.name: bootstrap,
            PREFIX.name: f"refusion-demo-{uuid.uuid4().hex[:8]}.",
            PARTITIONS.name: str(PARTITIONS_OF_TOPICS),
            STATE_DIR.name: str(folder),
            LEDGER.name: str(folder / "ledger"),
            DEMO.name: "1",
        }
    )


async def _delete_topics(settings: Settings) -> None:
    async with asyncio.timeout(STOP_S), _clients(settings).admin() as admin:
        await admin.delete_topics([topic_name(settings, topic) for topic in TOPICS])


def _clients(settings: Settings) -> KafkaClients:
    return KafkaClients(settings.bootstrap, "refusion-demo")


def topic_name(settings: Settings, topic: Topic) -> str:
    """Return the topic's name in the cluster."""
    return settings.prefix + topic.name


# --- the workers ----------------------------------------------------------------------------------


class Worker:
    """A worker process, as `refusion worker` has one for each core.

    It ends when this program ends, however it ends.
    """

    def __init__(self, settings: Settings, name: str, stages: Sequence[str] = STAGES) -> None:
        """`name` is that of its state folder, inside the settings' folder."""
        self._folder = settings.state_dir / name
        self._folder.mkdir(exist_ok=True)
        self._log = self._folder / "log"
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", "streams.worker.app", CHILD, *stages],
                stdin=subprocess.PIPE,
                stderr=log,
                env=environment(settings) | {STATE_DIR.name: str(self._folder)},
                process_group=0,  # a terminal's Ctrl-C is for us alone
            )

    @property
    def client_id(self) -> str:
        """The client id that Kafka knows; empty as long as there is none."""
        with suppress(FileNotFoundError):
            return client_id_of((self._folder / "0" / "worker-id").read_text())
        return ""

    def check(self) -> None:
        """Raise DemoError if the worker has ended by itself."""
        if self.process.poll() is not None:
            tail = self._log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
            raise DemoError("\n  ".join(["a worker ended by itself; its last words:", *tail]))

    def kill(self) -> None:
        """Kill the process: it can put nothing in order."""
        self.process.kill()
        self.process.communicate()

    def ended(self) -> None:
        """Wait for the end of a worker that was told to stop.

        Raises:
            DemoError: it does not end, or ends with an error.
        """
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(STOP_S)
        if self.process.returncode not in (
            0,
            -signal.SIGTERM,
        ):  # one that was still starting had nothing to put in order
            raise DemoError(
                f"a worker that was told to stop ended with status {self.process.returncode}"
            )


def stop(workers: Sequence[Worker]) -> None:
    """Stop workers with SIGTERM: they commit their batches and end."""
    for worker in workers:
        worker.process.terminate()
    for worker in workers:
        worker.ended()


def environment(settings: Settings) -> dict[str, str]:
    """Return this program's environment with the settings.

    Temporary files go into the folder of the demonstration: what a killed program leaves is removed
    with it.
    """
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith("REFUSION_")
    }
    given = {
        name: text
        for name, (text, origin) in settings.values.items()
        if text and origin == "environment"
    }
    return inherited | {"TMPDIR": str(settings.state_dir)} | given


# --- how far they are -----------------------------------------------------------------------------


class Lag(NamedTuple):
    """The number of records that a stage has committed, and the number in its topic.

    Markers of transactions are included.
    """

    committed: int
    records: int

    @property
    def over(self) -> bool:
        """True if the stage has processed everything."""
        return self.committed >= self.records


class Watch:
    """A view of the groups from outside."""

    def __init__(self, settings: Settings, topics_read: KafkaTopicReader) -> None:
        self._settings = settings
        self._topics = topics_read
        self.workers: list[Worker] = []
        """The workers that must be alive."""

    async def until(self, what: str, reached: Callable[[], Awaitable[bool]]) -> None:
        """Ask again and again until the answer is yes.

        Raises:
            DemoError: a worker ends, or the answer stays no for `PATIENCE_S`.
        """
        deadline = time.monotonic() + PATIENCE_S
        while not await self._asked(reached):
            for worker in self.workers:
                worker.check()
            if time.monotonic() > deadline:
                raise DemoError(f"waited {PATIENCE_S:.0f} s in vain: {what}")
            await asyncio.sleep(LOOK_S)

    async def _asked(self, reached: Callable[[], Awaitable[bool]]) -> bool:
        try:
            return await reached()
        except KafkaError:  # a group whose coordinator is still being found
            return False

    async def lag(self, stage: str) -> Lag:
        """Return how far a stage is."""
        offsets = await self._topics.committed(self._settings.prefix + stage)
        ends = await self._topics.ends(topic_name(self._settings, SOURCES[stage]))
        return Lag(sum(offsets.values()), sum(ends.values()))

    async def partitions(self, stage: str) -> Mapping[str, list[int]]:
        """Return the partitions of each member of a stage's group, by client id."""
        return await self._topics.assignments(self._settings.prefix + stage)


@asynccontextmanager
async def watching(settings: Settings) -> AsyncIterator[Watch]:
    """Watch the stages."""
    await ensure_topics_of(settings)
    async with open_topics(_clients(settings)) as topics_read:
        yield Watch(settings, topics_read)


# --- reading and writing --------------------------------------------------------------------------


async def close_run(settings: Settings, month: str, closed_at: str) -> None:
    """Close a run: write its marker to every partition of the journal, in one transaction."""
    run = run_of(month_number(month))
    marker = orjson.dumps(
        {"schema": 1, "type": "run", "run": run, "closed_at": closed_at, "data_month": month}
    )
    record = ControlRecord(marker, [])
    macs, name = settings.macs(), f"{settings.prefix}run"
    async with control_writer(_clients(settings), macs, name, "run") as writer:
        await writer.write(topic_name(settings, topics.REPORTS), settings.partitions, [record])


async def read_committed(settings: Settings, topic: Topic) -> ByPartition:
    """Read all committed records of a topic."""
    name = topic_name(settings, topic)
    async with open_topics(_clients(settings)) as topics_read:
        starts, ends = await topics_read.starts(name), await topics_read.ends(name)
        return {
            at: [record async for record in topics_read.records(name, at, starts[at], end)]
            for at, end in ends.items()
        }
