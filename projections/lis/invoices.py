"""Makes the basis of the municipalities' invoices for half a year: units × price, by municipality.

A price is kroner a year for each unit, valid from one month to another:

* `inhabitant`: the inhabitants of 16 to 66 years in the table of that year;
* `inhabitant_of_all_ages`: all inhabitants in it;
* `citizen`: the citizens with a row of a month, added up over the months (citizen months).

A month costs a twelfth. Where a price changes in the half year, each part of it is a line of its
own. Amounts are whole øre, rounded half up once a line; nothing names a person.
"""

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import groupby, pairwise
from typing import Final, NamedTuple

from projections.lis.amounts import AMOUNT, ore_of
from projections.lis.inhabitants import Inhabitants, InhabitantTable

COLUMNS: Final = ["valid_from", "valid_to", "unit", "kroner_a_year", "reference"]
OF_ALL_AGES: Final = "inhabitant_of_all_ages"
OF_INHABITANTS: Final = ("inhabitant", OF_ALL_AGES)
"""Units that the table of inhabitants counts."""
UNITS: Final = (*OF_INHABITANTS, "citizen")
LINE_COLUMNS: Final = (
    "half", "municipality", "name", "from", "to", "unit", "units", "kroner_a_year", "amount",
    "reference",
)  # fmt: skip
NAMED: Final = 5
"""Municipalities that an error names."""
_HALF: Final = re.compile(r"(20\d\d)-([12])")
_MONTH: Final = re.compile(r"20\d\d-(0[1-9]|1[0-2])")

CitizenMonths = Mapping[tuple[str, str], int]
"""Citizens with a row, by municipality and month."""


class InvoiceError(ValueError):
    """The basis cannot be made; the message says what is missing or wrong."""


class InvoicePrice(NamedTuple):
    """A price, valid from a month to a month, both inclusive; `valid_to` "" is without an end."""

    valid_from: str
    valid_to: str
    unit: str
    ore_a_year: int
    reference: str


class InvoiceLine(NamedTuple):
    """A line of the basis: what a municipality pays for some months by one price."""

    half: str
    municipality: str
    name: str
    first: str
    last: str
    unit: str
    units: int
    ore_a_year: int
    amount_ore: int
    reference: str

    def cells(self) -> tuple[str, ...]:
        """Return the cells of a table, amounts in kroner with a decimal comma."""
        texts = (str(self.units), _kroner(self.ore_a_year), _kroner(self.amount_ore))
        return (*self[:6], *texts, self.reference)


def months_of(half: str) -> list[str]:
    """Return the months of a half year. Raises InvoiceError.

    >>> months_of("2027-2")[0], months_of("2027-2")[-1]
    ('2027-07', '2027-12')
    """
    match = _HALF.fullmatch(half)
    if match is None:
        raise InvoiceError(f"{half!r} is no half year; write 2027-1 or 2027-2")
    first = 1 if match[2] == "1" else 7
    return [f"{match[1]}-{month:02}" for month in range(first, first + 6)]


def read_prices(lines: Iterable[str]) -> list[InvoicePrice]:
    """Read the table of prices; the first line names the columns. Raises InvoiceError."""
    rows = [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=";")]
    if not rows or rows[0] != COLUMNS:
        raise InvoiceError(f"the first line must be {';'.join(COLUMNS)}")
    prices: list[InvoicePrice] = []
    for number, row in enumerate(rows[1:], 2):
        if any(row):
            prices.append(_price(number, row))
    for price, following in pairwise(sorted(prices)):
        if not price.valid_to or price.valid_to >= following.valid_from:
            raise InvoiceError(f"two prices are valid in {following.valid_from}")
    return sorted(prices)


def _price(number: int, row: Sequence[str]) -> InvoicePrice:
    if len(row) != len(COLUMNS):
        raise InvoiceError(f"line {number} has {len(row)} cells and not {len(COLUMNS)}")
    first, last, unit, kroner, reference = row
    if not (_MONTH.fullmatch(first) and (not last or _MONTH.fullmatch(last))):
        raise InvoiceError(f"line {number}: a month is written as 2027-01; the last may be empty")
    if unit not in UNITS or not AMOUNT.fullmatch(kroner) or not reference:
        raise InvoiceError(
            f"line {number}: a unit is {', '.join(UNITS)}, a price is kroner such as 4,75, and"
            " the reference says where the price was agreed"
        )
    return InvoicePrice(first, last, unit, ore_of(kroner), reference)


def invoice_lines(
    half: str,
    names: Mapping[str, str],
    prices: Sequence[InvoicePrice],
    inhabitants: InhabitantTable,
    citizens: CitizenMonths,
) -> list[InvoiceLine]:
    """Make the lines of all municipalities. Raises InvoiceError where something is not known."""
    months = months_of(half)
    by_price = [(_valid_in(month, prices), month) for month in months]
    parts = [
        (price, [month for _, month in group])
        for price, group in groupby(by_price, lambda pair: pair[0])
    ]
    for unit in {price.unit for price, _ in parts}.intersection(OF_INHABITANTS):
        _check_inhabitants(unit, half[:4], names, inhabitants)
    lines = []
    for code, name in sorted(names.items()):
        for price, of_price in parts:
            if price.unit in OF_INHABITANTS:
                counted = _counted(price.unit, inhabitants[code, half[:4]])
                assert counted is not None, "what is missing was told before"
                units, weight = counted, len(of_price)
            else:
                units, weight = sum(citizens.get((code, month), 0) for month in of_price), 1
            amount = _half_up(Fraction(units * price.ore_a_year * weight, 12))
            about = (half, code, name, of_price[0], of_price[-1], price.unit, units)
            lines.append(InvoiceLine(*about, price.ore_a_year, amount, price.reference))
    return lines


def _valid_in(month: str, prices: Sequence[InvoicePrice]) -> InvoicePrice:
    for price in prices:
        if price.valid_from <= month and (not price.valid_to or month <= price.valid_to):
            return price
    raise InvoiceError(f"no price is valid in {month}")


def _counted(unit: str, known: Inhabitants | None) -> int | None:
    """Count the inhabitants that a unit means; None where the table does not tell."""
    if known is None:
        return None
    return known.of_all_ages if unit == OF_ALL_AGES else known.number


def _check_inhabitants(
    unit: str, year: str, names: Mapping[str, str], known: InhabitantTable
) -> None:
    missing = [code for code in sorted(names) if _counted(unit, known.get((code, year))) is None]
    if missing:
        more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
        whose = "inhabitants of all ages" if unit == OF_ALL_AGES else "line"
        raise InvoiceError(
            f"the table of inhabitants has no {whose} of {year} for"
            f" {', '.join(missing[:NAMED])}{more}"
        )


def _half_up(value: Fraction) -> int:
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)


def _kroner(ore: int) -> str:
    sign = "-" if ore < 0 else ""
    return f"{sign}{abs(ore) // 100},{abs(ore) % 100:02}"
