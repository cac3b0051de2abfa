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


class XmlTrouble(Exception):  # noqa: N818 - what is wrong with a file, told as a reject
    """The XML cannot be read on; `reason` and a sentence, which repeats nothing of the file."""

    def __init__(self, reason: str, line: int, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason
        self.line = line


class BoundedXml:
    """Reads one file; a subclass is told of elements that begin and end, with their text.

    `counts` are what the subclass counts. `path` are the local names of the elements that are open,
    "" for one of another namespace. `begins` and `ends` are what is called for an element, by its
    local name; for all others `passed_over` is called while `reads_others` says so. `left` is
    called where fewer elements are open than `fewest`.
    """

    def __init__(self, names: Memo[str, str]) -> None:
        """`names` gives the local name of an element of ours, "" for another."""
        self.counts: Counter[str] = Counter()
        self.path: list[str] = []
        self.begins: dict[str, Callable[[], None]] = {}
        self.ends: dict[str, Callable[[str], None]] = {}
        self.fewest = 0
        self.reads_others = False
        self._local_names = names
        self._pieces: list[str] = []
        self._names = Memo(self._learn, MOST_NAMES + 1)
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

    def passed_over(self, local: str, text: str) -> None:
        """Take the end of an element for which nothing else is called."""
        raise NotImplementedError

    def left(self) -> None:
        """Take the end of an element that was among the fewest."""

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

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        if attributes:
            for each in attributes:
                self._names[each]
        local, path = self._names[name], self.path
        path.append(local)
        if self._pieces:
            self._take_text()  # it stands before an element, and is nobody's
        if len(path) > DEEPEST:
            raise self.trouble("too_deep", f"the XML is nested deeper than {DEEPEST} elements")
        if local in self.begins:
            self.begins[local]()

    def _take_text(self) -> str:
        """Give the text since the last tag; the next one begins."""
        pieces = self._pieces
        text = pieces[0] if len(pieces) == 1 else "".join(pieces)
        pieces.clear()
        if len(text) > LONGEST_TEXT:
            raise self._too_long()
        return text.strip()

    def _too_long(self) -> XmlTrouble:
        return self.trouble("too_large", f"a text is longer than {LONGEST_TEXT} characters")

    def _end(self, _name: str) -> None:
        """Call what is called for an element that has left the path, with its own text."""
        path = self.path
        local, text = path.pop(), self._take_text() if self._pieces else ""
        if len(path) < self.fewest:
            self.left()
        if local in self.ends:
            self.ends[local](text)
        elif self.reads_others:
            self.passed_over(local, text)
