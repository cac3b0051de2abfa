"""Markers, raw records and reports that are missing or in the wrong place."""

import pytest

from tests.support.audit_run import audit, codes_at


@pytest.mark.parametrize(("topic", "code"), [("postings", "marker"), ("reports", "control")])
def test_a_marker_that_is_missing_in_one_partition(copy, topic, code):
    index = next(number for number, record in enumerate(copy.of[topic][2]) if not record.key)
    copy.drop(topic, 2, index)
    verified = audit(copy)
    (violation,) = [violation for violation in verified.violations.named if violation.code == code]
    assert violation.partition == 2
    assert "the marker of run 41" in violation.text


def test_a_raw_record_that_became_nothing(copy):
    at, index, lost = copy.find(
        "dead-letters", lambda record: dict(record.headers)["stage"] == b"intake"
    )
    copy.drop("dead-letters", at, index)
    headers = {name: value.decode() for name, value in lost.headers}
    place = headers["topic"], int(headers["partition"]), int(headers["offset"])
    assert codes_at(audit(copy)) == {place: {"raw"}}


def test_an_accepted_report_that_is_gone(copy):
    at, index = next((at, 0) for at, records in copy.of["reports"].items() if records[0].key)
    lost = copy.drop("reports", at, index)
    raw, partition, offset = dict(lost.headers)["raw"].decode().split("/")
    assert codes_at(audit(copy))[raw, int(partition), int(offset)] == {"raw"}


def test_a_report_that_is_in_the_journal_twice_is_no_fault(copy):
    records = copy.of["reports"][1]
    again = records[-1]._replace(offset=records[-1].offset + 1)
    records.append(again)
    verified = audit(copy, sample_percent=100)
    assert (verified.violations.named, verified.raw.twice) == ([], 1)


def test_a_citizen_in_a_foreign_partition(copy):
    record = next(record for record in copy.of["reports"][0] if record.key)
    moved = record._replace(offset=copy.of["reports"][3][-1].offset + 1)
    copy.of["reports"][3].append(moved)
    assert codes_at(audit(copy))[copy.name("reports"), 3, moved.offset] == {"partition"}


def test_a_journal_that_has_lost_its_beginning(copy):
    copy.starts["reports", 1] = 3
    assert codes_at(audit(copy)) == {(copy.name("reports"), 1, 3): {"beginning"}}
