r"""Accepts valid reports at once: bytes are decoded into a struct, and its content is checked.

The quick way never says what is wrong. It raises ValueError where it does not accept a record,
which may be valid all the same; `streams.wire.diagnosis` decides then.

msgspec keeps the last of two values of one key. So each way of reading proves that no key comes
twice: every member has a colon behind its key, and without escapes (`\`) there are no other colons
than those inside texts. A struct has no objects inside, and no key that it knows has a colon. So a
key that comes twice leaves at least one colon too many.
"""

from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import astuple

from domain.basics.cache import Memo
from domain.basics.named import made
from domain.basics.weeks import day
from domain.citizen.reports import CaseFact, Income, Payment, Report, Reversal
from streams.privacy.cpr import FIRST_FICTIVE, is_cpr, spells
from streams.wire.content import Content, both_municipalities, refuse_period
from streams.wire.ids import is_id_of_old, is_id_without
from streams.wire.outcomes import Accepted
from streams.wire.shapes import (
    DATE_LENGTH,
    REPORT_TYPES,
    TIME_OF_DAY,
    QuickCaseFact,
    QuickIncome,
    QuickPayment,
    QuickReversal,
    fields_of,
)

CACHED_PLACES: Final = 1 << 15
"""Places of payments that are remembered, about 15 MB; the payments of a month lie in few."""

_Code = str | None | UnsetType
_Place = tuple[str, str, str, _Code, _Code]
"""A payment's benefit, first and last day as texts, paying and financing municipality or UNSET."""

_COLONS_OF_A_TIME: Final = 2
"""Colons in a time of day at least: `T10:00:00Z`."""
_BESIDE: Final = len(("cpr", "schema", "type"))
_FIELDS: Final = {report: len(fields_of(report)) for report in REPORT_TYPES.values()}
_PAYMENT_FIELDS: Final = _FIELDS[Payment]

_decode: Final = msgspec.json.Decoder(
    QuickPayment | QuickIncome | QuickCaseFact | QuickReversal
).decode
_DAYS: Final = Memo(day, 1 << 14)
_is_time: Final = TIME_OF_DAY.fullmatch


class NotQuickError(ValueError):
    """The quick way does not accept the record."""


class QuickWay:
    """The quick way by one rule set: `accept` takes the bytes of a report."""

    def __init__(self, content: Content) -> None:
        self._content = content
        self._demo = content.demo
        self._from = FIRST_FICTIVE if content.only_fictive else ""
        self._places = Memo(self._place, CACHED_PLACES)
        self._accept = {
            QuickPayment: self._payment,
            QuickIncome: self._income,
            QuickCaseFact: self._case_fact,
            QuickReversal: self._reversal,
        }

    def accept(self, record: bytes) -> Accepted:
        """Return the report of a record; ValueError or RecursionError where it is not accepted."""
        line = _decode(record)
        return self._accept[type(line)](line, record)

    def _payment(self, line: Any, record: bytes) -> Accepted:
        """Accept a payment. Nearly every record is one, so each step here counts."""
        colons = record.count(b":") - _PAYMENT_FIELDS - _BESIDE
        place = (
            line.benefit, line.period_start, line.period_end,
            line.paying_municipality, line.financing_municipality,
        )  # fmt: skip
        (
            line.period_start, line.period_end,
            line.paying_municipality, line.financing_municipality, absent,
        ) = self._places[place]  # fmt: skip
        if line.atp_ore is UNSET:
            line.atp_ore = 0
            absent += 1
        elif line.amount_ore * line.atp_ore < 0:
            raise NotQuickError
        if line.outside_act is UNSET:
            line.outside_act = False
            absent += 1
        if line.group is UNSET:
            line.group = ""
            absent += 1
        else:
            absent += self._group(line)
        colons += absent
        reporter, report_id, reported_at, cpr = (
            line.reporter,
            line.report_id,
            line.reported_at,
            line.cpr,
        )
        if (
            b"\\" in record
            or (
                colons != _COLONS_OF_A_TIME
                and colons != reported_at.count(":") + report_id.count(":")
            )
            or not is_cpr(cpr, self._demo)
            or cpr < self._from
            or not _is_time(reported_at, DATE_LENGTH)
            or not is_id_without(cpr, report_id)
            or not (reporter.isdigit() and reporter.isascii())
        ):
            raise NotQuickError
        line.reported_at = _DAYS[reported_at[:DATE_LENGTH]]
        return made(Accepted, (made(Payment, astuple(line)[:_PAYMENT_FIELDS]), cpr, reported_at))

    def _group(self, line: Any) -> int:
        """Check a group that is given; return the colons in it, negative as those of a time."""
        if line.schema == 1:
            raise NotQuickError
        group = line.group
        if group is None:
            line.group = ""
            return 0
        if not is_id_without(line.cpr, group):
            raise NotQuickError
        return -int(group.count(":"))

    def _place(self, place: _Place) -> tuple[int, int, str | None, str | None, int]:
        """Check a payment's place; return its days, its municipalities, and how many it left out.

        A place that is refused raises, and so is not remembered.
        """
        benefit, first, last, *given = place
        start, end = day(first), day(last)
        paying, financing = [None if code is UNSET else code for code in given]
        if self._content.lacks_municipality(
            benefit, paying, financing
        ) or self._content.refuse_place(benefit, start, end, paying, financing):
            raise NotQuickError
        mechanism = self._content.benefits[benefit].mechanism
        both = both_municipalities(mechanism, paying, financing)
        return start, end, *both, sum(code is UNSET for code in given)

    def _income(self, line: Any, record: bytes) -> Accepted:
        line.period_start, line.period_end = _DAYS[line.period_start], _DAYS[line.period_end]
        if refuse_period(line.period_start, line.period_end):
            raise NotQuickError
        return self._accepted(Income, line, record)

    def _case_fact(self, line: Any, record: bytes) -> Accepted:
        line.date = _DAYS[line.date]
        return self._accepted(CaseFact, line, record)

    def _reversal(self, line: Any, record: bytes) -> Accepted:
        if line.reverses_group is not UNSET or line.schema != 1:
            raise NotQuickError
        line.reverses_group = ""
        if line.reverses is UNSET or line.reverses is None:
            raise NotQuickError
        if not is_id_of_old(line.reverses) or spells(line.reverses, line.cpr):
            raise NotQuickError
        return self._accepted(Reversal, line, record, line.reverses.count(":") - 1)

    def _accepted(
        self, report: type[Report], line: Any, record: bytes, colons: int = 0
    ) -> Accepted:
        """Check what all reports have; `colons` are those in other texts than the common ones."""
        reported_at: str = line.reported_at
        if line.group is UNSET:
            line.group = ""
            colons -= 1
        else:
            colons -= self._group(line)
        colons += _FIELDS[report] + _BESIDE + reported_at.count(":") + line.report_id.count(":")
        if (
            b"\\" in record
            or record.count(b":") != colons
            or not is_cpr(line.cpr, self._demo)
            or line.cpr < self._from
            or not _is_time(reported_at, DATE_LENGTH)
            or not is_id_without(line.cpr, line.report_id)
            or not (line.reporter.isdigit() and line.reporter.isascii())
        ):
            raise NotQuickError
        line.reported_at = _DAYS[reported_at[:DATE_LENGTH]]
        return Accepted(report(*astuple(line)[: _FIELDS[report]]), line.cpr, reported_at)
