"""Invariant 9: the files of a run are the postings between two markers, to the øre.

It shares nothing with what wrote the files but their columns. A line of `beregning` is told apart
by municipality, week, person, benefit, financing municipality and rates; one of `sumposteringer` by
municipality, account, benefit, month and rates. Benefits and municipalities go by their names, as
in the files.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from projections.audit.records import BadRecordError
from projections.runs.files import COLUMNS, Names

Key = tuple[str | int, ...]
Money = list[int]
"""In øre: as reported with the ATP, as calculated with, refusion, medfinansiering."""

SPECIFICATION: Final = "beregning"
ACCOUNTS: Final = "sumposteringer"
NOTHING: Final = [0, 0, 0, 0]
OPENING: Final = "opening"
_FILE: Final = re.compile(
    r"yr-ydelsesrefusion-(beregning|sumposteringer)-(\d{3})-(\d{4,})-\d{4}-\d\d-\d\d\.csv"
)
_KRONER: Final = re.compile(r"(-?)(\d+),(\d\d)")
_RATE: Final = re.compile(r"\d{1,3}")
_CPR: Final = re.compile(r"\d{10}")
_MONEY_NAMES: Final = (
    "Indberetning udbetalingsbeløb", "Beregnet udbetalingsbeløb", "Refusionsbeløb", "Medfinansieringsbeløb"
)  # fmt: skip
_RATE_NAMES: Final = ("Refusionssats", "Medfinansieringssats")


class RunFile(NamedTuple):
    """What the name of a file says."""

    kind: str
    municipality: str
    run: int


class Line(NamedTuple):
    """A line of a file: which it is, and its money."""

    number: int
    key: Key
    money: Money


def run_file(name: str) -> RunFile | None:
    """What a file is by its name; None for another."""
    found = _FILE.fullmatch(name)
    return RunFile(found[1], found[2], int(found[3])) if found else None


def read_lines(
    file: RunFile, rows: Iterable[Sequence[str]], citizen_of: Callable[[str], str]
) -> Iterator[Line | tuple[int, BadRecordError]]:
    """The lines of a file, its header first; or the number of a line that cannot be read, and why."""
    columns = COLUMNS[file.kind]
    for number, row in enumerate(rows, 1):
        try:
            if number == 1:
                _check_header(row, columns)
            else:
                yield Line(number, *_read(file, _values(row, columns), citizen_of))
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
    file: RunFile, values: Mapping[str, str], citizen_of: Callable[[str], str]
) -> tuple[Key, Money]:
    rates = tuple(_rate(values[name]) for name in _RATE_NAMES)
    money = [_ore(values[name]) for name in _MONEY_NAMES]
    if file.kind == ACCOUNTS:
        return (
            file.municipality,
            values["Konto"],
            values["Ydelse"],
            values["Måned"],
            *rates,
        ), money
    cpr = values["CPR nummer"]
    if _CPR.fullmatch(cpr) is None:
        raise BadRecordError("files", "its CPR number has not ten digits")
    whose = values["Uge"], citizen_of(cpr), values["Ydelse"], values["Finansiering Kommunenavn"]
    return (file.municipality, *whose, *rates), money


def _rate(text: str) -> int:
    if _RATE.fullmatch(text) is None:
        raise BadRecordError("files", "a rate is no whole percent")
    return int(text)


def _ore(text: str) -> int:
    found = _KRONER.fullmatch(text)
    if found is None:
        raise BadRecordError("files", "an amount is not kroner with two decimals")
    ore = int(found[2]) * 100 + int(found[3])
    return -ore if found[1] else ore


# --- the postings
# -----------------------------------------------------------------------------------


@dataclass
class RunRows:
    """The rows of one run in one partition: what the files' lines must be. `places` are offsets of a line's rows."""

    names: Names
    lines: dict[Key, Money] = field(default_factory=dict)
    places: dict[Key, int] = field(default_factory=dict)
    accounts: dict[Key, Money] = field(default_factory=dict)

    def add(self, offset: int, message: Mapping[str, Any]) -> None:
        """A posting message of the run. Raises what `auditrecords.as_bad` takes."""
        for row in message["rows"]:
            if row["kind"] != OPENING:  # an earlier system's, which is in no file of ours
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
        _add(
            self.accounts,
            (municipality, row["account"] or "", benefit, row["month"], *rates),
            money,
        )


def _add(sums: dict[Key, Money], key: Key, money: Money) -> None:
    sums[key] = [one + other for one, other in zip(sums.get(key, NOTHING), money, strict=True)]


def add_all(sums: dict[Key, Money], more: Mapping[Key, Money]) -> None:
    """Add sums to sums."""
    for key, money in more.items():
        _add(sums, key, money)


# --- beside each other
# ------------------------------------------------------------------------------


def wrong_in(line: Line, due: dict[Key, Money]) -> str:
    """What is wrong with a line, "" where nothing is; what was due for it is taken away."""
    money = due.pop(line.key, None)
    if money is None:
        return "no posting of the run leads to such a line, or it stands before"
    for name, stands, right in zip(_MONEY_NAMES, line.money, money, strict=True):
        if stands != right:
            return f"{name} is {abs(stands - right)} øre {'more' if stands > right else 'less'} than the postings give"
    return ""


def left_out(due: Mapping[Key, Money]) -> Iterator[Key]:
    """What is due to a file and was in none; a line without any money is left out rightly."""
    return (key for key, money in due.items() if any(money))
