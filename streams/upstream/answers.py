"""Reads answers of eIndkomst (services 10 and 11), piece by piece and with bounds.

    answer (time) > person (CPR) > reporter (SE) > reported period > blankets > fields

An answer of the person service has the reporters in the person, one of the company service may have
the persons in the reporter: a number holds for all that its parent element contains. Elements are
known by the URI of their namespace, never by a prefix; others are passed over.

The XML is foreign, and read as `bounded_xml.py` says. The size of a reported period is bounded, and
nothing is kept of it when it has ended.
"""

import re
from collections.abc import Callable
from functools import partial
from typing import Final

from msgspec import Struct

from domain.basics.cache import Memo
from streams.upstream.bounded_xml import BoundedXml, Place, XmlTrouble

NAMESPACES: Final = "http://rep.oio.dk/"
"""The beginning of the namespaces of eIndkomst, and of the elements that it borrows."""
MOST_FIELDS: Final = 4_000
"""Fields, and blankets, of one reported period."""
MOST_PERIODS: Final = 20_000
"""Reported periods of one person in one answer."""
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)?")
_NUMBER: Final = re.compile("[0-9]{1,18}")


class Blanket(Struct, gc=False):
    """A blanket: its number, its fields as (number, text), and the blankets below it."""

    number: str
    fields: list[tuple[int, str]]
    below: "list[Blanket]"

    def says(self, number: int, text: str) -> bool:
        """Tell whether a field has a text."""
        return (number, text) in self.fields

    def first_text(self, number: int) -> str:
        """Return the first text of a field, or ""."""
        for field, text in self.fields:
            if field == number and text:
                return text
        return ""


class ReportedPeriod(Struct, frozen=True, gc=False):
    """One reported period of a person and reporter, as the answer has it; texts may be "".

    `blankets` are those at the top, `all_blankets` with all below them, in the order of the answer.
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
    all_blankets: list[Blanket]
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


def _local_name(name: str) -> str:
    """Give an element's name without its namespace; "" for one of another namespace than ours."""
    uri, _, local = name.rpartition(" ")
    return local if uri.startswith(NAMESPACES) else ""


_LOCAL_NAMES: Final = Memo(_local_name, 1 << 10)
_End = Callable[[str], None]


class AnswerReader(BoundedXml):
    """Reads one file; hands each reported period to `take` and keeps what it counts.

    A place is inside where what it contains belongs to a reported period.
    """

    def __init__(self, take: Callable[[ReportedPeriod], None]) -> None:
        super().__init__(_LOCAL_NAMES)
        self._take = take
        self._scopes: dict[str, list[tuple[int, str]]] = {"cpr": [], "reporter": []}
        self._answered_at = ""
        self._texts: dict[str, str] = {}
        self._line = 0
        self._blankets: list[Blanket] = []
        self._all: list[Blanket] = []
        self._open: list[Blanket] = []
        self._size = 0
        self._person, self._periods = object(), 0
        self._cpr: str | None = None
        self._number = ""
        self._ended: list[ReportedPeriod] = []
        self._ends_outside: dict[str, _End | None] = {
            **dict.fromkeys(_ERRORS, self._count_error),
            **dict.fromkeys((_ANSWER, ""), None),
        }
        self._ends_inside: dict[str, _End] = {
            **{name: partial(self._tell, told) for name, told in (_SCOPED | _OF_PERIOD).items()},
            **dict.fromkeys(_START, partial(self._tell_first, "start")),
            **dict.fromkeys(_END, partial(self._tell_first, "end")),
            **dict.fromkeys(_LEVELS, self._end_blanket),
            _FIELD: self._take_number,
            _CONTENT: self._add_field,
            _NUMBER_OF_BLANKET: self._name_blanket,
            _PERIOD: self._end_period,
        }
        self._begins_outside = {
            _PERIOD: self._begin_period,
            _ANSWER: self._begin_answer,
            _PERSON: self._count_person,
        }
        self._begins_inside = self._begins_outside | dict.fromkeys(_LEVELS, self._begin_blanket)

    def hand_on(self) -> None:
        """Hand on the periods that have ended."""
        ended, self._ended = self._ended, []
        for period in ended:
            self._take(period)

    # --- places -----------------------------------------------------------------------------------

    def meet(self, place: Place) -> None:
        """Say what is called for the elements of a place that is new."""
        begins = self._begins_inside if place.above.is_inside else self._begins_outside
        place.at_begin = begins.get(place.local)
        place.is_inside = place.above.is_inside or place.local == _PERIOD
        self._set_end(place)

    def _set_end(self, place: Place) -> None:
        """Say what is called when an element ends; a number is the period's, or holds for more."""
        local, above = place.local, place.above
        is_of_period = place.is_inside and above.local == _PERIOD
        if local in _SCOPED and not is_of_period:
            self._forget_at_end(above)
            place.at_end = partial(self._hold, _SCOPED[local], above.depth)
        elif place.is_inside:
            place.at_end = self._ends_inside.get(local)
        elif local in self._ends_outside:
            place.at_end = self._ends_outside[local]
        elif place.is_below(_ANSWER):
            place.at_end = self._take_time

    def _forget_at_end(self, place: Place) -> None:
        """Let numbers that hold for an element be forgotten when it ends."""
        if not place.holds:
            place.holds = True
            place.at_end = partial(self._forget, place.depth, place.at_end)

    def _after_period(self, place: Place) -> Place:
        """Give a place in which a reported period has ended, outside of any, even amid another."""
        if not place.is_inside:
            return place
        outside = self.new_place(self._after_period(place.above), place.local)
        self._set_end(outside)
        if place.holds:
            self._forget_at_end(outside)
        return outside

    # --- answers and persons ----------------------------------------------------------------------

    def _begin_answer(self) -> None:
        self.counts["messages"] += 1
        self._cpr = None

    def _take_time(self, text: str) -> None:
        """Take the time of the answer, which any element of its head may say."""
        if _TIME.fullmatch(text):
            self._answered_at = text

    def _count_error(self, _text: str) -> None:
        self.counts["errors"] += 1

    def _count_person(self) -> None:
        self.counts["persons"] += 1
        self._cpr = None

    def _hold(self, name: str, depth: int, text: str) -> None:
        """Hold a number for all that its parent, of a depth, contains."""
        scope = self._scopes[name]
        if scope and scope[-1][0] == depth:
            scope.pop()
        scope.append((depth, text))

    def _forget(self, depth: int, at_end: _End | None, text: str) -> None:
        """Forget the numbers of an element that ends, and call what is called for it."""
        for scope in self._scopes.values():
            while scope and scope[-1][0] >= depth:
                scope.pop()
        if at_end is not None:
            at_end(text)

    def _held(self, name: str) -> str:
        scope = self._scopes[name]
        return scope[-1][1] if scope else ""

    # --- reported periods -------------------------------------------------------------------------

    def _begin_period(self) -> None:
        self._texts, self._line = {}, self.line
        self._blankets, self._all, self._open, self._size = [], [], [], 0

    def _tell(self, name: str, text: str) -> None:
        self._texts[name] = text

    def _tell_first(self, name: str, text: str) -> None:
        self._texts.setdefault(name, text)

    def _end_period(self, _text: str) -> None:
        self.place = self._after_period(self.place)
        self.counts["periods"] += 1
        told = self._texts.get
        cpr = told("cpr") or self._held("cpr")
        if cpr != self._cpr:  # wherever its element stands, and however often
            self._cpr, self._person, self._periods = cpr, object(), 0
        self._periods += 1
        if self._periods > MOST_PERIODS:
            raise self.trouble("too_large", f"a person has over {MOST_PERIODS} reported periods")
        self._ended.append(
            ReportedPeriod(
                self._line,
                self._answered_at,
                cpr,
                told("reporter") or self._held("reporter"),
                told("report", ""),
                told("start", ""),
                told("end", ""),
                told("disposed_on", ""),
                told("employment", ""),
                self._blankets,
                self._all,
                self._person,
            )
        )

    # --- blankets ---------------------------------------------------------------------------------

    def _begin_blanket(self) -> None:
        self._size += 1
        if self._size > MOST_FIELDS:
            raise self._too_many()
        blanket = Blanket("", [], [])
        (self._open[-1].below if self._open else self._blankets).append(blanket)
        self._all.append(blanket)
        self._open.append(blanket)

    def _end_blanket(self, _text: str) -> None:
        self._open.pop()

    def _name_blanket(self, text: str) -> None:
        if self._open:
            number = self._open[-1].number = _BLANKETS[text]
            self.counts[f"blanket {number}"] += 1

    def _too_many(self) -> XmlTrouble:
        """Make the error of a period without a bound; counting by a call too costs 1.5 %."""
        return self.trouble("too_large", f"a reported period has over {MOST_FIELDS} fields")

    def _take_number(self, text: str) -> None:
        self._number = text

    def _add_field(self, text: str) -> None:
        self._size += 1
        if self._size > MOST_FIELDS:
            raise self._too_many()
        number = _FIELDS[self._number]
        if number is not None and self._open:
            self._open[-1].fields.append((number, text))
        self._number = ""


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
