"""Finds the markers of a run in the ledger, and waits for those that are not there yet.

A run is complete when its marker is in every partition of the ledger, and with it all rows before
it. Right after `refusion run close` the ledger is some seconds behind the journal.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from streams.kit.errors import UserError
from streams.ledger.table import LedgerTable, NoLedgerError

WAIT_S: Final = 120.0
"""Seconds to wait for a run's markers.

The ledger is committed every two seconds, and a worker that takes over after another has died needs
some ten seconds. A ledger that is further behind than two minutes is being made from the start, or
nobody writes it: the operator should look."""
MARKERS: Final = (
    "SELECT run, partition, after_run, closed_at, journal_offset FROM ledger WHERE kind = 'run'"
)
"""The markers of all runs in all partitions."""
LOOK_S: Final = 1.0
"""Seconds between two looks at the ledger."""


class ExportError(UserError):
    """A run cannot be exported; the message says why and what to do."""


class Cut(NamedTuple):
    """A run's marker in a partition.

    The reports of the run are those of the journal behind `journal_start`, up to `journal_end`.
    """

    partition: int
    after_run: int
    closed_at: str
    journal_start: int
    journal_end: int


def opened(
    uri: str, is_closed: Callable[[], bool], wait_s: float = WAIT_S, look_s: float = LOOK_S
) -> LedgerTable:
    """Open the ledger; before its first commit there is none, so wait for it if a run is closed.

    Raises NoLedgerError after `wait_s`, or at once where `is_closed` says no.
    """
    deadline = time.monotonic() + wait_s
    while True:
        try:
            return LedgerTable.open(uri)
        except NoLedgerError:
            if time.monotonic() >= deadline or not is_closed():
                raise
            time.sleep(look_s)


def partitions_without(ledger: LedgerTable, run: int) -> list[int]:
    """The partitions of the ledger that do not have a run's marker yet."""
    rows = ledger.rows(
        f"SELECT partition FROM ledger WHERE kind = 'run' AND run = {run}"  # noqa: S608 - a number
    )
    return sorted(set(range(ledger.partitions)) - {partition for (partition,) in rows})


def wait_for_run(
    ledger: LedgerTable,
    run: int,
    is_closed: Callable[[], bool],
    shown: Callable[[int, int], None],
    wait_s: float = WAIT_S,
    look_s: float = LOOK_S,
) -> None:
    """Wait until every partition of the ledger has a run's marker, for `wait_s` at most.

    Where no partition has it, `is_closed` is asked first: nobody waits for a run that was never
    closed. `shown` is told how many partitions have it, of how many.
    """
    missing = partitions_without(ledger, run)
    if len(missing) == ledger.partitions and not is_closed():
        return
    deadline = time.monotonic() + wait_s
    while missing and time.monotonic() < deadline:
        shown(ledger.partitions - len(missing), ledger.partitions)
        time.sleep(look_s)
        ledger.refresh()
        missing = partitions_without(ledger, run)


def cuts_of(ledger: LedgerTable, run: int) -> list[Cut]:
    """The markers of a run in all partitions. Raises ExportError where one is missing."""
    return cuts_among(ledger.rows(MARKERS), ledger.partitions, run)


def cuts_among(
    rows: Iterable[tuple[int, int, int, str, int]], partitions: int, run: int
) -> list[Cut]:
    """The markers of a run among the rows of `MARKERS`. Raises ExportError where one is missing."""
    markers = [*rows]
    end = {
        partition: (after, at, offset) for of, partition, after, at, offset in markers if of == run
    }
    if missing := sorted({*range(partitions)} - end.keys()):
        raise ExportError(
            f"run {run} is not complete in the ledger: its marker is not there in partition"
            f" {', '.join(map(str, missing))}; close it with `refusion run close` if that is not"
            " done, and else wait until `refusion worker projections` has come that far"
        )
    start = {(partition, number): offset for number, partition, _, _, offset in markers}
    return [
        Cut(partition, after_run, closed_at, start.get((partition, after_run), -1), journal_end)
        for partition, (after_run, closed_at, journal_end) in sorted(end.items())
    ]


def entries_of(cuts: Sequence[Cut]) -> str:
    """SQL that is true for the entries of a run and no others."""
    partitions = defaultdict(list)
    for cut in cuts:
        partitions[cut.after_run].append(str(cut.partition))
    places = (
        f"(after_run = {run} AND partition IN ({', '.join(numbers)}))"
        for run, numbers in partitions.items()
    )
    return f"({' OR '.join(places)})"
