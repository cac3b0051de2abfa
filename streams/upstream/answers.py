"""Reads answers of eIndkomst (services 10 and 11), piece by piece and with bounds.

    answer (time) > person (CPR) > reporter (SE) > reported period > blankets > fields

An answer of the person service has the reporters in the person, one of the company service may have
the persons in the reporter: a number holds for all that its parent element contains. Elements are
known by the URI of their namespace, never by a prefix; others are passed over.

The XML is foreign. A document type, and with it every entity, is refused; depth, length of a text,
of a tag and of a comment, the number of different names and the size of a reported period are
bounded; nothing is fetched. A file is read in pieces, and of a reported period nothing is kept when
it has ended.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final, NamedTuple
from xml.parsers import expat

from domain.basics.cache import Memo

NAMESPACES: Final = "http://rep.oio.dk/"
"""The beginning of the namespaces of eIndkomst, and of the elements that it borrows."""
READ_BYTES: Final = 1 << 16
DEEPEST: Final = 64
LONGEST_TEXT: Final = 1 << 12
LONGEST_TOKEN: Final = 1 << 19
"""Bytes that the parser may hold back: a tag or a comment is not read before it ends."""
LONGEST_NAME: Final = 1 << 10
MOST_NAMES: Final = 4_000
"""Different names of elements and attributes: the parser keeps each of them."""
MOST_FIELDS: Final = 4_000
"""Fields, and blankets, of one reported period."""
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
    """One reported period of a person and reporter, as the answer has it; texts may be ""."""

    line: int
    answered_at: str
    cpr: str
    reporter: str
    report: str
    start: str
    end: str
    disposed_on: str
    blankets: list[Blanket]


class XmlTrouble(Exception):  # noqa: N818 - what is wrong with a file, told as a reject
    """The XML cannot be read on; `reason` and a sentence, which repeats nothing of the file."""

    def __init__(self, reason: str, line: int, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason
        self.line = line


_SCOPED: Final = {
    "PersonCivilRegistrationIdentifier": "cpr",
    "VirksomhedSENummerIdentifikator": "reporter",
    "VirksomhedSENummerIdentifier": "reporter",
}
"""Elements whose text holds for all that their parent contains."""
_OF_PERIOD: Final = {
    "AngivelseVirksomhedEgenIdentifikator": "report",
    "IndkomstPersonGruppeDispositionDato": "disposed_on",
}
_START: Final = frozenset({"StartDate", "AngivelsePeriodeStartDato", "StartDato"})
_END: Final = frozenset({"EndDate", "AngivelsePeriodeSlutDato", "SlutDato"})
_PERIOD: Final = "LoenPeriodeOplysningStruktur"


def _local_name(name: str) -> str:
    """Give an element's name without its namespace; "" for one of another namespace than ours."""
    uri, _, local = name.rpartition(" ")
    return local if uri.startswith(NAMESPACES) else ""


_LOCAL_NAMES: Final = Memo(_local_name, 1 << 10)


class AnswerReader:
    """Reads one file; hands each reported period to `take` and keeps what it counts."""

    def __init__(self, take: Callable[[ReportedPeriod], None]) -> None:
        self._take = take
        self.counts: Counter[str] = Counter()
        self._path: list[str] = []
        self._text: list[str] = []
        self._length = 0
        self._scopes: dict[str, list[tuple[int, str]]] = {"cpr": [], "reporter": []}
        self._deepest_scope = 0
        self._answered_at = ""
        self._period: dict[str, str] | None = None
        self._line = 0
        self._blankets: list[Blanket] = []
        self._open: list[Blanket] = []
        self._size = 0
        self._number = ""
        self._names: set[str] = set()
        self._ended: list[ReportedPeriod] = []
        self._parser = expat.ParserCreate(namespace_separator=" ")
        settings = {
            "buffer_text": True,
            "StartElementHandler": self._begin,
            "EndElementHandler": self._end,
            "CharacterDataHandler": self._take_text,
            "StartNamespaceDeclHandler": self._learn_namespace,
            "StartDoctypeDeclHandler": self._refuse_doctype,
            "EntityDeclHandler": self._refuse_doctype,
        }
        for name, value in settings.items():
            setattr(self._parser, name, value)
        self._parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)

    def read(self, file: BinaryIO) -> None:
        """Read the file to its end. Raises XmlTrouble, after what stood before was handed on."""
        given = 0
        try:
            while piece := file.read(READ_BYTES):
                given += len(piece)
                self._parse(piece, is_last=False)
                self._hand_on()
                if given - self._parser.CurrentByteIndex > LONGEST_TOKEN:
                    raise self._stop("too_large", "a tag or a comment does not end")
            self._parse(b"", is_last=True)
        finally:
            self._hand_on()

    def _parse(self, piece: bytes, *, is_last: bool) -> None:
        try:
            self._parser.Parse(piece, is_last)
        except expat.ExpatError as error:
            words = expat.ErrorString(error.code)
            raise XmlTrouble(
                "bad_xml",
                error.lineno,
                f"the XML cannot be read on ({words}): it is cut off, damaged or in another"
                " encoding than it says; get the answer again",
            ) from None
        except (ValueError, LookupError):  # an encoding that Python does not know either
            raise XmlTrouble(
                "bad_xml", self._parser.CurrentLineNumber, "the XML has an unknown encoding"
            ) from None

    def _hand_on(self) -> None:
        """Hand on the periods that have ended: outside the parser, whose errors mean the file."""
        ended, self._ended = self._ended, []
        for period in ended:
            self._take(period)

    def _stop(self, reason: str, sentence: str) -> XmlTrouble:
        return XmlTrouble(reason, self._parser.CurrentLineNumber, sentence)

    def _refuse_doctype(self, *_args: object) -> None:
        raise self._stop(
            "unsafe_xml",
            "the XML declares a document type or an entity, which no answer does; it is not read",
        )

    # --- elements ---------------------------------------------------------------------------------

    def _learn(self, name: str) -> None:
        """Count a name that has not been there yet, with a bound for them all."""
        if len(name) > LONGEST_NAME:
            raise self._stop("too_large", f"a name is longer than {LONGEST_NAME} characters")
        self._names.add(name)
        if len(self._names) > MOST_NAMES:
            raise self._stop("too_large", f"the XML has over {MOST_NAMES} different names")

    def _learn_namespace(self, prefix: str | None, uri: str | None) -> None:
        for name in (prefix or "", uri or ""):
            if name not in self._names:
                self._learn(name)

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        for each in (name, *attributes):
            if each not in self._names:
                self._learn(each)
        local = _LOCAL_NAMES[name]
        self._path.append(local)
        self._text.clear()
        self._length = 0
        if len(self._path) > DEEPEST:
            raise self._stop("too_deep", f"the XML is nested deeper than {DEEPEST} elements")
        if local == _PERIOD:
            self._period, self._line = {}, self._parser.CurrentLineNumber
            self._blankets, self._open, self._size = [], [], 0
        elif local.startswith("AngivelseNiveau") and self._period is not None:
            self._grow()
            blanket = Blanket("", [], [])
            (self._open[-1].below if self._open else self._blankets).append(blanket)
            self._open.append(blanket)
        elif local in {"HovedOplysningerSvar", "IndkomstOplysningPersonStruktur"}:
            self.counts["messages" if local.startswith("Hoved") else "persons"] += 1

    def _take_text(self, text: str) -> None:
        self._length += len(text)
        if self._length > LONGEST_TEXT:
            raise self._stop("too_large", f"a text is longer than {LONGEST_TEXT} characters")
        self._text.append(text)

    def _end(self, _name: str) -> None:
        local = self._path.pop()
        text = "".join(self._text).strip()
        self._text.clear()
        depth = len(self._path)
        if depth < self._deepest_scope:
            self._leave_scopes(depth)
        if not local:
            return
        if local in _SCOPED:
            scope = self._scopes[_SCOPED[local]]
            if scope and scope[-1][0] == depth:
                scope.pop()
            scope.append((depth, text))
            self._deepest_scope = max(depth, self._deepest_scope)
        elif self._period is not None:
            self._end_in_period(local, text, self._period)
        elif "HovedOplysningerSvar" in self._path and _TIME.fullmatch(text):
            self._answered_at = text
        elif local in {"FejlStruktur", "Fejl"}:
            self.counts["errors"] += 1

    def _leave_scopes(self, depth: int) -> None:
        """Forget the numbers of elements that have ended."""
        for scope in self._scopes.values():
            while scope and scope[-1][0] > depth:
                scope.pop()
        self._deepest_scope = max(
            (scope[-1][0] for scope in self._scopes.values() if scope), default=0
        )

    def _end_in_period(self, local: str, text: str, period: dict[str, str]) -> None:
        if local == "BlanketFeltNummerIdentifikator":
            self._number = text
        elif local == "AngivelseFeltIndholdTekst":
            self._add_field(text)
        elif local == "BlanketNummerIdentifikator":
            if self._open:
                self._rename(_short(text, 5))
        elif local.startswith("AngivelseNiveau"):
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
            raise self._stop("too_large", f"a reported period has over {MOST_FIELDS} fields")

    def _add_field(self, text: str) -> None:
        self._grow()
        number = _short(self._number, 3)
        if self._open and number:
            self._open[-1].fields.append((int(number), text))
        self._number = ""

    def _whole(self, period: dict[str, str]) -> ReportedPeriod:
        report, start, end, disposed_on = (
            period.get(name, "") for name in ("report", "start", "end", "disposed_on")
        )
        self.counts["periods"] += 1
        return ReportedPeriod(
            self._line,
            self._answered_at,
            self._held("cpr"),
            self._held("reporter"),
            report,
            start,
            end,
            disposed_on,
            self._blankets,
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
