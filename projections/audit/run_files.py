"""Holds the lines of run files against the postings between two markers, to the øre (invariant 9).

It shares nothing with what wrote the files but their columns. The key of a line of `beregning` is
municipality, week, person, benefit, financing municipality and rates; that of a line of
`sumposteringer` is municipality, account, benefit, month and rates. Benefits and municipalities go
by their names, as in the files.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from projections.audit.violations import BadRecordError
from projections.runs.files import COLUMNS, Names

LineKey = tuple[str | int, ...]
MoneyOre = list[int]
"""Sums in øre: as reported with the ATP, as calculated with it, refusion, medfinansiering."""

SPECIFICATION: Final = "beregning"
ACCOUNTS: Final = "sumposteringer"
NOTHING: Final = [0, 0, 0, 0]
OPENING: Final = "opening"
_FILE: Final = re.compile(
    r"yr-ydelsesrefusion-(beregning|sumposteringer)-(\d{3})-(\d{4,})-\d{4}-\d\d-\d\d\.csv"
)
_KRONER: Final = re.compile(r"(-?)([0-9]{1,15}),([0-9]{2})")
_RATE: Final = re.compile(r"[0-9]{1,3}")
_MONEY_NAMES: Final = (
    "Indberetning udbetalingsbeløb", "Beregnet udbetalingsbeløb", "Refusionsbeløb",
    "Medfinansieringsbeløb",
)  # fmt: skip
_RATE_NAMES: Final = ("Refusionssats", "Medfinansieringssats")


class RunFile(NamedTuple):
    """The kind, municipality and run in the name of a file."""

    kind: str
    municipality: str
    run: int


class FileLine(NamedTuple):
    """A line of a file: its number, its key and its money."""

    number: int
    key: LineKey
    money: MoneyOre


def run_file(name: str) -> RunFile | None:
    """Read the name of a file; None for the name of another file."""
    match = _FILE.fullmatch(name)
    return RunFile(match[1], match[2], int(match[3])) if match else None


def read_lines(
    file: RunFile, rows: Iterable[Sequence[str]], citizen_of: Callable[[str], str | None]
) -> Iterator[FileLine | tuple[int, BadRecordError]]:
    """Read the lines below a file's header; number and error for a line that cannot be read.

    `citizen_of` gives the citizen of a CPR number, None for what is not ten digits.
    """
    columns = COLUMNS[file.kind]
    for number, row in enumerate(rows, 1):
        try:
            if number == 1:
                _check_header(row, columns)
            else:
                yield FileLine(number, *_read(file, _values(row, columns), citizen_of))
        except BadRecordError as error:
            yield number, error


def _check_header(row: Sequence[str], columns: Sequence[str]) -> None:
    if list(row) != list(columns):
        raise BadRecordError("files", "its header is not that of such a file")


def _values(row: Sequence[str], columns: Sequence[str]) -> dict[str, str]:
    if len(row) != len(columns):
        raise BadRecordError("files", f"it has not {len(columns)} columns")
    return dict(zip(columns, row, strict=True))


def _read(
    file: RunFile, values: Mapping[str, str], citizen_of: Callable[[str], str | None]
) -> tuple[LineKey, MoneyOre]:
    rates = tuple(_rate(values[name]) for name in _RATE_NAMES)
    money = [_ore(values[name]) for name in _MONEY_NAMES]
    if file.kind == ACCOUNTS:
        account = values["Konto"], values["Ydelse"], values["Måned"]
        return (file.municipality, *account, *rates), money
    citizen = citizen_of(values["CPR nummer"])
    if citizen is None:
        raise BadRecordError("files", "its CPR number has not ten digits")
    benefit, financing = values["Ydelse"], values["Finansiering Kommunenavn"]
    return (file.municipality, values["Uge"], citizen, benefit, financing, *rates), money


def _rate(text: str) -> int:
    if _RATE.fullmatch(text) is None:
        raise BadRecordError("files", "a rate is no whole percent")
    return int(text)


def _ore(text: str) -> int:
    match = _KRONER.fullmatch(text)
    if match is None:
        raise BadRecordError("files", "an amount is not kroner with two decimals")
    ore = int(match[2]) * 100 + int(match[3])
    return -ore if match[1] else ore


# --- the postings ---------------------------------------------------------------------------------


@dataclass
class RunRows:
    """The rows of one run in one partition, added up to the lines that the files must have.

    `places` is the offset of a line's last row.
    """

    names: Names
    lines: dict[LineKey, MoneyOre] = field(default_factory=dict)
    places: dict[LineKey, int] = field(default_factory=dict)
    accounts: dict[LineKey, MoneyOre] = field(default_factory=dict)

    def add(self, offset: int, message: Mapping[str, Any]) -> None:
        """Add a posting message of the run. Raises the errors that `as_bad` takes."""
        for row in message["rows"]:
            if row["kind"] != OPENING:  # an earlier system's row is in no file of ours
                self._add_row(offset, message["citizen"], row)

    def _add_row(self, offset: int, citizen: str, row: Mapping[str, Any]) -> None:
        is_refusion = row["mechanism"] == "refusion"
        municipality = row["paying" if is_refusion else "financing"]
        rates = (row["rate"], 0) if is_refusion else (0, row["rate"])
        benefit = self.names.benefits[row["benefit"]]
        financing = self.names.municipalities[row["financing"]]
        reported = row["amount_ore"] + row.get("atp_ore", 0)
        money = [reported, row["amount_ore"], row["refusion_ore"], row["medfinansiering_ore"]]
        key = (municipality, row["week"], citizen, benefit, financing, *rates)
        _add(self.lines, key, money)
        self.places[key] = offset
        account_key = (municipality, row["account"] or "", benefit, row["month"], *rates)
        _add(self.accounts, account_key, money)


def _add(sums: dict[LineKey, MoneyOre], key: LineKey, money: MoneyOre) -> None:
    sums[key] = [one + other for one, other in zip(sums.get(key, NOTHING), money, strict=True)]


def add_all(sums: dict[LineKey, MoneyOre], more: Mapping[LineKey, MoneyOre]) -> None:
    """Add other sums to sums."""
    for key, money in more.items():
        _add(sums, key, money)


# --- beside each other ----------------------------------------------------------------------------


def wrong_in(line: FileLine, due: dict[LineKey, MoneyOre]) -> str:
    """Say what is wrong with a line, "" if nothing is; its money is taken out of `due`."""
    money = due.pop(line.key, None)
    if money is None:
        return "no posting of the run leads to such a line, or the line is there twice"
    for name, written, right in zip(_MONEY_NAMES, line.money, money, strict=True):
        if written != right:
            more = "more" if written > right else "less"
            return f"{name} is {abs(written - right)} øre {more} than the postings give"
    return ""


def left_out(due: Mapping[LineKey, MoneyOre]) -> Iterator[LineKey]:
    """The keys of lines that are in no file; a line without any money is rightly in none."""
    return (key for key, money in due.items() if any(money))
