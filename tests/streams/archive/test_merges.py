"""Merged numbers in backups, rekeys and audits: neither side of a merge without the other."""

import asyncio

import orjson
import pytest

from streams.archive.erasure import ErasureError, check_merges, last_day_of, merged_with
from streams.archive.key_change import check_erasure
from streams.archive.sameness import differences
from streams.wire.partitioner import partition_of
from tests.streams.archive.conftest import Place, ReaderFromOffsets
from tests.streams.archive.test_rekey import NewSystem, posted
from tests.support.audit_run import audit
from tests.support.lines import payment
from tests.support.merging import Merging, merging_settings

FORMER, NEW, THIRD = "6101901357", "6101901365", "6101901360"


@pytest.fixture
def merged(tmp_path):
    """A merge that holds, with a late report, and one that was undone."""
    stages = Merging(merging_settings(tmp_path / "state"), tmp_path / "state")
    stages.state_keys()
    for number, cpr in enumerate((FORMER, NEW, THIRD, FORMER, NEW)):
        stages.publish([of(cpr, f"P{number}", number + 1)])
    stages.settle_all()
    stages.merge(FORMER, NEW, "first")
    stages.merge(THIRD, NEW, "second")
    stages.publish([of(FORMER, "late", 7), of(THIRD, "late", 8)])
    stages.settle_all()
    stages.part(THIRD, NEW, "third")
    stages.settle_all()
    yield stages
    stages.close()


def of(cpr, report_id, month):
    days = {"period_start": f"2024-{month:02}-01", "period_end": f"2024-{month:02}-28"}
    return payment(cpr=cpr, report_id=report_id, atp_ore=0, **days)


def moves(topics):
    return [
        (at, index, record)
        for at, records in topics.of["reports"].items()
        for index, record in enumerate(records)
        if b'"moved"' in record.value
    ]


def test_the_audit_finds_nothing_wrong_with_merges(merged):
    assert audit(merged.topics, sample_percent=100, fold=True).violations.named == []


def test_a_late_report_without_its_copy_is_found(merged):
    topics = merged.topics
    for at, records in topics.of["reports"].items():  # undoing another merge has repeated it
        topics.of["reports"][at] = [each for each in records if not is_late_copy(each, "first")]
    codes = {violation.code for violation in audit(topics).violations.named}
    assert "not_reflected" in codes


def is_late_copy(record, merge):
    value = orjson.loads(record.value)
    return value.get("report_id") == "late" and value.get("moved", {}).get("merge") == merge


def test_new_keys_and_partitions_keep_merges(merged, tmp_path):
    new = NewSystem(merged.topics, tmp_path / "anew", partitions=7)
    try:
        assert new.rekey().left_out == {}
        for _ in range(3):  # what goes on may go to a partition that was settled before
            new.stages.settle()
        assert differences(posted(merged.topics), posted(new.topics)) == []
        assert audit(new.topics, sample_percent=100, fold=True).violations.named == []
        names = {merged.citizen(cpr).encode() for cpr in (FORMER, NEW, THIRD)}
        everything = b"".join(r.value for _, _, r in moves(new.topics))
        assert not any(name in everything for name in names)
    finally:
        new.stages.close()


def test_a_backup_with_one_side_of_a_merge_is_not_whole(merged, tmp_path):
    topics = merged.topics
    one, other = (
        partition_of(merged.citizen(cpr).encode(), topics.settings.partitions)
        for cpr in (FORMER, NEW)
    )
    assert one != other, "the test needs numbers in two partitions"
    joined = topics.find("reports", lambda each: b'"joined"' in each.value)
    ends = topics.ends()
    ends["reports"] = ends["reports"] | {other: joined[2].offset}
    place = Place(tmp_path / "one-sided")
    assert not place.back_up(topics, ends).whole
    assert place.back_up(topics).whole


def test_who_was_merged_is_erased_with_the_other_alone(merged):
    record = next(
        record for _, _, record in moves(merged.topics) if b'"joined"' not in record.value
    )
    assert merged_with(record.value) == merged.citizen(NEW)
    assert last_day_of(record.value) > 0
    assert merged_with(of(FORMER, "P1", 1)) == ""
    with pytest.raises(ErasureError, match="both numbers"):
        check_merges({"a"}, {"a": {"b"}})
    check_merges({"a", "b"}, {"a": {"b"}, "b": {"a"}})


@pytest.mark.parametrize("other", ["abc", "a" * 32])
def test_nobody_else_keeps_a_backup_from_being_whole(merged, tmp_path, other):
    """Whoever may write to the journal writes what looks like one side of a merge."""
    value = orjson.dumps({"id": "m", "other": other, "other_sealed": ""})
    merged.topics.append("reports", 0, b"f" * 32, value, [])
    assert Place(tmp_path / "disturbed").back_up(merged.topics).whole


def test_whoever_was_merged_with_several_is_erased_with_all_of_them(merged):
    """The new number was merged with two, in whatever order the journal has it."""
    former, new, third = (merged.citizen(cpr) for cpr in (FORMER, NEW, THIRD))
    for left_out in (former, third):
        erased = dict.fromkeys({former, new, third} - {left_out}, "because")
        reader = ReaderFromOffsets(merged.topics, merged.topics.ends())
        with pytest.raises(ErasureError, match="both numbers"):
            asyncio.run(check_erasure(merged.topics.settings, reader, erased))


def test_new_keys_keep_what_was_freed_before_and_while_numbers_were_merged(tmp_path):
    """Records that free an id come again in every partition, at their places among the copies."""
    stages = Merging(merging_settings(tmp_path / "state"), tmp_path / "state")
    stages.state_keys()
    reporter = orjson.loads(payment())["reporter"]
    try:
        stages.publish([of(FORMER, "X", 1), of(FORMER, "Y", 2), of(NEW, "P", 3)])
        stages.settle_all()
        stages.free(FORMER, reporter, "X", "f")
        stages.publish([of(FORMER, "X", 4)])
        stages.settle_all()
        stages.merge(FORMER, NEW, "first")
        stages.settle_all()
        stages.free(NEW, reporter, "Y", "g")
        stages.publish([of(FORMER, "late", 5)])
        stages.settle_all()
        stages.part(FORMER, NEW, "second")
        stages.settle_all()
        new = NewSystem(stages.topics, tmp_path / "anew", partitions=7)
        assert new.rekey().left_out == {}
        for _ in range(3):
            new.stages.settle()
        assert differences(posted(stages.topics), posted(new.topics)) == []
        assert audit(new.topics, sample_percent=100, fold=True).violations.named == []
        new.stages.close()
    finally:
        stages.close()
