"""Answers questions about one citizen from the ledger: what was posted, and in which runs."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, Protocol

from projections.ledger.citizen import FIELDS, PostedRow
from projections.ledger.entries import COUNTERS
from streams.explain.placed import LiveError
from streams.ledger.sql import sql_text
from streams.ledger.table import OF_MARKERS, LedgerTable
from streams.wire.partitioner import partition_of

OF_RUN: Final = ("run", "after_run", "data_month", "closed_at")


class Entries(Protocol):
    """The entries of a ledger, a partition at a time."""

    @property
    def partitions(self) -> int:
        """The topic's number of partitions."""

    def rows_of(
        self, partition: int, columns: Sequence[str], condition: tuple[str, str]
    ) -> list[tuple[Any, ...]]:
        """The rows of a partition with a text in a column."""

    def newest_of(self, partition: int) -> int:
        """The last offset of the journal that a partition has rows of; -1 without any."""


class LedgerCounters(NamedTuple):
    """The counters of a message as its first entry has them; all None in the others."""

    week: str | None
    seniority: int | None
    earned: str | None
    after_transfer: str | None


class LedgerRun(NamedTuple):
    """A run that is closed in a partition of the ledger."""

    run: int
    after_run: int
    data_month: str
    closed_at: str


class CitizenLedger:
    """Answers questions about one citizen from the ledger."""

    def __init__(self, entries: Entries) -> None:
        self._entries = entries
        self._runs: dict[int, list[LedgerRun]] = {}

    def partition_of(self, citizen: str) -> int:
        """Return the partition of the citizen's records, in the journal too."""
        return partition_of(citizen.encode(), self._entries.partitions)

    def rows(self, citizen: str) -> list[PostedRow]:
        """Return all rows that were posted for a citizen, in order."""
        return [row for row, _ in self.entries(citizen)]

    def entries(self, citizen: str) -> list[tuple[PostedRow, LedgerCounters]]:
        """Return the same, each with the counters that stand in its entry."""
        partition, number = self.partition_of(citizen), len(FIELDS)
        runs = self.runs(partition)
        found = self._entries.rows_of(partition, (*FIELDS, *COUNTERS), ("citizen", citizen))
        entries = [
            (
                PostedRow(*values[:number])._replace(run=runs.get(values[0])),
                LedgerCounters(*values[number:]),
            )
            for values in found
        ]
        return sorted(entries, key=lambda entry: (entry[0].offset, entry[0].position))

    def runs(self, partition: int) -> dict[int, int]:
        """Return the runs closed in a partition, by the run before each."""
        return {each.after_run: each.run for each in self.closed_runs(partition)}

    def closed_runs(self, partition: int) -> list[LedgerRun]:
        """Return the runs closed in a partition, in order."""
        if partition not in self._runs:
            found = self._entries.rows_of(partition, OF_RUN, OF_MARKERS)
            self._runs[partition] = sorted(LedgerRun(*values) for values in found)
        return self._runs[partition]

    def newest(self, partition: int) -> int:
        """Return the last offset of the journal that the ledger has rows of; -1 without any."""
        return self._entries.newest_of(partition)


def citizen_of_row(ledger: LedgerTable, row_id: str, run: int | None) -> str:
    """Return the citizen of a row's id; with a run, only that run's files are searched.

    Raises LiveError where there is none.
    """
    where = f"id = {sql_text(row_id)}"
    if run is not None:
        markers = set(
            ledger.rows(
                # A number of ours.
                f"SELECT DISTINCT after_run FROM ledger WHERE kind = 'run' AND run = {run}"  # noqa: S608
            )
        )
        if not markers:
            raise LiveError(
                f"run {run} is not closed in the ledger; `refusion run status` tells the last one"
            )
        where += f" AND after_run IN ({', '.join(str(after) for (after,) in markers)})"
    for (citizen,) in ledger.rows(f"SELECT citizen FROM ledger WHERE {where} LIMIT 1"):  # noqa: S608
        return str(citizen)
    raise LiveError(
        f"no row {row_id} in the ledger; ids are those of the column `Resultat-id`, each of"
        " several by itself"
        + (f", and --run {run} must be the run of their file" if run is not None else "")
    )
