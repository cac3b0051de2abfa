"""A merge loses no report, whatever ids, opening rows and copied records the two numbers have."""

import asyncio
from typing import Any

import orjson
import pytest

from domain.citizen import room
from domain.citizen.reports import Move
from streams.explain.placed import PlacedRecord, standing_of
from streams.operations.dead_letters import Letter
from streams.operations.freed_ids import FreeingError, check_place
from streams.operations.letter_dispatch import sendable
from streams.operations.merge_past import MergeError
from streams.wire import journal
from streams.wire.merge_records import encode_merge
from streams.wire.shapes import NEWEST_SCHEMA
from tests.support import product
from tests.support.lines import payment
from tests.support.merging import Merging, merging_settings

FORMER, NEW, THIRD = "6101901357", "6101901365", "6101901360"
REPORTER = orjson.loads(payment())["reporter"]


@pytest.fixture
def world(tmp_path):
    stages = Merging(merging_settings(tmp_path), tmp_path)
    yield stages
    stages.close()


def tell(world, *reports, **fields):
    for cpr, report_id, amount_ore, month in reports:
        days = {"period_start": f"2024-{month:02}-01", "period_end": f"2024-{month:02}-28"}
        report = payment(
            cpr=cpr, report_id=report_id, atp_ore=0, amount_ore=amount_ore, **days, **fields
        )
        world.publish([report])
        world.settle_all()


def free(world, cpr, report_id, number):
    world.free(cpr, REPORTER, report_id, number)
    world.settle_all()


def paid(world, cpr):
    """The øre that stand for a number."""
    citizen = world.citizen(cpr)
    messages = [each for _, _, _, each in world.topics.messages() if each["citizen"] == citizen]
    return sum(row["amount_ore"] for row in product.standing_rows(messages))


def merge(world, number="m"):
    world.merge(FORMER, NEW, number)
    world.settle_all()


def part(world, number="u"):
    world.part(FORMER, NEW, number)
    world.settle_all()


# --- ids that were freed ----------------------------------------------------------------------


def test_a_true_report_is_not_taken_back_by_what_was_freed_under_the_other_number(world):
    tell(world, (FORMER, "X", 1_000, 1), (NEW, "X", 500_000, 2))
    free(world, FORMER, "X", "f")
    tell(world, (FORMER, "X", 700_000, 3))
    with pytest.raises(MergeError, match="free the id under the former number"):
        merge(world)
    free(world, FORMER, "X", "g")
    merge(world)
    assert (paid(world, FORMER), paid(world, NEW)) == (0, 500_000)
    part(world)
    assert (paid(world, FORMER), paid(world, NEW)) == (0, 500_000)


def test_a_report_that_was_freed_under_the_new_number_is_not_lost_under_the_former(world):
    tell(world, (NEW, "X", 500_000, 2), (FORMER, "X", 500_000, 2), (NEW, "Y", 100_000, 4))
    free(world, NEW, "X", "f")
    with pytest.raises(MergeError, match="freed under one"):
        merge(world)
    free(world, FORMER, "X", "g")
    merge(world)
    assert paid(world, NEW) == 100_000


def test_an_id_with_other_contents_can_be_freed_and_then_the_numbers_merged(world):
    tell(world, (FORMER, "X", 1_000, 1), (NEW, "X", 500_000, 2))
    with pytest.raises(MergeError, match="under another id"):
        merge(world)
    free(world, FORMER, "X", "f")
    tell(world, (FORMER, "X2", 1_000, 1))
    merge(world)
    assert paid(world, NEW) == 501_000


def test_what_frees_an_id_that_nothing_had_frees_nothing_by_a_merge(world):
    tell(world, (FORMER, "Y", 1_000, 1), (NEW, "X", 500_000, 2))
    free(world, FORMER, "X", "f")
    merge(world)
    assert paid(world, NEW) == 501_000


def test_what_was_freed_while_numbers_were_merged_stays_freed_when_they_are_parted(world):
    """An id of the former number can be freed under the new one alone then."""
    tell(world, (FORMER, "X", 1_000, 1), (NEW, "Y", 500_000, 2))
    merge(world)
    tell(world, (FORMER, "late", 70, 3))
    free(world, NEW, "X", "f")
    free(world, NEW, "late", "g")
    tell(world, (FORMER, "X", 2_000, 1))
    assert paid(world, NEW) == 502_000
    part(world)
    assert (paid(world, FORMER), paid(world, NEW)) == (2_000, 500_000)


def test_what_a_merge_has_freed_again_is_not_freed_when_it_is_undone(world):
    tell(world, (FORMER, "X", 1_000, 1), (NEW, "Y", 500_000, 2))
    free(world, FORMER, "X", "f")
    merge(world)
    part(world)
    tell(world, (NEW, "X", 1_000, 1))
    assert paid(world, NEW) == 501_000


def test_no_id_of_a_former_number_is_freed_without_a_word(world):
    """Its reports are the new citizen's, so that nothing would be freed."""
    tell(world, (FORMER, "X", 1_000, 1), (NEW, "Y", 500_000, 2))
    merge(world)
    check_place(world.past(NEW))
    with pytest.raises(FreeingError, match=world.citizen(NEW)):
        check_place(world.past(FORMER))
    part(world)
    check_place(world.past(FORMER))


def test_a_merge_that_is_asked_for_again_is_told_to_be_there(world):
    """Whoever gives a command again does not hear that something is wrong."""
    tell(world, (FORMER, "X", 1_000, 1), (NEW, "Y", 500_000, 2), (THIRD, "Z", 7, 3))
    merge(world)
    with pytest.raises(MergeError, match="one person already"):
        merge(world, "again")
    with pytest.raises(MergeError, match="merged with another one before"):
        world.merge(FORMER, THIRD, "third")


# --- rule sets and room -----------------------------------------------------------------------


def test_what_a_rule_set_did_not_admit_does_not_come_to_count_by_a_merge(world):
    """HFP is of R-2: its reporter may have reported it anew under another id since."""
    tell(world, (FORMER, "P1", 1_000, 1), (NEW, "P2", 500_000, 2))
    tell(world, (FORMER, "H1", 70, 3), (NEW, "H2", 70, 3), benefit="HFP")
    world.take_up("R-2")
    world.settle_all()
    merge(world)
    assert paid(world, NEW) == 501_000
    part(world)
    assert (paid(world, FORMER), paid(world, NEW)) == (1_000, 500_000)


def test_what_was_settled_is_not_refused_by_the_rule_set_of_today(world):
    world.take_up("R-2")
    tell(world, (FORMER, "P1", 1_000, 1), (NEW, "P2", 500_000, 2))
    tell(world, (FORMER, "H1", 70, 3), benefit="HFP")
    world.take_up("R-1")
    with pytest.raises(MergeError, match="R-1, by which they would be settled anew"):
        merge(world)
    world.take_up("R-2")
    merge(world)
    assert paid(world, NEW) == 501_070
    world.take_up("R-1")
    with pytest.raises(MergeError, match="does not admit them"):
        part(world)


def test_what_was_taken_back_may_be_refused_by_the_rule_set_of_today(world):
    world.take_up("R-2")
    tell(world, (FORMER, "P1", 1_000, 1), (NEW, "P2", 500_000, 2))
    tell(world, (FORMER, "H1", 70, 3), benefit="HFP")
    back = {"schema": 1, "type": "reversal", "report_id": "R", "reverses": "H1", "cpr": FORMER}
    back |= {"reporter": REPORTER, "reported_at": "2024-06-01T08:00:00Z"}
    world.publish([orjson.dumps(back)])
    world.settle_all()
    world.take_up("R-1")
    merge(world)
    assert paid(world, NEW) == 501_000


def test_no_month_of_one_person_overflows_by_a_merge(world, monkeypatch):
    monkeypatch.setattr(room, "MOST_REPORTS", 2)
    tell(world, (FORMER, "P1", 1, 1), (FORMER, "P2", 2, 1), (NEW, "P3", 3, 2))
    tell(world, (NEW, "P1", 1, 1))
    merge(world)
    part(world)
    tell(world, (NEW, "P4", 4, 1))
    with pytest.raises(MergeError, match="reports in a month"):
        merge(world)


# --- copies of records of merges --------------------------------------------------------------


def copied(world, cpr, kind):
    """Append a copy of the last record of a merge to the partition of its citizen."""
    key = world.citizen(cpr).encode()
    name = f'"type":"{kind}"'.encode()
    at, record = [
        (at, record)
        for at, records in world.topics.of["reports"].items()
        for record in records
        if record.key == key and name in record.value
    ][-1]
    world.topics.append("reports", at, record.key, record.value, [*record.headers])
    world.settle_all()


def test_a_copy_of_a_record_moved_loses_nothing_when_the_merge_is_undone(world):
    tell(world, (FORMER, "P1", 1_000, 1), (NEW, "P2", 500_000, 2))
    merge(world)
    copied(world, FORMER, "moved")
    tell(world, (FORMER, "late", 70, 3))
    assert paid(world, NEW) == 501_070
    part(world)
    assert (paid(world, FORMER), paid(world, NEW)) == (1_070, 500_000)


def test_a_copy_of_a_record_joined_brings_no_merge_back(world):
    tell(world, (FORMER, "P1", 1_000, 1), (NEW, "P2", 500_000, 2), (THIRD, "P3", 7, 3))
    merge(world)
    part(world)
    copied(world, NEW, "joined")
    world.merge(NEW, THIRD, "second")
    world.settle_all()
    assert paid(world, THIRD) == 500_007
    world.part(NEW, THIRD, "third")
    world.settle_all()
    assert (paid(world, NEW), paid(world, THIRD)) == (500_000, 7)


def test_a_citizen_is_explained_whose_merge_was_undone_whatever_is_copied():
    moved, parted = Move("m", "b" * 32, "s"), Move("u", "b" * 32, "s", "m")
    report = tuple(product.record_of(orjson.loads(payment(cpr=FORMER))))[2]
    past: list[Any] = [report, moved, parted, report, moved]
    records = [PlacedRecord(offset, record) for offset, record in enumerate(past)]
    assert [placed.offset for placed in standing_of("a" * 32, records)] == [3]


# --- other versions and dead letters ----------------------------------------------------------


def test_a_version_that_knows_no_merges_stops_at_a_record_moved():
    """It passes over a type that it does not know, but not over a schema that is newer."""
    value = encode_merge(Move("m", "b" * 32, "s"), "s", "why", "2024-02-01T08:00:00Z")
    assert orjson.loads(value)["schema"] > NEWEST_SCHEMA
    assert journal.newer_schema(value) is None
    assert journal.newer_schema(value.replace(b'"schema":3', b'"schema":4')) == 4


def test_a_record_moved_that_names_no_citizen_is_none_of_ours():
    value = encode_merge(Move("m", "abc", "s"), "s", "why", "2024-02-01T08:00:00Z")
    with pytest.raises(ValueError, match="other"):
        journal.decode(b"a" * 32, value)


def test_a_record_of_a_merge_is_not_sent_again_by_itself(world):
    tell(world, (FORMER, "P1", 1_000, 1), (NEW, "P2", 500_000, 2))
    merge(world)
    at, _, record = world.topics.find("reports", lambda each: b'"type":"moved"' in each.value)
    settings = world.topics.settings
    source = f"{world.topics.name('reports')}/{at}/{record.offset}"
    sealed = settings.identity().seal_record(record.value)
    letter = Letter(
        0, 1, "2024-03-01T10:00:00Z", "citizens", "internal_error", "", source, "", 0, "", "",
        sealed, "", is_proved=True,
    )  # fmt: skip

    class Reader:
        async def original(self, _letter):
            return record

    reader: Any = Reader()
    can_be, cannot = asyncio.run(sendable(settings, reader, [letter]))
    assert can_be == []
    assert "merge --undo" in cannot[0]


# --- opening rows -----------------------------------------------------------------------------


def opening(cpr, week="2024-01-08", amount_ore=400_000):
    return {
        "schema": 1, "type": "opening", "reported_at": "2024-01-01T00:00:00Z", "cpr": cpr,
        "month": week[:7], "week": week, "benefit": "KTH", "paying": "730", "financing": "730",
        "amount_ore": amount_ore, "atp_ore": 0, "mechanism": "refusion", "rate": 80,
        "refusion_ore": amount_ore * 8 // 10, "medfinansiering_ore": 0,
    }  # fmt: skip


@pytest.mark.parametrize("amount_ore", [400_000, 300_000])
def test_no_opening_row_is_lost_where_both_numbers_have_one_in_a_cell(world, amount_ore):
    world.load_openings([opening(FORMER), opening(NEW, amount_ore=amount_ore)])
    world.settle_all()
    with pytest.raises(MergeError, match="reported for both numbers"):
        merge(world)
    tell(world, (FORMER, "P1", 400_000, 1))
    with pytest.raises(MergeError, match="reported for both numbers"):
        merge(world)
    tell(world, (NEW, "P2", amount_ore, 1))
    merge(world)
    assert (paid(world, FORMER), paid(world, NEW)) == (0, 400_000 + amount_ore)
    part(world)
    assert (paid(world, FORMER), paid(world, NEW)) == (400_000, amount_ore)


def test_no_opening_row_makes_way_for_a_payment_of_the_other_number(world):
    world.load_openings([opening(NEW)])
    tell(world, (FORMER, "P1", 400_000, 1))
    with pytest.raises(MergeError, match="opening rows would make way"):
        merge(world)


def test_opening_rows_of_other_weeks_are_the_new_citizen_s(world):
    world.load_openings([opening(FORMER), opening(NEW, "2024-01-15")])
    tell(world, (FORMER, "P1", 1_000, 3))
    merge(world)
    assert paid(world, NEW) == 801_000
