"""Reads answers of eIndkomst (services 10 and 11), piece by piece and with bounds.

    answer (time) > person (CPR) > reporter (SE) > reported period > blankets > fields

An answer of the person service has the reporters in the person, one of the company service may have
the persons in the reporter: a number holds for all that its parent element contains. Elements are
known by the URI of their namespace, never by a prefix; others are passed over.

The XML is foreign, and read as `bounded_xml.py` says. The size of a reported period is bounded, and
nothing is kept of it when it has ended.
"""

import re
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from domain.basics.cache import Memo
from streams.upstream.bounded_xml import BoundedXml

NAMESPACES: Final = "http://rep.oio.dk/"
"""The beginning of the namespaces of eIndkomst, and of the elements that it borrows."""
MOST_FIELDS: Final = 4_000
"""Fields, and blankets, of one reported period."""
MOST_PERIODS: Final = 20_000
"""Reported periods of one person in one answer."""
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)?")
_NUMBER: Final = re.compile("[0-9]{1,18}")


class Blanket(NamedTuple):
    """A blanket: its number, its fields as (number, text), and the blankets below it."""

    number: str
    fields: list[tuple[int, str]]
    below: "list[Blanket]"

    def texts(self, number: int) -> list[str]:
        """Return the texts of a field."""
        return [text for field, text in self.fields if field == number and text]

    def all(self) -> "Iterator[Blanket]":
        """Yield the blanket and all below it."""
        yield self
        for blanket in self.below:
            yield from blanket.all()


class ReportedPeriod(NamedTuple):
    """One reported period of a person and reporter, as the answer has it; texts may be "".

    `person` is the same object for all periods of one person in one answer.
    """

    line: int
    answered_at: str
    cpr: str
    reporter: str
    report: str
    start: str
    end: str
    disposed_on: str
    employment: str
    blankets: list[Blanket]
    person: object


_CPR: Final = "PersonCivilRegistrationIdentifier"
_SCOPED: Final = {
    _CPR: "cpr",
    "VirksomhedSENummerIdentifikator": "reporter",
    "VirksomhedSENummerIdentifier": "reporter",
}
"""Elements whose text holds for all that their parent contains."""
_OF_PERIOD: Final = {
    "AngivelseVirksomhedEgenIdentifikator": "report",
    "IndkomstPersonGruppeDispositionDato": "disposed_on",
    "AnsaettelseforholdMedarbejderIdentifikator": "employment",
}
_START: Final = frozenset({"StartDate", "AngivelsePeriodeStartDato", "StartDato"})
_END: Final = frozenset({"EndDate", "AngivelsePeriodeSlutDato", "SlutDato"})
_PERIOD: Final = "LoenPeriodeOplysningStruktur"
_ANSWER: Final = "HovedOplysningerSvar"
_PERSON: Final = "IndkomstOplysningPersonStruktur"
_LEVELS: Final = frozenset(f"AngivelseNiveau{level}" for level in range(1, 10))


_FIELD: Final = "BlanketFeltNummerIdentifikator"
_CONTENT: Final = "AngivelseFeltIndholdTekst"
_NUMBER_OF_BLANKET: Final = "BlanketNummerIdentifikator"
_ERRORS: Final = frozenset({"FejlStruktur", "Fejl"})
_READ: Final = frozenset(
    {*_SCOPED, *_OF_PERIOD, *_START, *_END, _PERIOD, *_LEVELS, _FIELD, _CONTENT}
    | {_NUMBER_OF_BLANKET, *_ERRORS}
)
"""Elements whose end is read."""


def _local_name(name: str) -> str:
    """Give an element's name without its namespace; "" for one of another namespace than ours."""
    uri, _, local = name.rpartition(" ")
    return local if uri.startswith(NAMESPACES) else ""


_LOCAL_NAMES: Final = Memo(_local_name, 1 << 10)


class AnswerReader(BoundedXml):
    """Reads one file; hands each reported period to `take` and keeps what it counts."""

    beginning = frozenset({_PERIOD, _ANSWER, _PERSON, *_LEVELS})

    def __init__(self, take: Callable[[ReportedPeriod], None]) -> None:
        super().__init__(_LOCAL_NAMES)
        self._take = take
        self._scopes: dict[str, list[tuple[int, str]]] = {"cpr": [], "reporter": []}
        self._deepest_scope = 0
        self._answered_at = ""
        self._period: dict[str, str] | None = None
        self._line = 0
        self._blankets: list[Blanket] = []
        self._open: list[Blanket] = []
        self._size = 0
        self._person, self._periods = object(), 0
        self._number = ""
        self._ended: list[ReportedPeriod] = []

    def hand_on(self) -> None:
        """Hand on the periods that have ended."""
        ended, self._ended = self._ended, []
        for period in ended:
            self._take(period)

    # --- elements ---------------------------------------------------------------------------------

    def opened(self, local: str) -> None:
        """Begin a period, or a blanket of one."""
        if local == _PERIOD:
            self._period, self._line = {}, self.line
            self._blankets, self._open, self._size = [], [], 0
        elif local in _LEVELS:
            if self._period is None:
                return
            self._grow()
            blanket = Blanket("", [], [])
            (self._open[-1].below if self._open else self._blankets).append(blanket)
            self._open.append(blanket)
        else:
            self.counts["messages" if local == _ANSWER else "persons"] += 1
            self._person, self._periods = object(), 0

    def closed(self, local: str, text: str) -> None:
        """Take a number or a text, where it is one that is read."""
        depth = len(self.path)
        if depth < self._deepest_scope:
            self._leave_scopes(depth)
        if local not in _READ:
            self._pass_over(local, text)
        elif local in _SCOPED:
            scope = self._scopes[_SCOPED[local]]
            if scope and scope[-1][0] == depth:
                scope.pop()
            scope.append((depth, text))
            if local == _CPR and self._period is None:
                self._person, self._periods = object(), 0
            self._deepest_scope = max(depth, self._deepest_scope)
        elif self._period is not None:
            self._end_in_period(local, text, self._period)
        elif local in _ERRORS:
            self.counts["errors"] += 1
        else:
            self._pass_over(local, text)

    def _pass_over(self, local: str, text: str) -> None:
        """Take the time of the answer, which any element of its head may say."""
        if self._period is None and local and _ANSWER in self.path and _TIME.fullmatch(text):
            self._answered_at = text

    def _leave_scopes(self, depth: int) -> None:
        """Forget the numbers of elements that have ended."""
        for scope in self._scopes.values():
            while scope and scope[-1][0] > depth:
                scope.pop()
        self._deepest_scope = max(
            (scope[-1][0] for scope in self._scopes.values() if scope), default=0
        )

    def _end_in_period(self, local: str, text: str, period: dict[str, str]) -> None:
        if local == _FIELD:
            self._number = text
        elif local == _CONTENT:
            self._add_field(text)
        elif local == _NUMBER_OF_BLANKET:
            if self._open:
                self._rename(_BLANKETS[text])
        elif local in _LEVELS:
            self._open.pop()
        elif local in _OF_PERIOD:
            period[_OF_PERIOD[local]] = text
        elif local in _START or local in _END:
            period.setdefault("start" if local in _START else "end", text)
        elif local == _PERIOD:
            self._period = None
            self._ended.append(self._whole(period))

    def _rename(self, number: str) -> None:
        """Give the open blanket its number."""
        former = self._open[-1]
        blanket = self._open[-1] = former._replace(number=number)
        among = self._open[-2].below if len(self._open) > 1 else self._blankets
        among[-1] = blanket
        self.counts[f"blanket {number}"] += 1

    def _grow(self) -> None:
        self._size += 1
        if self._size > MOST_FIELDS:
            raise self.trouble("too_large", f"a reported period has over {MOST_FIELDS} fields")

    def _add_field(self, text: str) -> None:
        self._grow()
        number = _FIELDS[self._number]
        if self._open and number is not None:
            self._open[-1].fields.append((number, text))
        self._number = ""

    def _whole(self, period: dict[str, str]) -> ReportedPeriod:
        report, start, end, disposed_on, employment = (
            period.get(name, "") for name in ("report", "start", "end", "disposed_on", "employment")
        )
        self.counts["periods"] += 1
        self._periods += 1
        if self._periods > MOST_PERIODS:
            raise self.trouble("too_large", f"a person has over {MOST_PERIODS} reported periods")
        return ReportedPeriod(
            self._line,
            self._answered_at,
            self._held("cpr"),
            self._held("reporter"),
            report,
            start,
            end,
            disposed_on,
            employment,
            self._blankets,
            self._person,
        )

    def _held(self, name: str) -> str:
        scope = self._scopes[name]
        return scope[-1][1] if scope else ""


def _short(text: str, digits: int) -> str:
    """Give the last digits of a number of up to 18; "" for what is none.

    >>> _short("10058", 3), _short("16300", 5), _short("x", 3)
    ('058', '16300', '')
    """
    return text[-digits:] if _NUMBER.fullmatch(text) else ""


def _field_number(text: str) -> int | None:
    digits = _short(text, 3)
    return int(digits) if digits else None


def _blanket_number(text: str) -> str:
    return _short(text, 5)


_FIELDS: Final = Memo(_field_number, 1 << 10)
_BLANKETS: Final = Memo(_blanket_number, 1 << 10)
