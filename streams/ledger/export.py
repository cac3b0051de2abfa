"""`refusion export`: a run's files for the municipalities, from the ledger (contract section 4).

1. The run must be complete in the ledger (`cuts.py`).
2. Municipalities are exported a few at a time, so that memory is bounded by rows and not by the
   country.
3. For each municipality the access log gets its line before a CPR number is unsealed.
4. A file is written under another name and then renamed, so that nobody reads half a file. The same
   run gives the same bytes.
5. At the end, the sums of the lines must be the sums of the table itself, to the øre.
"""

import os
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from projections.ledger.entries import ROW_KINDS
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
from streams.engine.fault_points import reached
from streams.ledger.cuts import Cut, ExportError, entries_of
from streams.ledger.parquet import write_parquet
from streams.ledger.run_notices import Notices
from streams.ledger.table import LedgerTable
from streams.privacy.access_log import log_access
from streams.privacy.identity import SealError
from streams.settings import Settings

PORTION_ROWS: Final = 150_000
"""Rows in memory at a time, a kilobyte each; København alone may have more."""
MUNICIPALITY: Final = "CASE mechanism WHEN 'refusion' THEN paying ELSE financing END"
SUMS: Final = (
    "sum(amount_ore + atp_ore), sum(amount_ore), sum(refusion_ore), sum(medfinansiering_ore)"
)
CITIZENS_AT_ONCE: Final = 5_000
"""Citizens in one query."""
OWNER_ALONE: Final = 0o600
"""File mode: the files hold CPR numbers."""
REPEATED: Final = tuple(LedgerRow._fields.index(name) for name in ("citizen", "cause", "week"))
"""Columns whose texts repeat in many rows: one object for each text is enough."""


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
        return values | dict(zip(names, self.sums, strict=True))


def _texts(texts: Collection[str]) -> str:
    """A list of our own codes in SQL."""
    return f"({', '.join(map(repr, texts))})"


class Export:
    """Writes the files of one run into a folder."""

    def __init__(
        self, settings: Settings, ledger: LedgerTable, cuts: Sequence[Cut], run: int, names: Names
    ) -> None:
        self._settings = settings
        self._identity = settings.identity()
        self._ledger = ledger
        self._places = entries_of(cuts)
        self._of_run = f"kind IN {_texts(ROW_KINDS)} AND {self._places}"
        self._names = names
        self.done = Exported(run, cuts[0].closed_at)

    def write(
        self,
        folder: Path,
        only: str | None,
        notices: Notices | None,
        parquet: bool,
        shown: Callable[[int, int], None],
    ) -> Exported:
        """Write the files of one municipality or of all; `advisering` only if notices are given."""
        folder.mkdir(parents=True, exist_ok=True)
        self._address(notices)
        counted = self._counted(only)
        total = sum(counted.values())
        for portion in _portions(counted):
            parts, seals = self._read(portion), self._seals(portion)
            for code in portion:
                lines = self._lines(code, parts.pop(code), seals)
                for kind, written in lines.items():
                    self._write(
                        folder / file_name(kind, code, self.done.run, self.done.closed_at),
                        kind,
                        written,
                        parquet,
                    )
                shown(self.done.rows, total)
        self._check(counted)
        return self.done

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
        for code, rows in self._query(f"{MUNICIPALITY}, count(*)", group_by=1):
            if code in counted:
                counted[code] = rows
            elif only is None:
                raise ExportError(
                    f"the run has rows of municipality {code}, which the rule set does not know"
                )
        return counted

    def _read(self, portion: Collection[str]) -> dict[str, Municipality]:
        """Read the rows of some municipalities."""
        parts = {code: Municipality(self._names) for code in portion}
        texts: dict[str, str] = {}
        for batch in self._ledger.batches(
            self._select(", ".join(f'"{name}"' for name in LedgerRow._fields), portion)
        ):
            columns = [batch.column(number).to_pylist() for number in range(batch.num_columns)]
            for number in REPEATED:
                columns[number] = [texts.setdefault(text, text) for text in columns[number]]
            for row in map(LedgerRow._make, zip(*columns, strict=True)):
                parts[municipality_of(row)].rows.append(row)
        return parts

    def _seals(self, portion: Collection[str]) -> dict[str, str]:
        """The sealed CPR number of each citizen in the files of some municipalities.

        A citizen may have several seals, all of the same CPR number: any of them will do.
        """
        seals = dict(self._query("citizen, max(cpr_sealed)", portion, group_by=1))
        return seals | self._seals_of(
            {citizen for code in portion for citizen, _ in self._addressed[code]} - seals.keys()
        )

    def _seals_of(self, citizens: Collection[str]) -> dict[str, str]:
        """The seals of citizens without rows: from the run's other entries, else from any run."""
        seals: dict[str, str] = {}
        for place in (self._places, "TRUE"):
            left = sorted(set(citizens) - seals.keys())
            for start in range(0, len(left), CITIZENS_AT_ONCE):
                where = f"{place} AND citizen IN {_texts(left[start : start + CITIZENS_AT_ONCE])}"
                seals |= dict(
                    self._ledger.rows(
                        f"SELECT citizen, max(cpr_sealed) FROM ledger WHERE {where} GROUP BY 1"  # noqa: S608 - pseudonyms
                    )
                )
        return seals

    def _lines(
        self, code: str, part: Municipality, seals: Mapping[str, str]
    ) -> dict[str, list[FileValues]]:
        """Make the lines of a municipality's files, with CPR numbers."""
        told = self._told(code, part)
        citizens = part.citizens | {citizen for citizen, _ in told or () if citizen in seals}
        cpr_of = self._unsealed(code, citizens, seals)
        lines = {"beregning": part.specification(cpr_of), "sumposteringer": part.accounts()}
        if told is not None:
            lines["advisering"] = advice(told, cpr_of)
        done = self.done
        done.municipalities += 1
        done.rows += len(part.rows)
        done.lines += len(lines["beregning"])
        done.persons += len(citizens)
        done.notices += len(lines.get("advisering", ()))
        done.sums = Sums(*map(sum, zip(done.sums, sums_of(part.rows), strict=True)))
        return lines

    def _unsealed(
        self, code: str, citizens: Collection[str], seals: Mapping[str, str]
    ) -> Callable[[str], str]:
        """Unseal a municipality's citizens, after a line in the access log.

        The function that is returned gives "" for a citizen of whom the ledger has no seal.
        """
        if citizens:
            state_dir, run = self._settings.state_dir, self.done.run
            log_access(state_dir, "export", run=run, municipality=code, persons=len(citizens))
        try:
            unsealed = {
                citizen: self._identity.unseal(citizen, seals[citizen]) for citizen in citizens
            }
        except SealError as error:
            raise ExportError(f"a CPR cannot be unsealed: {error}") from error
        return lambda citizen: unsealed.get(citizen, "")

    def _write(self, path: Path, kind: str, lines: Sequence[FileValues], parquet: bool) -> None:
        with _in_one_go(path.with_name(f"{path.name}.csv")) as file:
            write_csv(kind, lines, file)
        self.done.files += 1
        if parquet:
            with _in_one_go(path.with_name(f"{path.name}.parquet"), "b") as file:
                write_parquet(kind, lines, file)
            self.done.files += 1

    def _check(self, counted: Collection[str]) -> None:
        """Compare the sums of the lines with the table's own."""
        (sums,) = self._query(SUMS, counted)
        assert self.done.sums == tuple(ore or 0 for ore in sums), (
            "the files do not sum to the ledger"
        )

    def _query(
        self, columns: str, portion: Collection[str] = (), group_by: int = 0
    ) -> Iterator[tuple[Any, ...]]:
        query = self._select(columns, portion)
        return self._ledger.rows(f"{query} GROUP BY {group_by}" if group_by else query)

    def _select(self, columns: str, portion: Collection[str] = ()) -> str:
        """SQL for rows of the run, of some municipalities or of all of them."""
        where = (
            f"{self._of_run} AND {MUNICIPALITY} IN {_texts(portion)}" if portion else self._of_run
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


@contextmanager
def _in_one_go(path: Path, mode: str = "t") -> Iterator[IO[Any]]:
    """Open a file that gets its name only when all of it is on disk."""
    draft = path.with_name(f".{path.name}.part")
    text = {} if mode == "b" else {"encoding": "utf-8", "newline": ""}
    try:
        with draft.open(f"w{mode}", **text) as file:  # type: ignore[call-overload]  # mode and encoding fit
            draft.chmod(OWNER_ALONE)
            yield file
            file.flush()
            os.fsync(file.fileno())
        reached("export", "before_commit")
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
