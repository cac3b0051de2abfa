"""Reads the table of inhabitants that the operator gives.

Its columns are `municipality;year;inhabitants_16_66;region`, and `inhabitants`, those of all ages,
may follow them. Figures per 1,000 inhabitants and by region exist only where it has a line for the
municipality and the year; nothing is guessed from another year.
"""

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

COLUMNS: Final = ["municipality", "year", "inhabitants_16_66", "region"]
OF_ALL_AGES: Final = "inhabitants"
"""The column that may follow."""
_MUNICIPALITY: Final = re.compile(r"\d{3}")
_YEAR: Final = re.compile(r"20\d\d")


class InhabitantsError(ValueError):
    """The table cannot be read; the message names the line, and what is wrong."""


class Inhabitants(NamedTuple):
    """The inhabitants of 16 to 66 years of a municipality in a year, and its region."""

    number: int
    region: str
    of_all_ages: int | None = None
    """All its inhabitants; None where the table does not tell."""


InhabitantTable = dict[tuple[str, str], Inhabitants]
"""Inhabitants by municipality and year."""


def read_inhabitants(lines: Iterable[str]) -> InhabitantTable:
    """Read the lines of the table; the first names the columns. Raises InhabitantsError."""
    rows = [line.strip().split(";") for line in lines]
    columns = [name.strip().lower() for name in rows[0]] if rows else []
    if columns not in (COLUMNS, [*COLUMNS, OF_ALL_AGES]):
        raise InhabitantsError(
            f"the first line must be {';'.join(COLUMNS)}; {OF_ALL_AGES} may follow"
        )
    found: InhabitantTable = {}
    for number, row in enumerate(rows[1:], 2):
        if row == [""]:
            continue
        if len(row) != len(columns):
            raise InhabitantsError(f"line {number} has {len(row)} cells and not {len(columns)}")
        code, year, count, region, *more = map(str.strip, row)
        counts = [count, *more]
        if not (_MUNICIPALITY.fullmatch(code) and _YEAR.fullmatch(year)) or not all(
            each.isdecimal() for each in counts
        ):
            raise InhabitantsError(
                f"line {number}: a municipality is three digits, a year four, the inhabitants a"
                " whole number without dots"
            )
        if (code, year) in found:
            raise InhabitantsError(f"line {number}: {code} in {year} stands twice")
        found[code, year] = Inhabitants(int(count), region, *map(int, more))
    return found
