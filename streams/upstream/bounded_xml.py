"""Reads foreign XML piece by piece, with bounds.

A document type, and with it every entity, is refused; depth, length of a text, of a tag and of a
comment, and the number of different names are bounded; nothing is fetched. Elements are known by
the URI of their namespace, never by a prefix; others are passed over.
"""

from collections import Counter
from typing import TYPE_CHECKING, BinaryIO, Final
from xml.parsers import expat

from domain.basics.cache import Memo

if TYPE_CHECKING:
    from collections.abc import Callable

READ_BYTES: Final = 1 << 16
DEEPEST: Final = 64
LONGEST_TEXT: Final = 1 << 12
LONGEST_TOKEN: Final = 1 << 19
"""Bytes that the parser may hold back: a tag or a comment is not read before it ends."""
LONGEST_NAME: Final = 1 << 10
MOST_NAMES: Final = 4_000
"""Different names of elements and attributes: the parser keeps each of them."""
MOST_PLACES: Final = 10_000
"""Different paths of elements that are kept."""


class XmlTrouble(Exception):  # noqa: N818 - what is wrong with a file, told as a reject
    """The XML cannot be read on; `reason` and a sentence, which repeats nothing of the file."""

    def __init__(self, reason: str, line: int, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason
        self.line = line


class Place(dict[str, "Place"]):
    """The elements of one path from the top; it gives the place of those below it by their names.

    What is to be called for an element is looked up once for its place: so an element costs little.
    `local` is their local name, "" for one of another namespace; `above` is the place that contains
    them, itself for the top. `at_begin` and `at_end` are called for each element, with its own text
    at its end. `is_inside` and `holds` are the subclass's own.
    """

    __slots__ = ("_make", "above", "at_begin", "at_end", "depth", "holds", "is_inside", "local")

    def __init__(
        self, above: "Place | None", local: str, make: "Callable[[Place, str], Place]"
    ) -> None:
        self.above = self if above is None else above
        self.depth: int = 0 if above is None else above.depth + 1
        self.local = local
        self.at_begin: Callable[[], None] | None = None
        self.at_end: Callable[[str], None] | None = None
        self.is_inside = self.holds = False
        self._make = make

    def __missing__(self, name: str) -> "Place":
        return self._make(self, name)

    def is_below(self, local: str) -> bool:
        """Tell if an element of this name contains the place."""
        return self.depth > 0 and (self.above.local == local or self.above.is_below(local))


class BoundedXml:
    """Reads one file; a subclass is told of elements that begin and end, with their text.

    `counts` are what the subclass counts, `place` is that of the element that is open.
    """

    def __init__(self, names: Memo[str, str]) -> None:
        """`names` gives the local name of an element of ours, "" for another."""
        self.counts: Counter[str] = Counter()
        self._local_names = names
        self._pieces: list[str] = []
        self._names = Memo(self._learn, MOST_NAMES + 1)
        self.place = Place(None, "", self._make_place)
        self._places: list[Place] = []
        # `_begin` looks each name up itself, and `_end` none: a second table of them costs twice.
        self._parser = expat.ParserCreate(namespace_separator=" ", intern=None)
        settings = {
            "buffer_text": True,
            "StartElementHandler": self._begin,
            "EndElementHandler": self._end,
            "CharacterDataHandler": self._pieces.append,  # no frame of Python for each text
            "StartNamespaceDeclHandler": self._learn_namespace,
            "StartDoctypeDeclHandler": self._refuse_doctype,
            "EntityDeclHandler": self._refuse_doctype,
        }
        for name, value in settings.items():
            setattr(self._parser, name, value)
        self._parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)

    @property
    def line(self) -> int:
        """The line at which the reading is."""
        return self._parser.CurrentLineNumber

    def meet(self, place: Place) -> None:
        """Say what is called for the elements of a place that is new."""
        raise NotImplementedError

    def hand_on(self) -> None:
        """Hand on what has ended: outside the parser, whose errors mean the file."""
        raise NotImplementedError

    def read(self, file: BinaryIO) -> None:
        """Read the file to its end. Raises XmlTrouble, after what stood before was handed on."""
        given = 0
        try:
            while piece := file.read(READ_BYTES):
                given += len(piece)
                self._parse(piece, is_last=False)
                if sum(map(len, self._pieces)) > LONGEST_TEXT:
                    raise self._too_long()
                self.hand_on()
                if given - self._parser.CurrentByteIndex > LONGEST_TOKEN:
                    raise self.trouble("too_large", "a tag or a comment does not end")
            self._parse(b"", is_last=True)
        finally:
            self.hand_on()

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

    def trouble(self, reason: str, sentence: str) -> XmlTrouble:
        """Make the error of the place at which the reading is."""
        return XmlTrouble(reason, self._parser.CurrentLineNumber, sentence)

    def _refuse_doctype(self, *_args: object) -> None:
        raise self.trouble(
            "unsafe_xml",
            "the XML declares a document type or an entity, which no answer does; it is not read",
        )

    def _learn(self, name: str) -> str:
        """Count a name that is new, with a bound for them all; give its local part."""
        if len(name) > LONGEST_NAME:
            raise self.trouble("too_large", f"a name is longer than {LONGEST_NAME} characters")
        if len(self._names) >= MOST_NAMES:
            raise self.trouble("too_large", f"the XML has over {MOST_NAMES} different names")
        return self._local_names[name]

    def _learn_namespace(self, prefix: str | None, uri: str | None) -> None:
        for name in (prefix or "", uri or ""):
            self._names[name]

    def _make_place(self, above: Place, name: str) -> Place:
        """Make the place of an element that none of its path came before."""
        local = self._names[name]
        if above.depth >= DEEPEST:
            raise self.trouble("too_deep", f"the XML is nested deeper than {DEEPEST} elements")
        place = self.new_place(above, local)
        above[name] = place
        self.meet(place)
        return place

    def new_place(self, above: Place, local: str) -> Place:
        """Give a place that is not found by its name."""
        if len(self._places) >= MOST_PLACES:
            self._forget_places()
        place = Place(above, local, self._make_place)
        self._places.append(place)
        return place

    def _forget_places(self) -> None:
        """Forget all places, which are made again when they come; those that are open stay."""
        for place in self._places:
            place.clear()  # places above and below hold each other
        self._places.clear()
        still_open = self.place
        while still_open.depth:
            self._places.append(still_open)
            still_open = still_open.above

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        if attributes:
            for each in attributes:
                self._names[each]
        if self._pieces:
            self._whole_text("")  # it stands before an element, and is nobody's
        self.place = place = self.place[name]
        if place.at_begin is not None:
            place.at_begin()

    def _end(self, _name: str) -> None:
        """Call what is called for an element that is no longer open, with its own text."""
        ended = self.place
        self.place = ended.above
        text = ""
        if pieces := self._pieces:
            text = pieces.pop()
            if pieces or len(text) > LONGEST_TEXT:
                text = self._whole_text(text)
        if ended.at_end is not None:
            ended.at_end(text.strip())

    def _whole_text(self, last: str) -> str:
        """Put the pieces of a text together, the last of which was taken out already."""
        text = "".join(self._pieces) + last
        self._pieces.clear()
        if len(text) > LONGEST_TEXT:
            raise self._too_long()
        return text

    def _too_long(self) -> XmlTrouble:
        return self.trouble("too_large", f"a text is longer than {LONGEST_TEXT} characters")
