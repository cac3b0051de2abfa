"""Both stages on a real Kafka, worker processes included, and what must hold whatever happened
to them.
"""

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import asynccontextmanager, contextmanager
from itertools import cycle, pairwise, zip_longest
from pathlib import Path
from uuid import uuid4

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from domain.basics.weeks import month_number
from streams.citizens.refold import postings_again
from streams.citizens.rule_sets import LawBook
from streams.kafka import topics
from streams.operations.key_statements import stated_keys
from streams.operations.publish import publish, record_key
from streams.settings import Settings
from streams.wire import journal
from streams.wire.control_records import run_of
from tests.support.records import records_of

SETTLING = ("intake", "citizens")
"""The stages of the tests that are not about the ledger: it commits every two seconds, which
nobody has to wait for.
"""
SOURCES = {"intake": topics.RAW, "citizens": topics.REPORTS, "projections": topics.POSTINGS}
"""The topic that each stage reads."""
PROGRAM = Path(sys.executable).parent / "refusion"
DONE_S = 120.0
"""Until all that was published is settled: seconds on an idle machine, many times that on a busy
one.
"""
POLL_S = 0.05
FEW = 4
"""Lines that are fed at a time: a trickle that lasts, not a flood."""
QUICK_RETURN = {"broker.session.timeout.ms": "3000", "broker.heartbeat.interval.ms": "500"}
"""A killed broker is let in again when its former session is over: after 9 s by default."""


def settings_for(kafka, prefix, state_dir):
    """Demo settings for a cluster: 4 partitions on all brokers, own topics, own state folder."""
    return Settings.load(
        {
            "REFUSION_BOOTSTRAP": kafka.bootstrap,
            "REFUSION_PREFIX": prefix,
            "REFUSION_PARTITIONS": "4",
            "REFUSION_REPLICAS": str(len(kafka.bootstrap.split(","))),
            "REFUSION_STATE_DIR": str(state_dir),
            "REFUSION_DEMO": "1",
            "REFUSION_DEMO_ANYWHERE": "1",
        }
    )


class Pipeline:
    """The topics of one test, its workers, and the audit."""

    def __init__(self, settings):
        self.settings = settings
        self._workers = []

    # --- doing ----------------------------------------------------------------------------------

    def publish(self, lines):
        """Publish reports, all acknowledged."""
        asyncio.run(publish(lines, self.settings, lambda _: None))

    def publish_by_two(self, lines, pieces=4):
        """Two publishers of the same lines side by side, each piece by piece, so that they
        interleave.
        """
        size = len(lines) // pieces + 1

        async def one():
            for at in range(0, len(lines), size):
                await publish(lines[at : at + size], self.settings, lambda _: None)

        async def two():
            await asyncio.gather(one(), one())

        asyncio.run(two())

    def feed(self, lines, enough):
        """Publish a few of the lines at a time, from the beginning again after the last, until
        `enough()`.
        """
        asyncio.run(self._feed(lines, enough))

    async def _feed(self, lines, enough):
        few = cycle([lines[at : at + FEW] for at in range(0, len(lines), FEW)])
        deadline = time.monotonic() + DONE_S
        async with AIOKafkaProducer(bootstrap_servers=self.settings.bootstrap) as producer:
            while not enough():
                assert time.monotonic() < deadline, "what is fed for never came"
                for line in next(few):
                    await producer.send_and_wait(self.topic(topics.RAW), line, key=record_key(line))
                await asyncio.sleep(POLL_S)

    def close_run(self, month):
        """A run marker in every partition of the journal, in one transaction."""
        value = {"type": "run", "run": run_of(month_number(month))}
        self.control(value | {"closed_at": f"{month}-28T12:00:00Z", "data_month": month})

    def control(self, *values):
        """Control records in every partition of the journal, in one transaction."""
        asyncio.run(self._control(values))

    async def _control(self, values):
        producer = AIOKafkaProducer(
            bootstrap_servers=self.settings.bootstrap, transactional_id=f"control {uuid4()}"
        )
        async with producer, producer.transaction():
            for partition in range(self.settings.partitions):
                for value in values:
                    record = orjson.dumps({"schema": 1, **value})
                    mac = self.settings.macs().at("reports", partition)
                    await producer.send(
                        self.topic(topics.REPORTS),
                        record,
                        partition=partition,
                        headers=[mac.header(None, b"", record)],
                    )

    @contextmanager
    def open_transaction(self, topic, partition):
        """A transaction of nobody's that stands open behind the records of a partition; it is
        aborted at the end.
        """
        with asyncio.Runner() as runner:
            producer = runner.run(self._begun(topic, partition))
            try:
                yield
            finally:
                runner.run(producer.abort_transaction())
                runner.run(producer.stop())

    async def _begun(self, topic, partition):
        producer = AIOKafkaProducer(
            bootstrap_servers=self.settings.bootstrap, transactional_id=f"open {uuid4()}"
        )
        await producer.start()
        await producer.begin_transaction()
        await producer.send_and_wait(
            self.topic(topic), b"not committed", key=b"nobody", partition=partition
        )
        return producer

    def start(self, *stages, log=None, **environment):
        """A worker process; `environment` may plan a fault."""
        return self.started(
            [sys.executable, "-m", "streams.worker.app", *(stages or SETTLING)], log, environment
        )

    def start_program(self, *arguments, log=None):
        """The program `refusion` as a user starts it."""
        return self.started([PROGRAM, *arguments], log, {})

    def started(self, command, log, environment):
        given = {
            name: value
            for name, (value, origin) in self.settings.values.items()
            if origin == "environment"
        }
        self._workers.append(
            subprocess.Popen(command, env={**os.environ, **given, **environment}, stderr=log)
        )
        return self._workers[-1]

    def stop(self, worker):
        """End a worker in good order."""
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(DONE_S) == 0

    def clean_up(self):
        """End what is left."""
        for worker in self._workers:
            worker.kill()
            worker.wait()

    # --- waiting --------------------------------------------------------------------------------

    def wait_until_settled(self, stages=SETTLING):
        """Wait until the stages have committed all that stands in their topics."""
        asyncio.run(self._wait_until_settled(stages))

    async def _wait_until_settled(self, stages):
        deadline = time.monotonic() + DONE_S
        for stage in stages:
            async with self._onlooker(stage) as consumer:
                while sum((await _lags(consumer)).values()) > 0:
                    assert time.monotonic() < deadline, f"{stage} did not get through"
                    await asyncio.sleep(POLL_S)

    def lags(self, stage, isolation="read_committed"):
        """Count how many records of each partition a stage has not committed.

        Brokers tell of a transaction's end in the group before they have written it to all its
        topics: `read_uncommitted` counts what is there and nobody can read yet.
        """
        return asyncio.run(self._lags_of(stage, isolation))

    async def _lags_of(self, stage, isolation):
        async with self._onlooker(stage, isolation) as consumer:
            return await _lags(consumer)

    @asynccontextmanager
    async def _onlooker(self, stage, isolation="read_committed"):
        """A client that looks at a group's offsets; it has not joined."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.settings.bootstrap,
            group_id=self.settings.group(stage),
            enable_auto_commit=False,
            isolation_level=isolation,
        )
        topic = self.topic(SOURCES[stage])
        consumer.assign(
            [TopicPartition(topic, number) for number in range(self.settings.partitions)]
        )
        await consumer.start()
        try:
            yield consumer
        finally:
            await consumer.stop()

    def wait_until(self, come_about):
        """Wait for what a function looks for."""
        deadline = time.monotonic() + DONE_S
        while not come_about():
            assert time.monotonic() < deadline, "it did not come about"
            time.sleep(POLL_S)

    def wait_for_death(self, worker):
        """A planned SIGKILL has come."""
        assert worker.wait(DONE_S) == -signal.SIGKILL

    def wait_until_stopped(self, worker):
        """A planned SIGSTOP has come."""
        self.wait_until(lambda: os.waitpid(worker.pid, os.WUNTRACED | os.WNOHANG) != (0, 0))

    # --- looking --------------------------------------------------------------------------------

    def topic(self, topic):
        return self.settings.topic(topic)

    def records(self, topic):
        """The committed records of a topic, by partition, without those that state the keys."""
        by_partition = asyncio.run(records_of(self.settings.bootstrap, self.topic(topic)))
        return {
            partition: [record for record in records if not stated_keys(record)]
            for partition, records in by_partition.items()
        }

    def audit(self, crashed=True):
        """Postings are those of the journal's order, byte for byte, and every raw record went
        somewhere once.

        After a crash of intake it may be in the journal twice.
        """
        reports = self.records(topics.REPORTS)
        postings = self.records(topics.POSTINGS)
        for partition, records in reports.items():
            assert_same(
                [record.value for record in postings[partition]],
                expected_postings(records, self.settings.rules),
            )
        assert_no_gaps(postings)
        ends = self._ends_of_raw(reports)
        assert set(ends) == {
            f"{record.topic}/{record.partition}/{record.offset}"
            for records in self.records(topics.RAW).values()
            for record in records
        }
        if not crashed:
            assert set(ends.values()) <= {1}
        return postings

    def _ends_of_raw(self, reports):
        """Count how often each raw record was accepted or refused, by its position."""
        ends: Counter[str] = Counter()
        for records in reports.values():
            ends.update(
                headers["raw"].decode()
                for record in records
                if "raw" in (headers := dict(record.headers))
            )
        for records in self.records(topics.DEAD_LETTERS).values():
            for record in records:
                headers = {name: value.decode() for name, value in record.headers}
                if headers["stage"] == "intake":
                    ends["{topic}/{partition}/{offset}".format(**headers)] += 1
        return ends


async def _lags(consumer):
    """Count how many records of each partition the group has not committed."""
    ends = await consumer.end_offsets(list(consumer.assignment()))
    return {at.partition: end - (await consumer.committed(at) or 0) for at, end in ends.items()}


def shares(log, stage):
    """The partitions of a stage that a worker was given, one set for each assignment, as it says
    them.
    """
    return [
        {int(number) for number in line.split() if number.isdecimal()}
        for line in re.findall(rf"{stage}: partitions (.*)", log.read_text())
    ]


def longest_silence_s(records, start, end):
    """Between two moments, in which nothing came; records bear the time in ms, moments are
    seconds since 1970.
    """
    moments = sorted(record.timestamp / 1000 for record in records)
    inside = [start, *(moment for moment in moments if start < moment < end), end]
    return max(later - earlier for earlier, later in pairwise(inside))


def expected_postings(records, rules=None):
    """Fold a partition of the journal in its order; `rules` is a folder of further rule sets."""
    entries = (journal.decode(record.key, record.value) for record in records)
    return postings_again(entries, LawBook(rules))


def assert_same(found, expected):
    """The first difference tells more than all of them."""
    for number, (one, other) in enumerate(zip_longest(found, expected)):
        assert one == other, f"posting {number} of {len(found)}, {len(expected)} expected"


def assert_no_gaps(postings):
    """Revisions grow by one."""
    revisions: Counter[str] = Counter()
    for records in postings.values():
        for record in records:
            value = orjson.loads(record.value)
            if value["type"] == "postings":
                revisions[value["citizen"]] += 1
                assert value["revision"] == revisions[value["citizen"]]
