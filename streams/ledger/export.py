"""`refusion export`: a run's files for the municipalities, from the ledger (contract section 4).

1. The run must be complete in the ledger (`cuts.py`).
2. Municipalities are exported a few at a time, so that memory is bounded by rows and not by the
   country.
3. For each municipality the access log gets its line before a CPR number is unsealed.
4. Files are written into a draft folder and get their place when all of the run is whole
   (`draft.py`). The same run gives the same bytes.
5. `ugeoversigt` and `anciennitet` say what is true as of the run; whoever calls has read it
   (`streams/lis/overviews.py`, which stands above this room).
6. Rows that no file can have, since their seal does not open or nobody of ours wrote them, stop
   nothing: they are left out and listed (`projections/runs/left_out.py`).
7. At the end, the sums of the lines and of what was left out must be the sums of the table itself,
   to the øre.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import orjson

from projections.ledger.entries import ROW_KINDS
from projections.lis.statements import MUNICIPALITY
from projections.runs.files import (
    NOTHING,
    About,
    FileValues,
    LedgerRow,
    Municipality,
    Names,
    Sums,
    advice,
    concerned,
    file_name,
    municipality_of,
    sums_of,
    write_csv,
)
from projections.runs.left_out import (
    NO_SEAL,
    UNKNOWN_PLACE,
    LeftOut,
    are_as_written,
    is_pseudonym,
    what_is_wrong,
)
from projections.runs.overviews import CitizenOverview, WeekOverview, citizen_lines, week_lines
from streams.ledger.cuts import Cut, ExportError, entries_of
from streams.ledger.draft import draft_in, whole_file
from streams.ledger.parquet import write_parquet
from streams.ledger.run_notices import Notices
from streams.ledger.sql import sql_texts
from streams.ledger.table import LedgerTable
from streams.privacy.access_log import log_access
from streams.privacy.identity import SealError
from streams.settings import Settings

PORTION_ROWS: Final = 150_000
"""Rows in memory at a time, a kilobyte each; København alone may have more."""
SUMS: Final = (
    "sum(amount_ore + atp_ore), sum(amount_ore), sum(refusion_ore), sum(medfinansiering_ore)"
)
SEAL: Final = "citizen, cpr_sealed"
CITIZENS_AT_ONCE: Final = 5_000
"""Citizens in one query."""
LEFT_OUT: Final = "left-out-{scope}.jsonl"
"""Name of the list of rows that are in no file, beside the files."""
ROW_AND_SEAL: Final = ", ".join(f'"{name}"' for name in (*LedgerRow._fields, "cpr_sealed"))
CITIZEN: Final = LedgerRow._fields.index("citizen")
REPEATED: Final = tuple(LedgerRow._fields.index(name) for name in ("citizen", "cause", "week"))
"""Columns whose texts repeat in many rows: one object for each text is enough."""

Seals = dict[str, list[str]]
"""The seals of each citizen."""


class Overviews(Protocol):
    """Tells what is true as of the run, by municipality."""

    def weeks(self, municipality: str, /) -> Iterable[WeekOverview]:
        """Give persons and money by week."""

    def citizens(self, municipality: str, /) -> Iterable[CitizenOverview]:
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


@dataclass
class Exported:
    """The summary of an export.

    `rows` are posting rows. `persons` had a CPR number unsealed; one in the files of two
    municipalities counts twice.
    """

    run: int
    closed_at: str
    municipalities: int = 0
    files: int = 0
    rows: int = 0
    lines: int = 0
    persons: int = 0
    notices: int = 0
    sums: Sums = NOTHING
    left_out: list[LeftOut] = field(default_factory=list)

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
        values = {name: value for name, value in vars(self).items() if name != "sums"}
        values["left_out"] = [each._asdict() for each in self.left_out]
        return values | dict(zip(names, self.sums, strict=True))


def scope_of(run: int, only: str | None) -> str:
    """Name what an export writes: a run, or one municipality of it."""
    return f"run-{run:04d}-{only}" if only else f"run-{run:04d}"


class Export:
    """Writes the files of one run into a folder."""

    def __init__(
        self, settings: Settings, ledger: LedgerTable, cuts: Sequence[Cut], run: int, names: Names
    ) -> None:
        self._settings = settings
        self._identity = settings.identity()
        self._ledger = ledger
        self._places = entries_of(cuts)
        self._of_run = f"kind IN {sql_texts(ROW_KINDS)} AND {self._places}"
        self._names = names
        self._refused: dict[str, str] = {}
        """Reasons why the seals of citizens do not open."""
        self.done = Exported(run, cuts[0].closed_at)

    def write(
        self, folder: Path, choice: FileChoice, shown: Callable[[int, int], None]
    ) -> Exported:
        """Write the files into their places when all of them are whole.

        Raises ExportError where no CPR number at all can be unsealed: the key is another one then.
        """
        scope = scope_of(self.done.run, choice.only)
        with draft_in(folder, scope) as draft:
            (folder / LEFT_OUT.format(scope=scope)).unlink(missing_ok=True)
            self._write_all(draft, choice, shown)
            if self.done.left_out:
                self._list_left_out(draft / LEFT_OUT.format(scope=scope))
        return self.done

    def _write_all(
        self, folder: Path, choice: FileChoice, shown: Callable[[int, int], None]
    ) -> None:
        self._address(choice.notices)
        counted = self._counted(choice.only)
        total = sum(counted.values())
        for portion in _portions(counted):
            parts, known = self._read(portion)
            seals = self._seals(portion, known)
            for code in portion:
                lines = self._lines(code, parts.pop(code), seals, choice.overviews)
                for kind, written in lines.items():
                    self._write(
                        folder / file_name(kind, code, self.done.run, self.done.closed_at),
                        kind,
                        written,
                        choice.parquet,
                    )
                shown(self.done.rows, total)
        if self._refused and not self.done.persons:
            raise ExportError(f"no CPR can be unsealed: {min(self._refused.values())}")
        self._check(counted)

    def _list_left_out(self, path: Path) -> None:
        with whole_file(path, "b") as file:
            for each in self.done.left_out:
                file.write(orjson.dumps(each._asdict(), option=orjson.OPT_APPEND_NEWLINE))

    def _address(self, notices: Notices | None) -> None:
        """Sort the notices by municipality; None where there shall be no `advisering`."""
        self._notices = notices
        self._addressed: dict[str, list[About]] = defaultdict(list)
        for citizen, own_notices in (notices or {}).items():
            for notice in own_notices:
                for code in concerned(notice):
                    self._addressed[code].append((citizen, notice))

    def _told(self, code: str, part: Municipality) -> list[About] | None:
        """The notices that name a municipality, and those that name none about its citizens."""
        if self._notices is None:
            return None
        unnamed = [
            (citizen, notice)
            for citizen in part.citizens
            for notice in self._notices.get(citizen, ())
            if not concerned(notice)
        ]
        return self._addressed[code] + unnamed

    def _counted(self, only: str | None) -> dict[str, int]:
        """The number of rows of each municipality in the run; those without rows get files too."""
        counted = dict.fromkeys([only] if only else sorted(self._names.municipalities), 0)
        for code, rows, *sums in self._query(f"{MUNICIPALITY}, count(*), {SUMS}", group_by=1):
            if code in counted:
                counted[code] = rows
            elif only is None:
                known = Sums(*(ore or 0 for ore in sums))
                self.done.left_out.append(LeftOut(code or "", "", UNKNOWN_PLACE, rows, *known))
        return counted

    def _read(self, portion: Collection[str]) -> tuple[dict[str, Municipality], Seals]:
        """Read the rows of some municipalities, without those that no file can have.

        Returns the seals of their citizens too, also of those whose rows are left out.
        """
        parts = {code: Municipality(self._names) for code in portion}
        strange: dict[tuple[str, str, str], list[LedgerRow]] = defaultdict(list)
        seals: set[tuple[str, str]] = set()
        texts: dict[str, str] = {}
        for batch in self._ledger.batches(self._select(ROW_AND_SEAL, portion)):
            columns = [batch.column(number).to_pylist() for number in range(batch.num_columns)]
            for number in REPEATED:
                columns[number] = [texts.setdefault(text, text) for text in columns[number]]
            *columns, sealed = columns
            seals.update(zip(columns[CITIZEN], sealed, strict=True))
            as_written = are_as_written(columns, self._names)
            for row in map(LedgerRow._make, zip(*columns, strict=True)):
                if not as_written and (why := what_is_wrong(row, self._names)):
                    strange[municipality_of(row), str(row.citizen), why].append(row)
                else:
                    parts[municipality_of(row)].rows.append(row)
        self.done.left_out += [LeftOut.of(*whose, rows) for whose, rows in sorted(strange.items())]
        return parts, _by_citizen(seals)

    def _seals(self, portion: Collection[str], known: Seals) -> Seals:
        """Add the seals of citizens that only notices name to those of the rows."""
        named = {citizen for code in portion for citizen, _ in self._addressed[code]}
        return known | self._seals_of(named - known.keys())

    def _seals_of(self, citizens: Collection[str]) -> Seals:
        """The seals of citizens without rows: from the run's other entries, else from any run."""
        seals: Seals = {}
        for place in (self._places, "TRUE"):
            left = sorted(set(citizens) - seals.keys())
            for start in range(0, len(left), CITIZENS_AT_ONCE):
                some = sql_texts(left[start : start + CITIZENS_AT_ONCE])
                seals |= _by_citizen(
                    self._ledger.rows(
                        f"SELECT DISTINCT {SEAL} FROM ledger WHERE {place} AND citizen IN {some}"  # noqa: S608 - pseudonyms as literals
                    )
                )
        return seals

    def _lines(
        self, code: str, part: Municipality, seals: Seals, overviews: Overviews | None
    ) -> dict[str, list[FileValues]]:
        """Make the lines of a municipality's files, with CPR numbers."""
        told = self._told(code, part)
        counted = [*overviews.citizens(code)] if overviews else []
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
        if overviews is not None:
            lines["ugeoversigt"] = week_lines(overviews.weeks(code), self._names)
            lines["anciennitet"] = citizen_lines(counted, cpr_of)
        self._add_up(part, lines, len(cprs))
        return lines

    def _add_up(self, part: Municipality, lines: dict[str, list[FileValues]], persons: int) -> None:
        """Add a municipality's part to the summary."""
        done = self.done
        done.municipalities += 1
        done.rows += len(part.rows)
        done.lines += len(lines["beregning"])
        done.persons += persons
        done.notices += len(lines.get("advisering", ()))
        done.sums = Sums(*map(sum, zip(done.sums, sums_of(part.rows), strict=True)))

    def _unsealed(self, code: str, citizens: Collection[str], seals: Seals) -> dict[str, str]:
        """Unseal a municipality's citizens, after a line in the access log.

        A citizen may have several seals, all of the same CPR number: the first that opens will do.
        Citizens without one are not in the result.
        """
        if citizens:
            state_dir, run = self._settings.state_dir, self.done.run
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
        self.done.left_out += [
            LeftOut.of(code, citizen, self._refused.get(citizen, NO_SEAL), own)
            for citizen, own in rows.items()
        ]

    def _write(self, path: Path, kind: str, lines: Sequence[FileValues], parquet: bool) -> None:
        with whole_file(path.with_name(f"{path.name}.csv")) as file:
            write_csv(kind, lines, file)
        self.done.files += 1
        if parquet:
            with whole_file(path.with_name(f"{path.name}.parquet"), "b") as file:
                write_parquet(kind, lines, file)
            self.done.files += 1

    def _check(self, counted: Collection[str]) -> None:
        """Compare the sums of the lines, and of what was left out, with the table's own."""
        (sums,) = self._query(SUMS, counted)
        missing = [each[-4:] for each in self.done.left_out if each.municipality in counted]
        ours = tuple(map(sum, zip(self.done.sums, *missing, strict=True)))
        assert ours == tuple(ore or 0 for ore in sums), "the files do not sum to the ledger"

    def _query(
        self, columns: str, portion: Collection[str] = (), group_by: int = 0
    ) -> Iterator[tuple[Any, ...]]:
        query = self._select(columns, portion)
        return self._ledger.rows(f"{query} GROUP BY {group_by}" if group_by else query)

    def _select(self, columns: str, portion: Collection[str] = ()) -> str:
        """SQL for rows of the run, of some municipalities or of all of them."""
        where = (
            f"{self._of_run} AND {MUNICIPALITY} IN {sql_texts(portion)}"
            if portion
            else self._of_run
        )
        return f"SELECT {columns} FROM ledger WHERE {where}"  # noqa: S608 - columns and codes of ours


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


def _by_citizen(rows: Iterable[tuple[str, str]]) -> Seals:
    """Put the seals of each citizen together; who is no pseudonym is passed over."""
    seals: Seals = defaultdict(list)
    for citizen, seal in sorted(row for row in rows if is_pseudonym(row[0]) and row[1]):
        seals[citizen].append(seal)
    return dict(seals)
