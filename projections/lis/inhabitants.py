"""Reads the table of inhabitants that the operator gives.

Its columns are `municipality;year;inhabitants_16_66;region`.
Figures per 1,000 inhabitants and by region exist only where it has a line for the municipality and
the year; nothing is guessed from another year.
"""

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

COLUMNS: Final = ["municipality", "year", "inhabitants_16_66", "region"]
_MUNICIPALITY: Final = re.compile(r"\d{3}")
_YEAR: Final = re.compile(r"20\d\d")


class InhabitantsError(ValueError):
    """The table cannot be read; the message names the line, and what is wrong."""


class Inhabitants(NamedTuple):
    """The inhabitants of 16 to 66 years of a municipality in a year, and its region."""

    number: int
    region: str


InhabitantTable = dict[tuple[str, str], Inhabitants]
"""Inhabitants by municipality and year."""


def read_inhabitants(lines: Iterable[str]) -> InhabitantTable:
    """Read the lines of the table; the first names the columns. Raises InhabitantsError."""
    rows = [line.strip().split(";") for line in lines]
    if not rows or [name.strip().lower() for name in rows[0]] != COLUMNS:
        raise InhabitantsError(f"the first line must be {';'.join(COLUMNS)}")
    found: InhabitantTable = {}
    for number, row in enumerate(rows[1:], 2):
        if row == [""]:
            continue
        if len(row) != len(COLUMNS):
            raise InhabitantsError(f"line {number} has {len(row)} cells and not {len(COLUMNS)}")
        code, year, count, region = map(str.strip, row)
        if not (_MUNICIPALITY.fullmatch(code) and _YEAR.fullmatch(year) and count.isdecimal()):
            raise InhabitantsError(
                f"line {number}: a municipality is three digits, a year four, the inhabitants a"
                " whole number without dots"
            )
        if (code, year) in found:
            raise InhabitantsError(f"line {number}: {code} in {year} stands twice")
        found[code, year] = Inhabitants(int(count), region)
    return found
