"""Writes the files of some municipalities of a run, in whatever process.

`export.py` has the whole, and gives out a few municipalities at a time, so that memory is bounded
by rows and not by the country. What their files need beside the ledger comes with them: notices,
and what is true as of the run.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import Final, NamedTuple

from projections.ledger.entries import ROW_KINDS
from projections.lis.statements import MUNICIPALITY
from projections.runs.files import (
    COLUMNS,
    MONEY,
    NOTHING,
    About,
    FileValues,
    LedgerRow,
    Municipality,
    Names,
    Sums,
    advice,
    file_name,
    municipality_of,
    write_csv,
)
from projections.runs.left_out import (
    NO_SEAL,
    LeftOut,
    are_as_written,
    is_pseudonym,
    what_is_wrong,
)
from projections.runs.overviews import CitizenOverview, WeekOverview, citizen_lines, week_lines
from streams.kit.tuning import tune_garbage_collection
from streams.ledger.draft import whole_file
from streams.ledger.parquet import write_parquet
from streams.ledger.run_notices import Notices
from streams.ledger.sql import sql_texts
from streams.ledger.table import LedgerTable
from streams.privacy.access_log import log_access
from streams.privacy.identity import SealError
from streams.settings import Settings

SEAL: Final = "citizen, cpr_sealed"
CITIZENS_AT_ONCE: Final = 5_000
"""Citizens in one query."""
ROW_AND_SEAL: Final = ", ".join(f'"{name}"' for name in (*LedgerRow._fields, "cpr_sealed"))
CITIZEN: Final = LedgerRow._fields.index("citizen")
REPEATED: Final = tuple(LedgerRow._fields.index(name) for name in ("citizen", "cause", "week"))
"""Columns whose texts repeat in many rows: one object for each text is enough."""

Seals = dict[str, list[str]]
"""The seals of each citizen."""


class RunToExport(NamedTuple):
    """Says which run is exported, and how.

    `entries` is SQL that is true for its entries, `ledger` the place of the table. `unnamed` are
    its notices that name no municipality: they go to those with rows of the citizen. None where no
    `advisering` is wanted.
    """

    settings: Settings
    ledger: str
    run: int
    closed_at: str
    entries: str
    names: Names
    unnamed: Notices | None
    parquet: bool
    folder: Path

    def select(self, columns: str, municipalities: Collection[str] = ()) -> str:
        """SQL for rows of the run, of some municipalities or of all of them."""
        where = f"kind IN {sql_texts(ROW_KINDS)} AND {self.entries}"
        if municipalities:
            where += f" AND {MUNICIPALITY} IN {sql_texts(municipalities)}"
        return f"SELECT {columns} FROM ledger WHERE {where}"  # noqa: S608 - columns and codes of ours


class Overview(NamedTuple):
    """Holds what is true of a municipality as of the run, for `ugeoversigt` and `anciennitet`."""

    weeks: Sequence[WeekOverview]
    citizens: Sequence[CitizenOverview]


class Portion(NamedTuple):
    """Holds municipalities that are exported together, by their codes.

    `addressed` are the notices that name each; a municipality has an overview if files are wanted
    that say what is true as of the run.
    """

    codes: Sequence[str]
    addressed: Mapping[str, Sequence[About]]
    overviews: Mapping[str, Overview]


@dataclass
class PortionSummary:
    """The summary of what was written; `refused` is a reason why a seal does not open."""

    municipalities: int = 0
    files: int = 0
    rows: int = 0
    lines: int = 0
    persons: int = 0
    notices: int = 0
    sums: Sums = NOTHING
    left_out: list[LeftOut] = field(default_factory=list)
    refused: str | None = None

    def add(self, other: "PortionSummary") -> None:
        """Add what else was written."""
        for name in ("municipalities", "files", "rows", "lines", "persons", "notices", "left_out"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.sums = added(self.sums, other.sums)
        self.refused = min(filter(None, (self.refused, other.refused)), default=None)


def added(sums: Sums, more: Sums) -> Sums:
    """Add sums up, column by column."""
    return Sums(*map(sum, zip(sums, more, strict=True)))


def _sums_of(kind: str, lines: Sequence[FileValues]) -> Sums:
    """Add up lines of `beregning` or `sumposteringer`: both have the four columns of money."""
    money = (number for number, column in enumerate(COLUMNS[kind]) if column in MONEY)
    return Sums(*(sum(map(itemgetter(number), lines)) for number in money))


class PortionFiles:
    """The files of a portion, written into a folder. The same portion gives the same bytes."""

    def __init__(self, run: RunToExport, ledger: LedgerTable, portion: Portion) -> None:
        self._run = run
        self._ledger = ledger
        self._portion = portion
        self._identity = run.settings.identity()
        self._refused: dict[str, str] = {}
        """Reasons why the seals of citizens do not open."""
        self._done = PortionSummary()

    def write(self) -> PortionSummary:
        """Write the files. Raises OSError, and LedgerError."""
        parts, known = self._read(self._portion.codes)
        seals = self._seals(known)
        for code in self._portion.codes:
            lines = self._lines(code, parts.pop(code), seals)
            for kind, written in lines.items():
                self._write(kind, code, written)
        self._done.refused = min(self._refused.values(), default=None)
        return self._done

    def _told(self, code: str, part: Municipality) -> list[About] | None:
        """The notices that name a municipality, and those that name none about its citizens."""
        unnamed = self._run.unnamed
        if unnamed is None:
            return None
        about_its_own = [
            (citizen, notice) for citizen in part.citizens for notice in unnamed.get(citizen, ())
        ]
        return [*self._portion.addressed.get(code, ()), *about_its_own]

    def _read(self, codes: Collection[str]) -> tuple[dict[str, Municipality], Seals]:
        """Read the rows of some municipalities, without those that no file can have.

        Returns the seals of their citizens too, also of those whose rows are left out.
        """
        names = self._run.names
        parts = {code: Municipality(names) for code in codes}
        strange: dict[tuple[str, str, str], list[LedgerRow]] = defaultdict(list)
        seals: set[tuple[str, str]] = set()
        texts: dict[str, str] = {}
        for batch in self._ledger.batches(self._run.select(ROW_AND_SEAL, codes)):
            columns = [batch.column(number).to_pylist() for number in range(batch.num_columns)]
            for number in REPEATED:
                columns[number] = [texts.setdefault(text, text) for text in columns[number]]
            *columns, sealed = columns
            seals.update(zip(columns[CITIZEN], sealed, strict=True))
            as_written = are_as_written(columns, names)
            for row in map(LedgerRow._make, zip(*columns, strict=True)):
                if not as_written and (why := what_is_wrong(row, names)):
                    strange[municipality_of(row), str(row.citizen), why].append(row)
                else:
                    parts[municipality_of(row)].rows.append(row)
        self._done.left_out += [LeftOut.of(*whose, rows) for whose, rows in sorted(strange.items())]
        return parts, _by_citizen(seals)

    def _seals(self, known: Seals) -> Seals:
        """Add the seals of citizens that only notices name to those of the rows."""
        named = {citizen for told in self._portion.addressed.values() for citizen, _ in told}
        return known | self._seals_of(named - known.keys())

    def _seals_of(self, citizens: Collection[str]) -> Seals:
        """The seals of citizens without rows: from the run's other entries, else from any run."""
        seals: Seals = {}
        for place in (self._run.entries, "TRUE"):
            left = sorted(set(citizens) - seals.keys())
            for start in range(0, len(left), CITIZENS_AT_ONCE):
                some = sql_texts(left[start : start + CITIZENS_AT_ONCE])
                seals |= _by_citizen(
                    self._ledger.rows(
                        f"SELECT DISTINCT {SEAL} FROM ledger WHERE {place} AND citizen IN {some}"  # noqa: S608 - pseudonyms as literals
                    )
                )
        return seals

    def _lines(self, code: str, part: Municipality, seals: Seals) -> dict[str, list[FileValues]]:
        """Make the lines of a municipality's files, with CPR numbers."""
        told, overview = self._told(code, part), self._portion.overviews.get(code)
        counted = overview.citizens if overview else ()
        own = seals | {
            each.citizen: [each.cpr_sealed] for each in counted if each.citizen not in seals
        }
        citizens = part.citizens | {citizen for citizen, _ in told or () if citizen in seals}
        listed = {each.citizen for each in counted}
        cprs = self._unsealed(code, citizens | listed, own)
        lacking = listed - cprs.keys()
        if cprs and lacking:  # of those without rows in the run, only the last seal was tried
            cprs |= self._unsealed(code, lacking, self._seals_of(lacking))
        self._leave_out(code, part, citizens - cprs.keys())

        def cpr_of(citizen: str) -> str:
            return cprs.get(citizen, "")

        lines = {"beregning": part.specification(cpr_of), "sumposteringer": part.accounts()}
        if told is not None:
            lines["advisering"] = advice(told, cpr_of)
        if overview is not None:
            lines["ugeoversigt"] = week_lines(overview.weeks, self._run.names)
            lines["anciennitet"] = citizen_lines(counted, cpr_of)
        self._add_up(part, lines, len(cprs))
        return lines

    def _add_up(self, part: Municipality, lines: dict[str, list[FileValues]], persons: int) -> None:
        """Add a municipality's part to the summary, with the sums of its lines."""
        done, sums = self._done, _sums_of("beregning", lines["beregning"])
        accounts = _sums_of("sumposteringer", lines["sumposteringer"])
        assert accounts == sums, "two files of a municipality do not sum to the same"
        done.municipalities += 1
        done.rows += len(part.rows)
        done.lines += len(lines["beregning"])
        done.persons += persons
        done.notices += len(lines.get("advisering", ()))
        done.sums = added(done.sums, sums)

    def _unsealed(self, code: str, citizens: Collection[str], seals: Seals) -> dict[str, str]:
        """Unseal a municipality's citizens, after a line in the access log.

        A citizen may have several seals, all of the same CPR number: the first that opens will do.
        Citizens without one are not in the result.
        """
        if citizens:
            state_dir, run = self._run.settings.state_dir, self._run.run
            log_access(state_dir, "export", run=run, municipality=code, persons=len(citizens))
        cprs: dict[str, str] = {}
        for citizen in citizens:
            for seal in seals.get(citizen, ()):
                try:
                    cprs[citizen] = self._identity.unseal(citizen, seal)
                    break
                except SealError as error:
                    self._refused[citizen] = str(error)
        return cprs

    def _leave_out(self, code: str, part: Municipality, citizens: Collection[str]) -> None:
        """Take the rows of citizens without a CPR number out of a municipality's part."""
        if not citizens:
            return
        rows: dict[str, list[LedgerRow]] = {citizen: [] for citizen in sorted(citizens)}
        for row in part.rows:
            if row.citizen in rows:
                rows[row.citizen].append(row)
        part.rows[:] = [row for row in part.rows if row.citizen not in rows]
        self._done.left_out += [
            LeftOut.of(code, citizen, self._refused.get(citizen, NO_SEAL), own)
            for citizen, own in rows.items()
        ]

    def _write(self, kind: str, code: str, lines: Sequence[FileValues]) -> None:
        run = self._run
        path = run.folder / file_name(kind, code, run.run, run.closed_at)
        with whole_file(path.with_name(f"{path.name}.csv")) as file:
            write_csv(kind, lines, file)
        self._done.files += 1
        if run.parquet:
            with whole_file(path.with_name(f"{path.name}.parquet"), "b") as file:
                write_parquet(kind, lines, file)
            self._done.files += 1


def _by_citizen(rows: Iterable[tuple[str, str]]) -> Seals:
    """Put the seals of each citizen together; who is no pseudonym is passed over."""
    seals: Seals = defaultdict(list)
    for citizen, seal in sorted(row for row in rows if is_pseudonym(row[0]) and row[1]):
        seals[citizen].append(seal)
    return dict(seals)


# --- in processes of its own ----------------------------------------------------------------------


class _RunHere:
    """The run that this process writes portions of.

    It opens the ledger once, with the first of them: whoever waits for that is told an error.
    """

    def __init__(self) -> None:
        self._run: RunToExport | None = None
        self._ledger: LedgerTable | None = None

    def begin(self, run: RunToExport) -> None:
        self._run = run

    def write(self, portion: Portion) -> PortionSummary:
        assert self._run is not None, "a process begins with it"
        self._ledger = self._ledger or LedgerTable.open(self._run.ledger)
        return PortionFiles(self._run, self._ledger, portion).write()


_here = _RunHere()


def begin_writing(run: RunToExport) -> None:
    """Tell a new process which run it writes portions of."""
    tune_garbage_collection()
    _here.begin(run)


def write_here(portion: Portion) -> PortionSummary:
    """Write a portion in such a process. Raises LedgerError, and OSError."""
    return _here.write(portion)
