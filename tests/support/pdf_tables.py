"""Reads the tables of a tagged PDF as a program that reads aloud does: cell by cell.

It knows the PDFs that typst writes: no object streams, pages' texts in marked parts, fonts with a
table of the characters of their glyphs.
"""

import re
import zlib
from collections.abc import Iterator
from functools import cached_property

OBJECT = re.compile(rb"^(\d+) 0 obj\n(.*?)\nendobj", re.MULTILINE | re.DOTALL)
REFERENCE = rb"(\d+) 0 R"
PART = re.compile(rb"/(?:Span|\w+)<<[^<>]*?/MCID (\d+)[^<>]*>>BDC(.*?)EMC", re.DOTALL)
FONT = re.compile(rb"/(f\d+) [\d.]+ Tf")
TOKEN = re.compile(rb"/f\d+ [\d.]+ Tf|\\([0-7]{1,3}|.)|[()]", re.DOTALL)
"""The choice of a font, an escape, or the edge of a string, which may have pairs of edges in it."""
GLYPH_BYTES = 2
ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}


class TaggedPdf:
    """A tagged PDF."""

    def __init__(self, content: bytes) -> None:
        self._objects = {int(number): body for number, body in OBJECT.findall(content)}
        self._parts: dict[int, dict[int, str]] = {}

    @cached_property
    def rows(self) -> list[list[str]]:
        """The rows of all tables, headings among them, each with its cells."""
        return [
            [self._text(cell) for cell in self._children(row)]
            for row in self._elements(b"TR", self._root())
        ]

    def texts(self, kind: str) -> list[str]:
        """The texts of the elements of a kind, such as `P`, in their order."""
        return [self._text(number) for number in self._elements(kind.encode(), self._root())]

    def _root(self) -> int:
        (root,) = (n for n, body in self._objects.items() if b"/S/Document" in body)
        return root

    def _elements(self, kind: bytes, number: int) -> Iterator[int]:
        if re.search(rb"/StructElem/S/%s\b" % kind, self._objects[number]):
            yield number
            return
        for child in self._children(number):
            yield from self._elements(kind, child)

    def _children(self, number: int) -> list[int]:
        (kids,) = re.findall(rb"/K\[([^\]]*)\]", self._objects[number])
        return [int(child) for child in re.findall(REFERENCE, kids)]

    def _text(self, number: int) -> str:
        """Return the text of an element, those of its parts together."""
        body = self._objects[number]
        if not (found := re.search(rb"/K\[([^\]]*)\]", body)):
            return ""
        page = re.search(rb"/Pg " + REFERENCE, body)
        texts = []
        for child, is_element in re.findall(rb"(\d+)( 0 R)?", found[1]):
            if is_element:
                texts.append(self._text(int(child)))
            elif page:
                texts.append(self._parts_of(int(page[1]))[int(child)])
        return "".join(texts)

    def _parts_of(self, page: int) -> dict[int, str]:
        """Return the marked texts of a page by their numbers."""
        if page not in self._parts:
            body = self._objects[page]
            resources = self._objects[_reference(body, b"/Resources")]
            fonts = {
                name: self._characters(_reference(self._objects[int(font)], b"/ToUnicode"))
                for name, font in re.findall(rb"/(f\d+) " + REFERENCE, resources)
            }
            content = self._stream(_reference(body, b"/Contents"))
            self._parts[page] = {
                int(number): _shown(part, fonts) for number, part in PART.findall(content)
            }
        return self._parts[page]

    def _characters(self, number: int) -> dict[bytes, str]:
        """Return the characters of a font's glyphs."""
        found = {}
        for part in re.findall(rb"beginbfchar(.*?)endbfchar", self._stream(number), re.DOTALL):
            for glyph, text in re.findall(rb"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>", part):
                found[bytes.fromhex(glyph.decode())] = bytes.fromhex(text.decode()).decode(
                    "utf-16-be"
                )
        return found

    def _stream(self, number: int) -> bytes:
        _, _, content = self._objects[number].partition(b"stream\n")
        return zlib.decompressobj().decompress(content)


def _reference(body: bytes, name: bytes) -> int:
    (number,) = re.findall(name + b" " + REFERENCE, body)
    return int(number)


def _shown(part: bytes, fonts: dict[bytes, dict[bytes, str]]) -> str:
    font: dict[bytes, str] = {}
    texts = []
    for name, glyphs in _strings(part):
        if name:
            font = fonts[name]
        starts = range(0, len(glyphs), GLYPH_BYTES)
        texts += [font[glyphs[at : at + GLYPH_BYTES]] for at in starts]
    return "".join(texts)


def _strings(part: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the names of fonts and the strings that are shown, one of the two at a time."""
    depth, after, string = 0, 0, b""
    for token in TOKEN.finditer(part):
        string += part[after : token.start()] if depth else b""
        after, written = token.end(), token[0]
        if depth and token[1]:
            string += bytes([int(token[1], 8)]) if token[1].isdigit() else _escaped(token[1])
        elif written == b"(":
            string, depth = string + written if depth else b"", depth + 1
        elif written == b")":
            depth -= 1
            string += written if depth else b""
            if not depth:
                yield b"", string
        elif depth:
            string += written
        elif found := FONT.match(written):
            yield found[1], b""


def _escaped(letter: bytes) -> bytes:
    return ESCAPES.get(letter, letter)
