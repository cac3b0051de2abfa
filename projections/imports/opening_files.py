"""The opening rows in the files `beregning` of an earlier system; pure: lines in, records out.

Such a file holds the differences of its run. So the files are read as their other readers do it:
lines of one file that are equal up to `Medfinansieringsbeløb` count once, and the same week,
person, benefit, municipality and rate are summed over all files. The rest after that stands.

Two things are not in the files. The municipality that paid is the file's own; benefits that a
municipality only finances have none. And a week that lies in two months has one line, whose money
is divided between the months by days, as that of a payment is (rules 4.2, item 4). Where the
reports divide it in another way, the two cells are corrected against each other, and the week's sum
stays.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from domain.basics.money import percentage, split
from domain.basics.weeks import day, monday, month_text, sunday, week_of, week_text
from domain.ruledata.ruleset import Mechanism
from projections.runs.files import COLUMNS

HEADER: Final = COLUMNS["beregning"]
COMPARED_COLUMNS: Final = 10
"""The number of columns up to `Medfinansieringsbeløb`; an earlier system may have no more."""
NO_NAME: Final = ("", "-")
BROKEN: Final = "a quote is not closed, or a cell is endless; give the line as in the files"
_KRONER: Final = re.compile(r"(-?)([0-9]{1,9})(?:,([0-9]{1,2}))?")
"""Nine digits are more than any amount that is accepted, and their sums stay within 64 bits."""


class UnloadableLine(NamedTuple):
    """A line, or a row made of lines, that cannot be loaded.

    It says where it is, why, and what to do. It names no person.
    """

    place: str
    reason: str
    field: str | None
    detail: str


class Codes(NamedTuple):
    """Codes of benefits and municipalities by their names, and the mechanism of each benefit."""

    benefits: Mapping[str, str]
    municipalities: Mapping[str, str]
    mechanisms: Mapping[str, Mechanism | None]


class OpeningKey(NamedTuple):
    """The identity of an opening row, by which lines are summed."""

    cpr: str
    week: int
    benefit: str
    paying: str | None
    financing: str | None
    mechanism: Mechanism
    rate: int


class Specifications:
    """The lines of one municipality's files."""

    def __init__(self, municipality: str, codes: Codes) -> None:
        self._municipality = municipality
        self._codes = codes
        self._sums: dict[OpeningKey, list[int]] = {}
        self._places: dict[OpeningKey, str] = {}

    def add(self, name: str, lines: Iterable[Sequence[str] | None]) -> Iterator[UnloadableLine]:
        """Add the lines of a file after its header; yields those that cannot be read.

        A line is None where it could not be split into cells.
        """
        seen: set[tuple[str, ...]] = set()
        for number, line in enumerate(lines, 2):
            if line is None:
                yield UnloadableLine(f"{name}:{number}", "bad_line", None, BROKEN)
                continue
            if not line:
                continue
            content = tuple(line[:COMPARED_COLUMNS])
            if content in seen:
                continue
            seen.add(content)
            read = self._read(content)
            if isinstance(read, tuple):
                row, ore = read
                sums = self._sums.setdefault(row, [0, 0, 0])
                for position, number_of_ore in enumerate(ore):
                    sums[position] += number_of_ore
                self._places.setdefault(row, f"{name}:{number}")
            else:
                yield UnloadableLine(
                    f"{name}:{number}",
                    "bad_line",
                    read,
                    f"{read} cannot be read; give it as in the files",
                )

    def _read(self, line: tuple[str, ...]) -> tuple[OpeningKey, tuple[int, int, int]] | str:
        """Read a line: its row, and its amount, ATP and result in øre.

        Returns the name of the column that cannot be read instead.
        """
        values = dict(zip(HEADER, line, strict=False))
        money = {name: ore_of(values.get(name, "")) for name in HEADER[4:COMPARED_COLUMNS]}
        for name, ore in money.items():
            if ore is None:
                return name
        reported, amount, refusion_rate, refusion, medfinansiering_rate, medfinansiering = (
            ore or 0 for ore in money.values()
        )
        if not _is_monday(values["Uge"]):
            return "Uge"
        if refusion_rate % 100 or medfinansiering_rate % 100:
            return "Refusionssats" if refusion_rate % 100 else "Medfinansieringssats"
        benefit = self._codes.benefits.get(values["Ydelse"], values["Ydelse"])
        mechanism = self._mechanism(
            benefit, bool(refusion_rate or refusion), bool(medfinansiering_rate or medfinansiering)
        )
        if mechanism is None:
            return "Medfinansieringsbeløb"
        is_refusion = mechanism == "refusion"
        rate, result = (
            (refusion_rate, refusion) if is_refusion else (medfinansiering_rate, medfinansiering)
        )
        row = OpeningKey(
            values["CPR nummer"],
            week_of(day(values["Uge"])),
            benefit,
            self._municipality if is_refusion else None,
            self._financing(values["Finansiering Kommunenavn"]),
            mechanism,
            rate // 100,
        )
        return row, (amount, reported - amount, result)

    def _mechanism(
        self, benefit: str, is_refusion: bool, is_medfinansiering: bool
    ) -> Mechanism | None:
        """Return the mechanism of a line; None if it has money of both."""
        if is_refusion and is_medfinansiering:
            return None
        if is_refusion or is_medfinansiering:
            return "refusion" if is_refusion else "medfinansiering"
        return self._codes.mechanisms.get(benefit) or "refusion"

    def _financing(self, name: str) -> str:
        """Return the code of a municipality; an unknown name is kept, and listed later."""
        return self._municipality if name in NO_NAME else self._codes.municipalities.get(name, name)

    def records(self) -> Iterator[tuple[str, dict[str, Any]] | UnloadableLine]:
        """Yield opening records without their time, each with the place of its first line."""
        rates: defaultdict[OpeningKey, list[OpeningKey]] = defaultdict(list)
        for row, sums in self._sums.items():
            if any(sums):
                rates[row._replace(rate=0)].append(row)
        for rows in rates.values():
            if len(rows) > 1:
                yield self._two_rates(rows)
            else:
                place, sums = self._places[rows[0]], self._sums[rows[0]]
                yield from ((place, _record(rows[0], part)) for part in _by_month(rows[0], *sums))

    def _two_rates(self, rows: Sequence[OpeningKey]) -> UnloadableLine:
        shown = " and ".join(f"{row.rate} %" for row in sorted(rows, key=lambda row: row.rate))
        detail = (
            f"the week has rows at {shown} at once: a file is missing;"
            " load all files of the municipality together"
        )
        return UnloadableLine(self._places[rows[0]], "two_rates", "Refusionssats", detail)


def ore_of(text: str) -> int | None:
    """Read kroner (or a percentage) with a decimal comma as hundredths; None if it is no number."""
    if not (match := _KRONER.fullmatch(text.strip())):
        return None
    sign, whole, decimals = match.groups()
    ore = int(whole) * 100 + int((decimals or "").ljust(2, "0"))
    return -ore if sign else ore


def _is_monday(text: str) -> bool:
    try:
        return monday(week_of(day(text))) == day(text)
    except ValueError:
        return False


_Part = tuple[int, int, int, int]
"""A month, and the amount, ATP and result in øre of a week's days in it."""


def _by_month(row: OpeningKey, amount_ore: int, atp_ore: int, result_ore: int) -> Iterator[_Part]:
    """Divide a week's money between its months; the results sum to the week's."""
    period = monday(row.week), sunday(row.week)
    parts = [*zip(split(amount_ore, *period), split(atp_ore, *period), strict=True)]
    left = result_ore
    for (month, _, amount), (_, _, atp) in parts:
        result = left if month == parts[-1][0][0] else percentage(amount, row.rate)
        left -= result
        if amount or atp or result:
            yield month, amount, atp, result


def _record(row: OpeningKey, part: _Part) -> dict[str, Any]:
    month, amount_ore, atp_ore, result_ore = part
    is_refusion = row.mechanism == "refusion"
    return {
        "schema": 1,
        "type": "opening",
        "cpr": row.cpr,
        "month": month_text(month),
        "week": week_text(row.week),
        "benefit": row.benefit,
        "paying": row.paying,
        "financing": row.financing,
        "amount_ore": amount_ore,
        "atp_ore": atp_ore,
        "mechanism": row.mechanism,
        "rate": row.rate,
        "refusion_ore": result_ore if is_refusion else 0,
        "medfinansiering_ore": 0 if is_refusion else result_ore,
    }
