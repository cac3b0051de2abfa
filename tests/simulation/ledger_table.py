"""A simulated Delta table: commits that hold entries and positions together, or that are not there.

It stands in for `streams.ledger.table.LedgerTable`. A commit is refused where the partition is not
where the writer began, or where somebody else moved it since the writer looked. Writing may fail
before the commit, or after it: then nobody knows.
"""

from projections.ledger.entries import BEFORE_ANY_RUN, COLUMNS, LedgerProgress
from streams.ledger.table import LedgerError

_AT = {name: at for at, name in enumerate(COLUMNS)}


class Delta:
    """The table in its place, with all commits: the positions of each, and its entries."""

    def __init__(self) -> None:
        self.identity = ""
        self.commits: list[tuple[dict[int, int], list[tuple]]] = []

    def entries(self) -> list[tuple]:
        """All entries, in the order of the commits."""
        return [entry for _, entries in self.commits for entry in entries]

    def positions(self, version=None) -> dict[int, int]:
        """The partitions' positions in a version."""
        found: dict[int, int] = {}
        for positions, _ in self.commits[:version]:
            found |= positions
        return found

    def delete(self) -> None:
        """Somebody deletes the ledger, so that it is made again."""
        self.identity = ""
        self.commits = []


class SimulatedTable:
    """The table as one process has opened it."""

    def __init__(self, world, delta: Delta) -> None:
        self._world = world
        self._delta = delta
        self._commits = delta.commits
        self._version = len(delta.commits)

    @classmethod
    def make(cls, world, identity) -> "SimulatedTable":
        """Open the ledger, or make it."""
        delta = world.delta
        delta.identity = delta.identity or identity
        table = cls(world, delta)
        table.check(identity)
        return table

    def check(self, identity) -> None:
        """Raise LedgerError where the ledger was made from another topic, or was deleted."""
        if self._delta.identity != identity or self._delta.commits is not self._commits:
            raise LedgerError("the ledger was made from another topic")

    def position(self, partition) -> int:
        """The next offset of a partition in the version at hand."""
        return self._delta.positions(self._version).get(partition, 0)

    def progress(self, partition) -> LedgerProgress:
        """Tell how far a partition is, in the newest version."""
        self._world.ledger_may_fail("read")
        self._version = len(self._delta.commits)
        progress = LedgerProgress(partition, self.position(partition), BEFORE_ANY_RUN, {})
        for entry in self._delta.entries():
            if entry[_AT["partition"]] != partition:
                continue
            if entry[_AT["kind"]] == "run":
                progress.last_run = max(progress.last_run, entry[_AT["run"]])
            elif citizen := entry[_AT["citizen"]]:
                known = progress.revisions.get(citizen, 0)
                progress.revisions[citizen] = max(known, entry[_AT["revision"]])
        return progress

    def append(self, appends) -> None:
        """Commit entries and positions, all or none."""
        if self._delta.commits is not self._commits:
            raise LedgerError("the ledger is gone")
        newer = self._delta.commits[self._version :]
        moved = {partition for positions, _ in newer for partition in positions}
        for page in appends:
            if self.position(page.partition) != page.start or page.partition in moved:
                raise LedgerError("a partition of the ledger was written by another process")
        self._world.ledger_may_fail("before its commit")
        entries = [entry for page in appends for entry in _tuples(page.entries)]
        self._delta.commits.append(({page.partition: page.end for page in appends}, entries))
        self._version = len(self._delta.commits)
        self._world.ledger_may_fail("after its commit")

    def keep_house(self, _partitions) -> None:
        """Do nothing: there are no files."""


def _tuples(batch) -> list[tuple]:
    columns = [batch.column(at).to_pylist() for at in range(batch.num_columns)]
    return list(zip(*columns, strict=True)) if batch.num_rows else []
