"""Both stages at work on topics in memory: the records that workers write to Kafka, without one."""

import asyncio
from contextlib import asynccontextmanager
from typing import Any
from zlib import crc32

import orjson

from domain.basics.weeks import month_number
from streams.citizens.rule_sets import LawBook
from streams.operations.publish import record_key
from streams.operations.stated_keys import keys_record
from streams.stages.citizens import CitizenStage, CitizenTopics
from streams.stages.intake import Intake, IntakeTopics
from streams.wire import journal
from streams.wire.control_records import run_of
from streams.wire.outcomes import AcceptedOpening
from streams.wire.partitioner import partition_of
from streams.wire.validator import Validator
from tests.support.topics_in_memory import TopicsInMemory


class EmptyChangelog:
    """The changelog of a partition that nobody has written to."""

    identity = "memory"
    end = 0

    async def is_whole(self):
        return True

    async def read(self, _start):
        return
        yield


class NoKafka:
    """The port `Kafka`, as far as a stage asks for it."""

    @asynccontextmanager
    async def changelog(self, _topic, _partition):
        yield EmptyChangelog()


class StagesInMemory:
    """Publish, load and close runs as with a pipeline; `settle` lets both stages go on."""

    def __init__(self, settings, folder):
        self.topics = TopicsInMemory(settings)
        self._settings = settings
        self._identity = settings.identity()
        self._validator = Validator(LawBook().catalogue(), demo=True, markers=True)
        name = self.topics.name
        kafka: Any = NoKafka()
        self._intake = Intake(
            IntakeTopics(
                name("reports.raw"), name("reports"), name("dead-letters"), settings.partitions
            ),
            Validator(LawBook().catalogue(), demo=True),
            self._identity,
            kafka,
        )
        self._citizens = CitizenStage(
            CitizenTopics(
                name("reports"),
                name("postings"),
                name("notices"),
                name("citizens"),
                name("dead-letters"),
                settings.partitions,
            ),
            LawBook(None),
            self._identity,
            kafka,
            folder,
        )
        partitions = range(settings.partitions)
        self._works = [self._citizens.work(at) for at in partitions]
        for work in self._works:
            asyncio.run(work.restore())
        self._taken_in = dict.fromkeys(partitions, 0)
        self._settled_to = dict.fromkeys(partitions, 0)

    def close(self):
        for work in self._works:
            asyncio.run(work.close())

    def publish(self, lines):
        for line in lines:
            key = record_key(line)
            self.topics.append("reports.raw", crc32(key) % self._settings.partitions, key, line, [])

    def load_openings(self, rows):
        """Rows of an earlier system, as `refusion opening load` writes them."""
        for row in rows:
            accepted = self._validator.parse(orjson.dumps(row))
            assert isinstance(accepted, AcceptedOpening)
            opening, cpr = accepted
            citizen, sealed = self._identity.of(cpr)
            key, at = citizen.encode(), row["reported_at"]
            self.topics.append(
                "reports",
                partition_of(key, self._settings.partitions),
                key,
                journal.encode_opening(opening, sealed, at),
                journal.opening_headers(opening, at),
            )

    def state_keys(self):
        """Begin the journal with its keys: from here on records need a MAC."""
        keys = journal.encode_control(keys_record(self._settings), "2024-02-01T08:00:00Z")
        self._write_control(keys)

    def _write_control(self, value):
        for at in range(self._settings.partitions):
            mac = self._identity.macs.at("reports", at).header(None, b"", value)
            self.topics.append("reports", at, None, value, [mac])

    def close_run(self, month):
        """Write a run marker to every partition of the journal."""
        number = run_of(month_number(month))
        marker = {"schema": 1, "type": "run", "run": number}
        marker |= {"closed_at": f"{month}-28T12:00:00Z", "data_month": month}
        self._write_control(orjson.dumps(marker))

    def take_up(self, rules):
        """Write a `rules` record to every partition of the journal."""
        record = {"schema": 1, "type": "rules", "id": f"take-up-{rules}", "rules": rules}
        record |= {"digest": LawBook().digest(rules), "written_at": "2024-02-01T08:00:00Z"}
        self._write_control(orjson.dumps(record))

    def settle(self):
        """Let both stages do all that is there for them."""
        for at, records in self.topics.of["reports.raw"].items():
            new = records[self._taken_in[at] :]
            self._taken_in[at] = len(records)
            self._write(self._intake.work(at).process(new, len(records)).outputs)
        for at, work in enumerate(self._works):
            records = self.topics.of["reports"][at]
            while self._settled_to[at] < len(records):
                behind = records[-1].offset + 1
                processed = work.process(records[self._settled_to[at] :], behind)
                self._settled_to[at] += processed.done
                asyncio.run(work.keep(self._write(processed.outputs), self._settled_to[at]))

    def _write(self, outputs):
        """Write outputs to their topics, and return where these end then."""
        ends = {}
        for output in outputs:
            topic = output.topic.removeprefix(self._settings.prefix)
            for key, value, headers in output.messages:
                ends[output.topic] = self.topics.append(
                    topic, output.partition or 0, key, value, headers
                )
        return ends
