"""A run's markers in the ledger: an export waits for those that come late, within a bound."""

import pytest

from projections.ledger.entries import LedgerProgress
from streams.ledger.cuts import ExportError, cuts_of, partitions_without, wait_for_run
from streams.ledger.table import LedgerTable
from tests.support.postings import append, ledger_of, marker, new_ledger

WAIT_S = 60.0


def closed():
    return True


def never_asked():
    raise AssertionError("a partition has the marker: the run is closed")


def late(folder, *partitions):
    """A ledger of two partitions; each progress shown lets another of these get its marker."""
    writer = LedgerTable.open(str(folder))
    left = list(partitions)
    shown = []

    def show(done, total):
        shown.append((done, total))
        append(writer, LedgerProgress(left.pop(0)), [marker(49)])

    return show, shown


def test_a_ledger_that_gets_the_markers_late_is_waited_for(tmp_path):
    ledger = new_ledger(tmp_path, 2)
    show, shown = late(tmp_path, 1, 0)
    wait_for_run(ledger, 49, closed, show, WAIT_S, look_s=0.0)
    assert shown == [(0, 2), (1, 2)]
    assert [(cut.partition, cut.journal_end) for cut in cuts_of(ledger, 49)] == [(0, 0), (1, 0)]


def test_a_run_that_is_in_one_partition_is_closed_without_a_question(tmp_path):
    ledger = ledger_of(tmp_path, [marker(49)], [])
    show, shown = late(tmp_path, 1)
    wait_for_run(ledger, 49, never_asked, show, WAIT_S, look_s=0.0)
    assert shown == [(1, 2)]
    assert partitions_without(ledger, 49) == []


def test_nobody_waits_for_a_run_that_was_never_closed(tmp_path):
    ledger = ledger_of(tmp_path, [marker(49)], [marker(49)])
    show, shown = late(tmp_path)
    wait_for_run(ledger, 50, lambda: False, show, WAIT_S)
    assert shown == []
    with pytest.raises(ExportError, match=r"run 50 is not complete .* in partition 0, 1; close"):
        cuts_of(ledger, 50)


def test_nobody_waits_for_a_run_that_is_there(tmp_path):
    ledger = ledger_of(tmp_path, [marker(49)], [marker(49)])
    show, shown = late(tmp_path)
    wait_for_run(ledger, 49, never_asked, show, WAIT_S)
    assert shown == []


def test_the_wait_is_bounded(tmp_path):
    ledger = ledger_of(tmp_path, [marker(49)], [])
    shown = []
    wait_for_run(
        ledger, 49, never_asked, lambda *told: shown.append(told), wait_s=0.05, look_s=0.01
    )
    assert 1 <= len(shown) <= 5
    with pytest.raises(ExportError, match="its marker is not there in partition 1"):
        cuts_of(ledger, 49)
