"""Intake without a broker: records in, messages out."""

import asyncio
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import orjson
import pytest

from domain.citizen.reports import KeysRecord
from streams.citizens.rule_sets import LawBook, load_rule_set
from streams.engine.ports import Batch
from streams.privacy.identity import Identity
from streams.stages import intake_position
from streams.stages.intake import Intake, IntakeTopics
from streams.wire.journal import encode_control
from streams.wire.partitioner import partition_of
from streams.wire.reporters import RegisteredReporter, ReporterRegister
from streams.wire.validator import Validator
from tests.support.lines import payment

TOPICS = IntakeTopics("raw", "reports", "dead-letters", 4)
IDENTITY = Identity(bytes(32), (bytes(range(32)),))
AT = partition_of(IDENTITY.of("0101801234")[0].encode(), TOPICS.partitions)
"""The journal's partition of the citizen in these tests."""


class RawRecord(NamedTuple):
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Any = ()


class DefectiveValidator:
    """A validator with a defect that every record meets."""

    def __init__(self) -> None:
        self.parsed = 0

    def parse(self, _record: bytes) -> None:
        self.parsed += 1
        raise ZeroDivisionError


def work(validator: Any, kafka: Any = None) -> Any:
    return Intake(TOPICS, validator, IDENTITY, kafka).work(3)


def test_a_defect_that_every_record_meets_makes_each_a_dead_letter_at_the_first_reading():
    validator = DefectiveValidator()
    records = [RawRecord(offset, None, payment()) for offset in range(500)]
    processed = work(validator).process(records, len(records))
    (output,) = processed.outputs
    assert (processed.done, output.topic, len(output.messages)) == (500, "dead-letters", 500)
    assert {dict(headers)["reason"] for _, _, headers in output.messages} == {b"internal_error"}
    assert validator.parsed == len(records)


def test_no_record_is_refused_because_the_machine_has_no_memory():
    class Short:
        def parse(self, _record: bytes) -> None:
            raise MemoryError

    with pytest.raises(MemoryError):
        work(Short()).process([RawRecord(0, None, payment())], 1)


def test_a_report_goes_to_its_citizens_partition_with_the_time_as_it_was_written():
    time = "2024-03-01T10:00:00.250+00:00"
    record = RawRecord(7, b"any", payment(reported_at=time, paying_municipality=None))
    validator = Validator(load_rule_set(), demo=False)
    (output,) = work(validator).process([record], 1).outputs
    ((key, value, headers),) = output.messages
    report = orjson.loads(value)
    assert output.topic == "reports"
    assert report["reported_at"] == time
    assert report["paying_municipality"] == report["financing_municipality"] == "751"
    assert dict(headers)["raw"] == b"raw/3/7"
    assert dict(headers)["ce_time"] == time.encode()
    assert key == IDENTITY.of("0101801234")[0].encode()


def test_refused_records_are_counted_by_the_reporters_of_the_register_alone():
    """A label for each number that somebody types would fill the memory of whoever watches."""
    known = RegisteredReporter("12345678", "A", "other", None, "", None, "", 0, 10**6)
    validator = Validator(load_rule_set(), False, register=ReporterRegister([known]))
    bad = [
        payment(reporter="12345678", period_end="2024-13-01"),
        payment(reporter="12345678", amount_ore=-1),
        payment(reporter="87654321"),
        payment(reporter=["12345678"]),
        b"{",
        b"",
    ]
    records = [RawRecord(offset, None, value) for offset, value in enumerate(bad)]
    counts = work(validator).process(records, len(records)).counts
    by_reporter = {name: number for (of, name), number in counts.items() if of == "rejected_of"}
    assert by_reporter == {"12345678": 2, "unknown": 4}
    assert sum(number for (of, _), number in counts.items() if of == "rejected") == len(bad)


# --- no offset any more ---------------------------------------------------------------------------


class Topics:
    """Topics in memory behind the port `Kafka`, as far as a position is looked for there."""

    def __init__(self, **topics):
        self.topics = topics
        self.readings = 0

    @asynccontextmanager
    async def changelog(self, topic, partition):
        records = self.topics[topic].get(partition, [])
        yield Log(records, self)


class Log:
    def __init__(self, records, topics):
        self.records = records
        self.topics = topics
        self.end = records[-1].offset + 1 if records else 0

    async def read(self, start):
        self.topics.readings += 1
        yield Batch([record for record in self.records if record.offset >= start], self.end)

    async def record(self, offset):
        return next((record for record in self.records if record.offset == offset), None)


def taken_in(raw):
    """The journal after these raw records of partition 3, all in one of its partitions."""
    processed = work(Validator(LawBook().catalogue(), demo=True)).process(raw, len(raw))
    return [
        RawRecord(offset, key, value, headers)
        for offset, (key, value, headers) in enumerate(
            message for output in processed.outputs for message in output.messages
        )
    ]


def raw_records(*ids, first=0):
    return [
        RawRecord(first + number, None, payment(report_id=name)) for number, name in enumerate(ids)
    ]


def position_by(raw, journal):
    topics = Topics(**{TOPICS.raw: {3: raw}, TOPICS.journal: {AT: journal}})
    taking_in = work(Validator(LawBook().catalogue(), demo=True), topics)
    return asyncio.run(taking_in.position(None)), topics


@pytest.fixture
def batches_of_two(monkeypatch):
    monkeypatch.setattr(intake_position, "LOOKED_BACK", 3)


@pytest.mark.usefixtures("batches_of_two")
def test_without_an_offset_intake_goes_on_behind_the_last_batch_that_is_whole(caplog):
    raw = raw_records("a", "b", "c", "d", "e", "f")
    journal = taken_in(raw[:5])
    position, topics = position_by(raw, journal)
    assert position == 3, "of two records before that a batch may have lost others"
    assert "goes on at 3, by what is in the journal" in caplog.text
    assert topics.readings == 2 * TOPICS.partitions, "the second time for the copies"
    assert position_by(raw, journal[:2])[0] is None
    assert position_by(raw[5:], journal)[0] == 3, "the raw records have expired"


@pytest.mark.usefixtures("batches_of_two")
def test_no_copy_of_a_report_says_how_far_intake_has_come():
    """The header `raw` is not covered by the MAC: a copy of a genuine report may name any record.

    Where the raw record is the same report once more, its content does not tell the two apart.
    """
    raw = raw_records("a", "b", "c", "d", "e", "never-read", "a", "b", "c", "d")
    journal = keyed(taken_in(raw[:5]))
    assert position_by(raw, journal)[0] == 3
    copies = [
        RawRecord(journal[-1].offset + 1 + number, record.key, record.value, with_raw(record, at))
        for number, (record, at) in enumerate(zip(journal[1:5], range(6, 10), strict=True))
    ]
    assert position_by(raw, [*journal, *copies])[0] is None, "it begins anew: nothing is left out"
    forged = [record._replace(headers=[*record.headers, ("mac", b"m")]) for record in copies]
    assert position_by(raw, [*journal, *forged])[0] == 3
    nothing = [record._replace(headers=[("raw", None)]) for record in copies]
    assert position_by(raw, [*journal, *nothing])[0] == 3


def keyed(journal):
    """The journal with the record before it that turns the checking of MACs on."""
    record = KeysRecord("k", "p", (), IDENTITY.macs.key_ids, demo=True)
    value = encode_control(record, "2024-01-01T00:00:00Z")
    headers = [IDENTITY.macs.at("reports", AT).header(None, b"", value)]
    behind = [record._replace(offset=record.offset + 1) for record in journal]
    return [RawRecord(0, None, value, headers), *behind]


def with_raw(record, offset):
    return [
        (name, f"raw/3/{offset}".encode() if name == "raw" else content)
        for name, content in record.headers
    ]


@pytest.mark.usefixtures("batches_of_two")
def test_a_raw_topic_that_was_made_anew_is_read_from_its_beginning():
    before = taken_in(raw_records("a", "b", "c"))
    assert position_by([], before)[0] is None
    assert position_by(raw_records("x", "y", "z", "more"), before)[0] is None


def test_an_offset_of_the_group_is_believed_and_nothing_is_read():
    taking_in = work(None, None)
    assert asyncio.run(taking_in.position(7)) == 7
