"""Reads the product's own documents and makes pages of them.

They are the Markdown files of `docs`, which the program has with it: the folder `handbook` leads to
them. A page has the address of its file without the ending, so a link between two documents is the
same in both languages. No HTML of a document is let through, and what leads to a file that is no
page stays as text.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from posixpath import dirname, join, normpath
from typing import Any, Final, NamedTuple

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markupsafe import Markup, escape

from streams.web.words import Language

FOLDER: Final = Path(__file__).parent / "handbook"
DECISIONS: Final = "decisions"
GROUPS: Final[Mapping[str, Sequence[str]]] = {
    "municipalities": (
        "filer-i-excel", "lis", "lis-views", "notices", "explanations", "forecast", "invoices",
        "fortegnelse", "glossary",
    ),
    "law": ("law", "ten-rules", "rules", "sources", "rule-sets"),
    "programs": ("contract", "topics", "ledger", "upstream"),
    "operators": (
        "operations", "web", "security", "erasure", "rebuild", "handover", "scale", "licences",
    ),
}  # fmt: skip
"""The documents, by whom they are for."""
SCHEMAS: Final = ("openapi", "asyncapi")
"""Descriptions for programs, which are sent as they are."""
IN_DANISH: Final = frozenset({"law", "filer-i-excel", "fortegnelse", "sources"})

_COMMENT: Final = re.compile(r"^<!--.*?-->\n", re.DOTALL | re.MULTILINE)
_ANCHOR: Final = re.compile(r'<a id="([a-z0-9-]+)"></a>')
_ADDRESS: Final = re.compile(r"([^#]*)(#.*)?")
_FIRST_LEVEL: Final = "h1"
_CONTENTS_LEVEL: Final = "h2"


class Heading(NamedTuple):
    """A heading of a document: the id that links lead to, and its words."""

    name: str
    words: str


class DocumentPage(NamedTuple):
    """A document as a page: its first heading, the headings below it, and the rest as HTML."""

    title: str
    language: Language
    contents: Sequence[Heading]
    text: Markup


def decisions() -> list[str]:
    """Return the names of the decisions, in their order."""
    return sorted(path.stem for path in (FOLDER / DECISIONS).glob("*.md"))


@cache
def names() -> frozenset[str]:
    """Return the name of each document: its path in the folder, without the ending."""
    grouped = {name for group in GROUPS.values() for name in group}
    return frozenset(grouped | {f"{DECISIONS}/{name}" for name in decisions()})


@cache
def document_page(name: str) -> DocumentPage:
    """Make the page of a document that there is."""
    text = (FOLDER / f"{name}.md").read_text("utf-8")
    tokens = _MARKDOWN.parse(_COMMENT.sub("", text))
    headings = _named(tokens)
    _with_links(tokens, name)
    title, rest = headings[0].words, _without_title(tokens)
    contents = [
        Heading(str(token.attrs["id"]), token.meta["words"])
        for token in rest
        if token.type == "heading_open" and token.tag == _CONTENTS_LEVEL
    ]
    html = _MARKDOWN.renderer.render(rest, _MARKDOWN.options, {})
    # Nothing in it is the document's own HTML: the parser takes none.
    return DocumentPage(title, language_of(name), contents, Markup(html))  # noqa: S704


def language_of(name: str) -> Language:
    """Return the language that a document is in."""
    return "da" if name in IN_DANISH else "en"


def schema_text(name: str) -> bytes:
    """Return a description for programs."""
    return (FOLDER / f"{name}.yaml").read_bytes()


# --- headings and links ---------------------------------------------------------------------------


def slug_of(words: str) -> str:
    """Return the id of a heading, as links in the documents write it."""
    return re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")


def _words_of(inline: Token) -> str:
    """Return the words of a line, without its marks."""
    parts = (
        " " if each.type == "softbreak" else each.content
        for each in inline.children or ()
        if each.type in {"text", "code_inline", "softbreak"}
    )
    return "".join(parts)


def _named(tokens: Sequence[Token]) -> list[Heading]:
    """Give each heading an id of its own, and each table the heading that it stands below."""
    headings: list[Heading] = []
    taken: Counter[str] = Counter()
    tables: Counter[str] = Counter()
    for at, token in enumerate(tokens):
        if token.type == "heading_open":
            words = _words_of(tokens[at + 1])
            slug = slug_of(words)
            token.attrSet("id", f"{slug}-{taken[slug]}" if taken[slug] else slug)
            token.meta["words"] = words
            taken[slug] += 1
            headings.append(Heading(slug, words))
        elif token.type == "table_open":
            words = headings[-1].words
            tables[words] += 1
            token.meta["label"] = f"{words} ({tables[words]})" if tables[words] > 1 else words
    return headings


def _without_title(tokens: Sequence[Token]) -> list[Token]:
    """Leave out the first heading: it is that of the page."""
    opened = next(at for at, token in enumerate(tokens) if token.tag == _FIRST_LEVEL)
    return [*tokens[:opened], *tokens[opened + 3 :]]


def _with_links(tokens: Sequence[Token], name: str) -> None:
    """Make each link one of the site; a link to what is no page is taken away around its words."""
    for token in tokens:
        kept: list[Token] = []
        is_link = True
        for each in token.children or ():
            if each.type == "link_open":
                address = address_of(str(each.attrGet("href")), name)
                is_link = address is not None
                each.attrSet("href", address or "")
            if is_link or each.type not in {"link_open", "link_close"}:
                kept.append(each)
        if token.children is not None:
            token.children = kept


def address_of(target: str, name: str) -> str | None:
    """Return the address of what a document links to; None where it is no page.

    Addresses on the site are relative: they begin at the page of the document.
    """
    if target.startswith(("https://", "#")):
        return target
    path, fragment = _ADDRESS.fullmatch(target).groups("")  # type: ignore[union-attr]
    wanted = normpath(join(dirname(name), path))
    if wanted.endswith(".md") and wanted[:-3] in names():
        return path.removesuffix(".md") + fragment
    return path if wanted in {f"{each}.yaml" for each in SCHEMAS} else None


# --- Markdown -------------------------------------------------------------------------------------


def _anchor(state: StateInline, silent: bool) -> bool:
    """Read a place that links lead to: the one kind of HTML that the documents have."""
    match = _ANCHOR.match(state.src, state.pos)
    if match is None:
        return False
    if not silent:
        state.push("anchor_open", "span", 1).attrSet("id", match[1])
        state.push("anchor_close", "span", -1)
    state.pos = match.end()
    return True


def _table_open(_: Any, tokens: Sequence[Token], at: int, *_rest: Any) -> str:
    """Write the beginning of a table that can be scrolled, by keyboard too."""
    label = escape(tokens[at].meta["label"])
    scrolls = f'<div class="scrolls" role="region" aria-label="{label}" tabindex="0">'
    return f'{scrolls}<table class="table">\n'


def _table_close(*_: Any) -> str:
    return "</table></div>\n"


def _cell_open(_: Any, tokens: Sequence[Token], at: int, *_rest: Any) -> str:
    """Write the beginning of a cell; numbers stand to the right by a class, not by a style."""
    cell = tokens[at]
    scope = ' scope="col"' if cell.tag == "th" else ""
    number = ' class="number"' if "right" in str(cell.attrGet("style")) else ""
    return f"<{cell.tag}{scope}{number}>"


def _markdown() -> MarkdownIt:
    """Make the reader of documents."""
    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    reader.inline.ruler.before("html_inline", "anchor", _anchor)
    reader.add_render_rule("table_open", _table_open)
    reader.add_render_rule("table_close", _table_close)
    reader.add_render_rule("th_open", _cell_open)
    reader.add_render_rule("td_open", _cell_open)
    return reader


_MARKDOWN: Final = _markdown()
