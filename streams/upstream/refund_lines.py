"""The lines of a reported period, and what each is made of: amounts, ids, pieces of its period."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from hashlib import blake2b
from itertools import pairwise
from typing import Any, Final

from msgspec import Struct

from domain.basics.cache import Memo
from streams.upstream.answers import Blanket, ReportedPeriod
from streams.wire.ids import is_id_without

JsonObject = dict[str, Any]
Piece = tuple[int, int, str | None]
"""A part of a period, and the municipality that finances it."""

MAX_DAYS: Final = 366
REPORT: Final = "11000"
INCOME: Final = "16001"
REFUND: Final = "16300"
ON_LINE: Final = (58, 70, 71, 78, 95)
"""Fields of 16300 that may hold its amount."""
SUBSIDY: Final = 216
WAGES: Final = (57, 58)
PENSIONS: Final = (197, 198)
ACCOUNTS: Final = (201, 202)
PERIODS: Final = (203, 204)
_LONGEST_ID: Final = 64
_MOST_ORE: Final = 10**12
_KRONER: Final = re.compile(r"([+-]?)([0-9]{1,12})(?:\.([0-9]{1,6}))?")
_NO_NUMBER: Final = "is no number of kroner"


class Refused(Exception):  # noqa: N818 - a line that no report can be made of
    """No report can be made of a line: the reason, the field and a sentence without a value."""

    def __init__(self, reason: str, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason
        self.field = field


class RefundLine(Struct, frozen=True, gc=False):
    """One line: a 16300 with the blanket 16001 beside it, or a 16001 alone.

    `is_reversed` is a line that the report or its 16000 marks as reversed. `is_unclear` is one of
    a report with several blankets 11000 that is below none of them. `beside` are all lines of that
    16001, of which `is_first` is one.
    """

    art: str
    income_type: str
    is_reversed: bool
    is_report_reversed: bool
    is_unclear: bool
    is_first: bool = False
    line: Blanket | None = None
    income: Blanket | None = None
    beside: Sequence[Blanket] = ()


class _Gathered(Struct, frozen=True, gc=False):
    """The blankets 16001 and 16300 of a 16000, or those that stand outside any."""

    head: Blanket | None
    group: Blanket | None
    incomes: list[Blanket]
    lines: list[Blanket]


def lines_of(period: ReportedPeriod) -> list[RefundLine]:
    """List the lines of a reported period: those of each 16000, and those that stand outside any.

    Where several 16001 stand beside lines, they are read as one. A reversed report that shows
    nothing is a line without content.
    """
    found = [_Gathered(None, None, [], [])]
    _gather(period.blankets, found[0], found)
    heads = [each for each in period.all_blankets if each.number == REPORT]
    only = heads[0] if len(heads) == 1 else None
    lines: list[RefundLine] = []
    for gathered in found:
        head = gathered.head or only
        is_report_reversed = head is not None and head.says(11, "T")
        group = gathered.group
        is_reversed = is_report_reversed or (group is not None and group.says(21, "1"))
        if not (gathered.incomes or gathered.lines or is_reversed):
            continue
        common = (
            group.first_text(19) if group else "",
            head.first_text(12) if head else "",
            is_reversed,
            is_report_reversed,
            head is None and len(heads) > 1,
        )
        lines += _lines_of_one(gathered, common)
        if is_report_reversed and gathered.head and not any(map(_shows_something, found)):
            lines.append(RefundLine(*common))
    return lines


def _shows_something(gathered: _Gathered) -> bool:
    return bool(gathered.group or gathered.incomes or gathered.lines)


def _gather(blankets: list[Blanket], place: _Gathered, found: list[_Gathered]) -> None:
    """Sort the blankets below a place into the places that they belong to."""
    for blanket in blankets:
        inside = place
        if blanket.number == REPORT:
            inside = _Gathered(blanket, None, [], [])
            found.append(inside)
        elif blanket.number == "16000":
            inside = _Gathered(place.head, blanket, [], [])
            found.append(inside)
        elif blanket.number == INCOME:
            place.incomes.append(blanket)
        elif blanket.number == REFUND:
            place.lines.append(blanket)
        if blanket.below:
            _gather(blanket.below, inside, found)


def _lines_of_one(
    gathered: _Gathered, common: tuple[str, str, bool, bool, bool]
) -> list[RefundLine]:
    """List the lines of one place; a 16000 marked as reversed may have none, and is one itself."""
    incomes, lines = gathered.incomes, gathered.lines
    if lines:
        beside = incomes[0] if incomes else None
        if len(incomes) > 1:
            fields = [field for income in incomes for field in income.fields]
            beside = Blanket(INCOME, fields, [])
        return [
            RefundLine(*common, number == 0, line, beside, lines)
            for number, line in enumerate(lines)
        ]
    is_reversed = common[2]
    if is_reversed and gathered.group and not incomes:
        return [RefundLine(*common)]
    return [RefundLine(*common, income=income) for income in incomes]


def content_of(line: RefundLine) -> tuple[object, ...]:
    """Give a line's content, by which lines are in order wherever they stood."""
    own = sorted(line.line.fields) if line.line else []
    return line.art, own, sorted(line.income.fields) if line.income else []


def _ore_or_none(text: str) -> int | None:
    """Read an amount in kroner with a decimal point; None for a text that is none."""
    found = _KRONER.fullmatch(text)
    if found is None:
        return None
    sign, kroner, parts = found.groups(default="")
    ore = int(kroner + parts[:2].ljust(2, "0"))
    if ore > _MOST_ORE or parts[2:].strip("0"):
        return None
    return -ore if sign == "-" else ore


ORE: Final = Memo(_ore_or_none, 1 << 13)
"""Gives the øre of an amount in kroner; None for a text that is none."""


def ore_of(text: str) -> int:
    """Read an amount in kroner with a decimal point. Raises Refused.

    >>> ore_of("1234.50"), ore_of("-7"), ore_of("+0.05")
    (123450, -700, 5)
    """
    ore = ORE[text]
    if ore is None:
        words = "has parts of an øre, or is too large" if _KRONER.fullmatch(text) else _NO_NUMBER
        raise Refused("bad_amount", "amount_ore", f"an amount {words}")
    return ore


def account_of(line: RefundLine) -> str:
    """Give the account of a line, or ""."""
    if line.line is None:
        return ""
    return line.line.first_text(ACCOUNTS[0]) or line.line.first_text(ACCOUNTS[1])


@lru_cache(maxsize=1 << 8)
def in_utc(text: str) -> str:
    """Write the time of an answer as reports have it; a time without a zone is taken as UTC.

    Raises Refused where there is no such time.
    """
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Refused(
            "no_time", "reported_at", "the answer says a time that does not exist"
        ) from None
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def group_of(report: str, cpr: str) -> str:
    """Give the group of a report: its id, or a digest of one that no group may be."""
    if len(report) <= _LONGEST_ID and is_id_without(cpr, report):
        return report
    return "eindkomst-" + content_letters((report,))


def content_letters(content: object) -> str:
    """Give a digest in letters: no digits that might spell a number of a person."""
    digest = blake2b(repr(content).encode(), digest_size=8).hexdigest()
    return digest.encode().translate(_LETTERS).decode()


_LETTERS: Final = bytes.maketrans(b"0123456789", b"ghijkmnpqr")


def report_id_of(common: JsonObject, *content: object) -> str:
    """Give the id of a report, made from its group and content."""
    return f"{common['group']}/{content_letters(content)}"


def reversal_of(common: JsonObject) -> JsonObject:
    """Give the report that takes the whole group of a person back."""
    named = {"type": "reversal", "reverses_group": common["group"]}
    left = {name: value for name, value in common.items() if name != "group"}
    return left | named | {"report_id": f"{common['group']}/reversed"}


def reversal_of_report(common: JsonObject, report_id: str) -> JsonObject:
    """Give the report that takes one report back."""
    left = {name: value for name, value in common.items() if name != "group"}
    named = {"type": "reversal", "reverses": report_id, "report_id": f"{report_id}/reversed"}
    return left | named


def by_year(start: int, end: int, code: str | None) -> Iterator[Piece]:
    """Split a period that is too long by calendar years."""
    if end - start < MAX_DAYS:
        yield start, end, code
        return
    first_year, last_year = date.fromordinal(start).year, date.fromordinal(end).year
    turns = [date(year, 1, 1).toordinal() for year in range(first_year + 1, last_year + 1)]
    for first, beyond in pairwise([start, *turns, end + 1]):
        yield first, beyond - 1, code


def shared(ore: int, pieces: list[Piece]) -> list[int]:
    """Share an amount among the pieces of a period by days; the shares add up to it."""
    if len(pieces) == 1:
        return [ore]
    days = [last - first + 1 for first, last, _ in pieces]
    before = 0
    shares: list[int] = []
    done = 0
    for number in days:
        before += number
        until = ore * before // sum(days)
        shares.append(until - done)
        done = until
    return shares
