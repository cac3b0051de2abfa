"""Intake without a broker: records in, messages out."""

from typing import Any, NamedTuple

import orjson

from streams.citizens.rule_sets import load_rule_set
from streams.privacy.identity import Identity
from streams.stages.intake import Intake, IntakeTopics
from streams.wire.validator import Validator
from tests.support.lines import payment

TOPICS = IntakeTopics("raw", "reports", "dead-letters", 4)
IDENTITY = Identity(bytes(32), (bytes(range(32)),))


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


def work(validator: Any) -> Any:
    return Intake(TOPICS, validator, IDENTITY).work(3)


def test_a_defect_that_every_record_meets_makes_each_a_dead_letter_at_the_first_reading():
    validator = DefectiveValidator()
    records = [RawRecord(offset, None, payment()) for offset in range(500)]
    processed = work(validator).process(records, len(records))
    (output,) = processed.outputs
    assert (processed.done, output.topic, len(output.messages)) == (500, "dead-letters", 500)
    assert {dict(headers)["reason"] for _, _, headers in output.messages} == {b"internal_error"}
    assert validator.parsed == len(records)


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
