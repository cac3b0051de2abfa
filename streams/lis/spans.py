"""The parts of the ledger that are built by themselves: each closed run, and the open one."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from domain.basics.weeks import month_number, month_text
from projections.ledger.entries import BEFORE_ANY_RUN
from streams.ledger.table import LedgerTable


class Span(NamedTuple):
    """A closed run of the ledger, or what no run has closed yet (`run` None).

    The open one has the data month of the last closed run. `after_runs` are the folders of the
    ledger that it lies in, and `where` is SQL that is true for its entries in them.
    """

    run: int | None
    data_month: str | None
    closed_at: str | None
    after_runs: Sequence[int]
    where: str

    @property
    def month_of_corrections(self) -> str | None:
        """The month whose rows are no corrections: the data month of this run, or of the next."""
        if self.data_month is None or self.run is not None:
            return self.data_month
        return month_text(month_number(self.data_month) + 1)

    @property
    def closing(self) -> tuple[str | None, str | None]:
        """The data month and the time of the marker; nothing for the open run."""
        return (None, None) if self.run is None else (self.data_month, self.closed_at)


def spans_of(ledger: LedgerTable) -> list[Span]:
    """Find the runs whose markers are in every partition, in order, and at the end the open one."""
    markers = list(
        ledger.rows(
            "SELECT run, partition, after_run, closed_at, data_month FROM ledger"
            " WHERE kind = 'run' ORDER BY run, partition"
        )
    )
    by_run = defaultdict(list)
    for run, *marker in markers:
        by_run[run].append(marker)
    spans = [_closed(run, cuts) for run, cuts in by_run.items() if len(cuts) == ledger.partitions]
    last = spans[-1] if spans else None
    since = BEFORE_ANY_RUN if last is None else last.run
    after_runs = sorted({run for run in (BEFORE_ANY_RUN, *by_run) if run >= (since or 0)})
    return [
        *spans,
        Span(None, last and last.data_month, None, after_runs, "TRUE"),
    ]


def _closed(run: int, cuts: Sequence[Sequence[Any]]) -> Span:
    partitions = defaultdict(list)
    for partition, after_run, _, _ in cuts:
        partitions[after_run].append(str(partition))
    places = (
        f"(after_run = {before} AND partition IN ({', '.join(numbers)}))"
        for before, numbers in partitions.items()
    )
    _, _, closed_at, data_month = cuts[0]
    return Span(run, data_month, closed_at, sorted(partitions), " OR ".join(places))
