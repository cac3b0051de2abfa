"""Reads the cells of a table as the values that reports have: money, days, times, flags, texts."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, Literal

from streams.upstream.refund_lines import Refused, in_utc

ReportValue = str | int | bool
CellReader = Callable[[str], ReportValue]
Unit = Literal["kroner", "ore"]

MONEY: Final = frozenset({"amount_ore", "atp_ore", "pension_ore"})
DAYS: Final = frozenset({"period_start", "period_end", "date"})
TIMES: Final = frozenset({"reported_at"})
FLAGS: Final = frozenset({"outside_act"})
_FLAG_WORDS: Final = {
    **dict.fromkeys(("1", "true", "ja", "yes"), True),
    **dict.fromkeys(("0", "false", "nej", "no"), False),
}
_MOST_DIGITS: Final = 30
_CHECK: Final = datetime(2024, 10, 29, tzinfo=UTC)
"""A day that no format can take for another: its day and month are of two digits."""


def cell_text(field: str, value: Any, decimal: str) -> str:
    """Give a cell as text, without blanks around it; a number of JSON with the decimal mark.

    Raises Refused for a list, an object, and a number with an exponent beyond reason.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int)):
        return str(value).strip()
    if isinstance(value, Decimal) and abs(value.adjusted()) < _MOST_DIGITS:
        return format(value, "f").replace(".", decimal)
    raise Refused("wrong_type", field, "the value is a list, an object or an endless number")


def reader_of(field: str, decimal: str, unit: Unit, sign: int, form: str) -> CellReader:
    """Make the reader of a field's cells. What it cannot read it raises as Refused."""
    if field in MONEY:
        return _money_reader(field, decimal, unit, sign)
    if field in DAYS or field in TIMES:
        return _day_reader(field, form)
    if field in FLAGS:
        return _flag_reader(field)
    if field == "cpr":
        return lambda text: text.replace("-", "").replace(" ", "")
    return str


def is_exact_form(form: str) -> bool:
    """Tell if a format of days says day, month and year, so that a day written is read again."""
    try:
        return datetime.strptime(_CHECK.strftime(form), form).date() == _CHECK.date()  # noqa: DTZ007
    except (ValueError, re.error):
        return False


def _money_reader(field: str, decimal: str, unit: Unit, sign: int) -> CellReader:
    """Make a reader of amounts: a sign before or behind, thousands in groups, at most øre.

    >>> read = _money_reader("amount_ore", ",", "kroner", 1)
    >>> read("1.234,5"), read("-7"), read("100,00-")
    (123450, -700, -10000)
    """
    mark, group = re.escape(decimal), re.escape("." if decimal == "," else ",")
    number = re.compile(
        rf"([+-]?)([0-9]{{1,12}}|[0-9]{{1,3}}(?:{group}[0-9]{{3}}){{1,3}})(?:{mark}([0-9]{{1,6}}))?(-?)"
    )

    def read(text: str) -> int:
        found = number.fullmatch(text)
        if not found or (found[1] and found[4]):
            what = "decimal comma" if decimal == "," else "decimal point"
            raise Refused("bad_amount", field, f"no amount with a {what}")
        whole = int(re.sub(r"[^0-9]", "", found[2]))
        parts = (found[3] or "").rstrip("0")
        if len(parts) > (2 if unit == "kroner" else 0):
            raise Refused("bad_amount", field, "the amount has parts of an øre")
        ore = whole * 100 + int(parts.ljust(2, "0")) if unit == "kroner" else whole
        return sign * (-ore if "-" in (found[1], found[4]) else ore)

    return read


def _day_reader(field: str, form: str) -> CellReader:
    def read(text: str) -> str:
        try:
            moment = datetime.strptime(text, form) if form else datetime.fromisoformat(text)  # noqa: DTZ007
            return in_utc(moment.isoformat()) if field in TIMES else moment.date().isoformat()
        except (ValueError, OverflowError):
            told = f"no day of the format {form}" if form else "no day or time of ISO 8601"
            raise Refused("wrong_type", field, told) from None

    return read


def _flag_reader(field: str) -> CellReader:
    def read(text: str) -> bool:
        if (flag := _FLAG_WORDS.get(text.lower())) is None:
            raise Refused("wrong_type", field, "neither of true, false, ja, nej, 1 and 0")
        return flag

    return read
