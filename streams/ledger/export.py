"""`refusion export`: a run's files for the municipalities, from the ledger (contract section 4).

1. The run must be complete in the ledger (`cuts.py`).
2. Municipalities are exported a few at a time (`portion.py`), by several processes where the run is
   large.
3. For each municipality the access log gets its line before a CPR number is unsealed.
4. Files are written into a draft folder and get their place when all of the run is whole
   (`draft.py`). The same run gives the same bytes, whatever the number of processes.
5. `ugeoversigt` and `anciennitet` say what is true as of the run; whoever calls has read it
   (`streams/lis/overviews.py`, which stands above this room).
6. Rows that no file can have, since their seal does not open or nobody of ours wrote them, stop
   nothing: they are left out and listed (`projections/runs/left_out.py`).
7. At the end, the sums of the lines and of what was left out must be the sums of the table itself,
   to the øre.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from projections.lis.statements import MUNICIPALITY
from projections.runs.files import About, Names, Sums, concerned
from projections.runs.left_out import UNKNOWN_PLACE, LeftOut
from projections.runs.overviews import CitizenOverview, WeekOverview
from streams.kit.cores import cores
from streams.kit.processes import MOST_JOBS, processes
from streams.ledger.cuts import Cut, ExportError, entries_of
from streams.ledger.draft import draft_in
from streams.ledger.left_out_lists import ExportScope, outdate_lists, write_list
from streams.ledger.portion import (
    Overview,
    Portion,
    PortionFiles,
    PortionSummary,
    RunToExport,
    begin_writing,
    write_here,
)
from streams.ledger.run_notices import Notices
from streams.ledger.table import LedgerTable
from streams.settings import Settings

if TYPE_CHECKING:
    from concurrent.futures import Future

PORTION_ROWS: Final = 400_000
"""Rows in memory at a time, a kilobyte each; København alone may have more."""
SUMS: Final = (
    "sum(amount_ore + atp_ore), sum(amount_ore), sum(refusion_ore), sum(medfinansiering_ore)"
)
AHEAD: Final = 8
"""Portions that processes are given before the first of them is waited for.

København, which comes first, is as large as some of the next together.
"""


class Overviews(Protocol):
    """Tells what is true as of the run, by municipality."""

    def weeks(self, municipality: str, /) -> Sequence[WeekOverview]:
        """Give persons and money by week."""

    def citizens(self, municipality: str, /) -> Sequence[CitizenOverview]:
        """Give the counters of citizens."""


class FileChoice(NamedTuple):
    """The files that are wanted of a run.

    `only` is one municipality, None all of them. `advisering` is written only if notices are given,
    `ugeoversigt` and `anciennitet` only if overviews are.
    """

    only: str | None = None
    notices: Notices | None = None
    parquet: bool = False
    overviews: Overviews | None = None


@dataclass(kw_only=True)
class Exported(PortionSummary):
    """The summary of an export.

    `rows` are posting rows. `persons` had a CPR number unsealed; one in the files of two
    municipalities counts twice.
    """

    run: int
    closed_at: str

    def sentence(self) -> str:
        """The summary as a sentence."""
        moved = (self.sums.refusion + self.sums.medfinansiering) / 100
        return (
            f"run {self.run}: {self.files} files for {self.municipalities} municipalities from"
            f" {self.rows:,} rows, {self.persons:,} persons, {moved:,.2f} kr. of refusion and"
            " medfinansiering"
        )

    def as_json(self) -> dict[str, Any]:
        """The summary as JSON."""
        names = ("reported_ore", "amount_ore", "refusion_ore", "medfinansiering_ore")
        apart = ("sums", "refused")
        values = {name: value for name, value in vars(self).items() if name not in apart}
        values["left_out"] = [each._asdict() for each in self.left_out]
        return values | dict(zip(names, self.sums, strict=True))


class Export:
    """Writes the files of one run into a folder."""

    def __init__(
        self, settings: Settings, ledger: LedgerTable, cuts: Sequence[Cut], run: int, names: Names
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._entries = entries_of(cuts)
        self._names = names
        self.done = Exported(run=run, closed_at=cuts[0].closed_at)

    def write(
        self,
        folder: Path,
        choice: FileChoice,
        shown: Callable[[int, int], None],
        jobs: int | None = 1,
    ) -> Exported:
        """Write the files into their places when all of them are whole.

        With up to `jobs` processes; None is as many as there is work for.

        Raises ExportError where no CPR number at all can be unsealed: the key is another one then.
        """
        scope = ExportScope(self.done.run, choice.only)

        def outdate(draft: Path) -> None:
            outdate_lists(folder, draft, scope, is_listed=bool(self.done.left_out))

        with draft_in(folder, scope.name, outdate) as draft:
            self._write_all(draft, choice, shown, jobs or min(cores(), MOST_JOBS))
            write_list(draft, scope, self.done.left_out)
        return self.done

    def _write_all(
        self, folder: Path, choice: FileChoice, shown: Callable[[int, int], None], jobs: int
    ) -> None:
        run = self._run(folder, choice)
        counted = self._counted(run, choice.only)
        total = sum(counted.values())
        # Closed, whatever happens: processes end before the draft that they write into is removed.
        with closing(self._written(run, choice, [*_portions(counted)], jobs)) as written:
            for summary in written:
                self.done.add(summary)
                shown(self.done.rows, total)
        if self.done.refused and not self.done.persons:
            raise ExportError(f"no CPR can be unsealed: {self.done.refused}")
        self._check(run, counted)

    def _run(self, folder: Path, choice: FileChoice) -> RunToExport:
        """Say what is the same for all portions."""
        unnamed = choice.notices and {
            citizen: own
            for citizen, notices in choice.notices.items()
            if (own := [notice for notice in notices if not concerned(notice)])
        }
        return RunToExport(
            self._settings,
            self._ledger.uri,
            self.done.run,
            self.done.closed_at,
            self._entries,
            self._names,
            unnamed,
            choice.parquet,
            folder,
        )

    def _written(
        self, run: RunToExport, choice: FileChoice, portions: Sequence[list[str]], jobs: int
    ) -> Generator[PortionSummary, None, None]:
        """Write all portions, each when there is room for it; their summaries come in order."""
        addressed = _by_municipality(choice.notices or {})
        given = (
            Portion(codes, {code: addressed[code] for code in codes}, _overviews(choice, codes))
            for codes in portions
        )
        if (number := min(jobs, len(portions))) == 1:
            for portion in given:
                yield PortionFiles(run, self._ledger, portion).write()
            return
        waiting: deque[Future[PortionSummary]] = deque()
        with processes(number, begin_writing, (run,)) as pool:
            for portion in given:
                waiting.append(pool.submit(write_here, portion))
                if len(waiting) == AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def _counted(self, run: RunToExport, only: str | None) -> dict[str, int]:
        """The number of rows of each municipality in the run; those without rows get files too."""
        counted = dict.fromkeys([only] if only else sorted(self._names.municipalities), 0)
        query = f"{run.select(f'{MUNICIPALITY}, count(*), {SUMS}')} GROUP BY 1"
        for code, rows, *sums in self._ledger.rows(query):
            if code in counted:
                counted[code] = rows
            elif only is None:
                known = Sums(*(ore or 0 for ore in sums))
                self.done.left_out.append(LeftOut(code or "", "", UNKNOWN_PLACE, rows, *known))
        return counted

    def _check(self, run: RunToExport, counted: Collection[str]) -> None:
        """Compare the sums of the lines, and of what was left out, with the table's own."""
        (sums,) = self._ledger.rows(run.select(SUMS, counted))
        missing = [each[-4:] for each in self.done.left_out if each.municipality in counted]
        ours = tuple(map(sum, zip(self.done.sums, *missing, strict=True)))
        assert ours == tuple(ore or 0 for ore in sums), "the files do not sum to the ledger"


def _by_municipality(notices: Notices) -> Mapping[str, list[About]]:
    """Sort notices by the municipalities that they name."""
    addressed: dict[str, list[About]] = defaultdict(list)
    for citizen, own in notices.items():
        for notice in own:
            for code in concerned(notice):
                addressed[code].append((citizen, notice))
    return addressed


def _overviews(choice: FileChoice, codes: Collection[str]) -> dict[str, Overview]:
    """Ask what is true of some municipalities as of the run, if files shall say so."""
    told = choice.overviews
    return {code: Overview(told.weeks(code), told.citizens(code)) for code in codes} if told else {}


def _portions(counted: Mapping[str, int]) -> Iterator[list[str]]:
    """Group municipalities in their order, as many as have `PORTION_ROWS` rows together."""
    portion: list[str] = []
    rows = 0
    for code, number in counted.items():
        if portion and rows + number > PORTION_ROWS:
            yield portion
            portion, rows = [], 0
        portion.append(code)
        rows += number
    yield portion
