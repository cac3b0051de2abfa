"""Gaps of the journal in a replay: what transactions leave, and holes where records are lost."""

import asyncio

import pytest

from streams.operations.replay_partition import JournalGaps, ReplayError, Uncommitted

CONTROL_RECORDS = (
    b'{"type": "run", "run": 1}',
    b'{"type": "rules", "id": "a"}',
    b'{"type": "recalculate", "id": "a"}',
)
"""The records of two transactions: a run's, and a replay's with its rules."""


def gaps_with(*taken_back, ends=0):
    async def ask(_start, _end):
        return Uncommitted(list(enumerate(taken_back)), ends)

    return JournalGaps("reports/0", ask)


def look(gaps, start, end):
    """A gap from `start` up to the next record at `end`."""
    gaps.expected = start
    asyncio.run(gaps.look(end))


def test_a_gap_without_a_transaction_is_a_hole():
    """One offset for each transaction's marker, no more."""
    gaps = gaps_with()
    for record in CONTROL_RECORDS:
        gaps.begin(0, record)
    look(gaps, 10, 11)
    look(gaps, 12, 13)
    with pytest.raises(ReplayError, match=r"hole: .*/0 lacks records from offset 14 to 14"):
        look(gaps, 14, 15)


def test_an_aborted_transaction_leaves_its_records_and_a_marker():
    look(gaps_with(*CONTROL_RECORDS[1:]), 10, 13)
    with pytest.raises(ReplayError, match="from offset 10 to 13"):
        look(gaps_with(*CONTROL_RECORDS[1:]), 10, 14)


def test_a_transaction_that_ended_before_its_first_record_leaves_its_marker_alone():
    look(gaps_with(ends=1), 0, 1)
    with pytest.raises(ReplayError, match="from offset 0 to 1"):
        look(gaps_with(ends=1), 0, 2)
    with pytest.raises(ReplayError, match="from offset 0 to 0"):
        look(gaps_with(), 0, 1)


@pytest.mark.parametrize("value", [None, b"", b"[]", b'{"type":"run"}', b"\xff"])
def test_foreign_records_may_have_come_in_transactions_of_their_own(value):
    """Whoever may write to the topic may do so in transactions; that is no hole in it."""
    gaps = gaps_with()
    gaps.begin_foreign(9)
    look(gaps, 10, 11)
    look(gaps_with(value), 10, 12)
    with pytest.raises(ReplayError, match="hole"):
        look(gaps_with(value), 10, 13)
