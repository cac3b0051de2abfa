"""Reads answers of the Ydelsesindeks (SF1491 YdelseListeHent): what payment systems have paid.

    answer (time) > payment (UUID, status) > lines: amount, period, the granted benefit, its owner

The schema spells OEkonomisk and Oekonomisk; both are read, by names in small letters. The XML is
foreign, and read as `bounded_xml.py` says.
"""

import re
from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple

from domain.basics.cache import Memo
from streams.upstream.bounded_xml import BoundedXml, Place

NAMESPACES: Final = ("http://www.kombit.dk/", "http://kombit.dk/")
"""The beginnings of the namespaces of the answers and of their head."""
MOST_LINES: Final = 1_000
"""Lines of one payment."""
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)?")
_PAYMENT: Final = "oekonomiskeffektuering"
_LINE: Final = "oekonomiskydelseseffektuering"
_OF_PAYMENT: Final = {
    "oekonomiskeffektueringuuid": "payment",
    "oekonomiskeffektueringslutdato": "last_day",
    "oekonomiskeffektueringudbetalingstatus": "status",
}
_OF_LINE: Final = {
    "oekonomiskydelseseffektueringbeloeb": "amount",
    "oekonomiskydelseseffektueringperiodefra": "start",
    "oekonomiskydelseseffektueringperiodetil": "end",
    "ydelsenavn": "benefit_name",
    "bevilgetydelseid": "grant",
}
_BY_PARENT: Final = {
    ("bevillingejer", "virksomhedcvrnummer"): "owner",
    ("ydelseklasse", "klasseidentifikation"): "benefit_class",
    ("bevillingsmodtager", "partcprnummer"): "cpr",
    ("bevilgetydelseeffektueringmodtager", "partcprnummer"): "cpr_of_line",
}
"""Elements of a line that mean something by what contains them."""
_ANSWER: Final = "hovedoplysningersvar"
_RECIPIENT: Final = ("oekonomiskeffektueringmodtager", "partcprnummer")


class IndexLine(NamedTuple):
    """One line of a payment, as the answer has it; texts may be ""."""

    line: int
    answered_at: str
    payment: str
    status: str
    cpr: str
    owner: str
    benefit_class: str
    benefit_name: str
    grant: str
    start: str
    end: str
    amount: str


def _local_name(name: str) -> str:
    uri, _, local = name.rpartition(" ")
    return local.lower() if uri.startswith(NAMESPACES) else ""


_LOCAL_NAMES: Final = Memo(_local_name, 1 << 10)


class IndexReader(BoundedXml):
    """Reads one file; hands the lines of each payment to `take` together."""

    def __init__(self, take: Callable[[list[IndexLine]], None]) -> None:
        super().__init__(_LOCAL_NAMES)
        self._begins = {
            _PAYMENT: self._begin_payment,
            _LINE: self._begin_line,
            _ANSWER: self._count_answer,
        }
        self._take = take
        self._answered_at = ""
        self._payment: dict[str, str] | None = None
        self._at = 0
        self._line: dict[str, str] | None = None
        self._lines: list[dict[str, str]] = []
        self._ended: list[list[IndexLine]] = []

    def hand_on(self) -> None:
        """Hand on the payments that have ended."""
        ended, self._ended = self._ended, []
        for lines in ended:
            self._take(lines)

    def _begin_payment(self) -> None:
        self._payment, self._lines, self._at = {}, [], self.line

    def _begin_line(self) -> None:
        if self._payment is not None:
            self._line = {}
            self._lines.append(self._line)
            if len(self._lines) > MOST_LINES:
                raise self.trouble("too_large", f"a payment has over {MOST_LINES} lines")

    def _count_answer(self) -> None:
        self.counts["messages"] += 1

    def meet(self, place: Place) -> None:
        """Say what is called for the elements of a place that is new."""
        place.at_begin = self._begins.get(place.local)
        local, parent, is_answer = place.local, place.above.local, place.is_below(_ANSWER)
        place.at_end = partial(self._take_text, local, parent, is_answer)

    def _take_text(self, local: str, parent: str, is_answer: bool, text: str) -> None:
        """Take the text of an element, where it is one that is read."""
        if local == _LINE:
            self._line = None
        elif local == _PAYMENT and self._payment is not None:
            self._end_payment(self._payment)
        elif self._payment is None:
            if is_answer and _TIME.fullmatch(text):
                self._answered_at = text
        elif self._line is not None:
            name = _OF_LINE.get(local) or _BY_PARENT.get((parent, local))
            if name is not None:
                self._line[name] = text
        elif (name := _OF_PAYMENT.get(local)) is not None:
            self._payment[name] = text
        elif (parent, local) == _RECIPIENT:
            self._payment["cpr"] = text

    def _end_payment(self, payment: dict[str, str]) -> None:
        self._payment = self._line = None
        self.counts["payments"] += 1
        self._ended.append([self._whole(payment, line) for line in self._lines])

    def _whole(self, payment: dict[str, str], line: dict[str, str]) -> IndexLine:
        """Put a line together: the person is the one whom the benefit was granted."""
        cpr = line.get("cpr") or line.get("cpr_of_line") or payment.get("cpr", "")
        of_line = ("owner", "benefit_class", "benefit_name", "grant", "start")
        owner, benefit_class, benefit_name, grant, start = (line.get(name, "") for name in of_line)
        return IndexLine(
            self._at,
            self._answered_at,
            payment.get("payment", ""),
            payment.get("status", ""),
            cpr,
            owner,
            benefit_class,
            benefit_name,
            grant,
            start,
            line.get("end") or payment.get("last_day", ""),
            line.get("amount", ""),
        )
