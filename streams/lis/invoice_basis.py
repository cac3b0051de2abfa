"""Makes the basis of invoices from the operator's tables and the marts, and writes it as tables."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from projections.lis.invoices import (
    LINE_COLUMNS,
    CitizenMonths,
    InvoiceError,
    InvoiceLine,
    InvoicePrice,
    invoice_lines,
    months_of,
    read_prices,
)
from streams.citizens.rule_sets import LawBook
from streams.kit.errors import UserError
from streams.lis.inquiry import inhabitants_in
from streams.lis.marts import open_marts
from streams.settings import Settings

_CITIZENS: Final = (
    "SELECT municipality, month, sum(persons) FROM persons WHERE benefit IS NULL AND rate IS NULL"
    " AND month BETWEEN ? AND ? GROUP BY municipality, month"
)
"""Citizens with a row that stands, as known now."""


class InvoicingError(UserError):
    """The basis cannot be made; the message says what is missing."""


def invoice_basis(settings: Settings, half: str) -> list[InvoiceLine]:
    """Make the lines of a half year. Raises UserError."""
    if settings.prices is None:
        raise InvoicingError(
            "REFUSION_PRICES is not set; set it to the table of prices (docs/invoices.md)"
        )
    try:
        months = months_of(half)
        prices = _prices(settings.prices)
        needs_citizens = any(price.unit == "citizen" for price in prices)
        citizens = _citizen_months(settings, months) if needs_citizens else {}
        names = LawBook(settings.rules).catalogue().municipalities
        return invoice_lines(half, names, prices, inhabitants_in(settings.inhabitants), citizens)
    except InvoiceError as error:
        raise InvoicingError(str(error)) from None


def _prices(path: Path) -> list[InvoicePrice]:
    try:
        return read_prices(path.read_text(encoding="utf-8-sig").splitlines())
    except UnicodeDecodeError:
        raise InvoicingError(
            f"{path} (REFUSION_PRICES) is no text in UTF-8; save it as CSV UTF-8"
        ) from None
    except InvoiceError as error:
        raise InvoicingError(f"{path} (REFUSION_PRICES): {error}") from None


def _citizen_months(settings: Settings, months: Sequence[str]) -> CitizenMonths:
    with open_marts(settings.lis) as marts:
        rows = marts.rows(_CITIZENS, [months[0], months[-1]])
    return {(place, month): int(number) for place, month, number in rows}


def write_tables(folder: Path, half: str, lines: Sequence[InvoiceLine]) -> None:
    """Write a table of all municipalities, and one for each."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"invoices-{half}.csv").write_text(_table(lines), encoding="utf-8-sig", newline="")
    for code in sorted({line.municipality for line in lines}):
        own = [line for line in lines if line.municipality == code]
        path = folder / f"invoice-{half}-{code}.csv"
        path.write_text(_table(own), encoding="utf-8-sig", newline="")


def _table(lines: Sequence[InvoiceLine]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    writer.writerow(LINE_COLUMNS)
    writer.writerows(line.cells() for line in lines)
    return text.getvalue()
