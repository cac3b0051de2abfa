"""Makes the page of rules of the law document: its chapters and sections, to be searched.

The document is that of `make law` (`projections.pages.law`): every value with its dates, §, source,
evidence mark and cases, the open questions with their answers, and what another rule set changes.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final

import yaml
from markdown_it import MarkdownIt
from markupsafe import Markup

from projections.pages.law import LawCase, law_pages
from streams.citizens.rule_sets import PACKAGED, LawBook, read_document

CASES: Final = Path(__file__).parent / "law_cases.yaml"
CASE_ADDRESS: Final = "/regler/sager/"
SOURCES: Final = "Kilder"
MOST_BOOKS: Final = 16
"""Documents that are kept, by the content of the files that they are made of."""
_MARKDOWN: Final = MarkdownIt("commonmark", {"html": False}).enable("table")


@dataclass(frozen=True)
class RuleSection:
    """A section of the document: a rule, a benefit, an open question, or a whole chapter."""

    title: str
    text: str
    page_text: Markup

    def has(self, words: Sequence[str], chapter: str) -> bool:
        """Tell whether every word is in it, or in the title of its chapter."""
        content = f"{chapter}\n{self.title}\n{self.text}".casefold()
        return all(word in content for word in words)


@dataclass(frozen=True)
class RuleChapter:
    """A chapter with its sections."""

    title: str
    opening: Markup
    sections: Sequence[RuleSection]


@dataclass(frozen=True)
class RuleBook:
    """The document of a rule set, or what another one changes in it."""

    opening: Markup
    chapters: Sequence[RuleChapter]
    sources: Mapping[str, str]

    def found(self, words: Sequence[str]) -> list[RuleChapter]:
        """Return the chapters with the sections that have every word."""
        chapters = []
        for chapter in self.chapters:
            sections = [
                section for section in chapter.sections if section.has(words, chapter.title)
            ]
            if sections:
                chapters.append(RuleChapter(chapter.title, Markup(), sections))
        return chapters


@cache
def law_cases() -> Mapping[str, Mapping[str, Any]]:
    """Return the worked cases by their names: `title`, `shows` and `text`."""
    found: dict[str, dict[str, Any]] = yaml.safe_load(CASES.read_text("utf-8"))
    return found


def listed_cases() -> list[LawCase]:
    """Return the worked cases as the document names them."""
    return [
        LawCase(case["title"], CASE_ADDRESS + at, tuple(case["shows"]))
        for at, case in law_cases().items()
    ]


def rule_book(folder: Path | None, name: str, against: str = "") -> RuleBook:
    """Make the document of a rule set, or what another one changes against it.

    Raises UserError where a rule set is not known, or cannot be used.
    """
    return _made(folder, name, against, _digest(folder))


def _digest(folder: Path | None) -> str:
    """Return the digest of the rule files of one's own: they may change while the site runs."""
    known = hashlib.sha256()
    for file in sorted(folder.glob("*.yaml")) if folder else ():
        known.update(hashlib.sha256(file.read_bytes()).digest() + file.name.encode())
    return known.hexdigest()


@lru_cache(maxsize=MOST_BOOKS)
def _made(folder: Path | None, name: str, against: str, _content: str) -> RuleBook:
    book = LawBook(folder)
    sources = read_document(PACKAGED, "sources.yaml")["sources"]  # type: ignore[index]
    cases = listed_cases()
    rules = book.law(name).rules
    later = [book.law(against).rules] if against else []
    text = law_pages(rules, sources, cases, later)
    opening, *parts = re.split(r"^## ", text, flags=re.MULTILINE)
    chapters = [_chapter(part) for part in parts]
    kept = [chapter for chapter in chapters if chapter.title != SOURCES]
    if against:
        kept = [chapter for chapter in kept if chapter.title.startswith("Regelsæt ")]
    return RuleBook(_html(opening.partition("\n")[2]), kept, sources)


def _chapter(text: str) -> RuleChapter:
    """Read a chapter; one without sections is a section itself."""
    title, _, content = text.partition("\n")
    opening, *parts = re.split(r"^### ", content, flags=re.MULTILINE)
    sections = [_section(*part.partition("\n")[::2]) for part in parts]
    if not sections:
        return RuleChapter(title, Markup(), [_section(title, content)])
    return RuleChapter(title, _html(opening), sections)


def _section(title: str, text: str) -> RuleSection:
    return RuleSection(title, text, _html(text))


def _html(text: str) -> Markup:
    """Make HTML of our own Markdown; HTML in it stays text."""
    return Markup(_MARKDOWN.render(text))  # noqa: S704 - markdown-it escapes what is no Markdown
