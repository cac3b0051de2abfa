"""Each reference to the contract or the rules leads to a heading of its page in docs."""

import re
from collections import defaultdict

import pytest

from tests.house.test_house import files_of_ours, relative
from tests.support.places import DOCS, ROOT

TEXTS = (".md", ".py", ".toml", ".txt", ".yaml", ".yml", "Makefile")
NUMBER = r"\d{1,2}(?:\.\d)?(?![\d.]*\d)(?!,\d)"

CONTRACT = re.compile(rf"\b[Cc]ontract\s+(?:section\s+)?({NUMBER})")
RULES = re.compile(rf"\b[Rr]ules\s+(?:section\s+)?(?={NUMBER}|[Aa]ppendix\s)")
SECTION = re.compile(rf"(?<![Rr]ules )\bsections?\s+({NUMBER})")
APPENDIX = re.compile(r"\b[Aa]ppendix\s+([A-Z])\b")
DECISION = re.compile(r"\b[Dd]ecision\s+(\d{1,2})\b")
PAGE = re.compile(r"(?<![\w./:-])([\w./-]*\w\.md)\b")

ONE_PART = re.compile(
    rf"""\s*(?:,\s*and|and|,|;|:(?=\s*items?\b)|-(?=\d))?\s*
    (?:(?:sections?\s+)?(?P<section>{NUMBER})
      |[Aa]ppendix\s+(?P<appendix>[A-C])
      |(?:section\s+)?(?P<row>[XQ]\d+)[ab]?
      |items?\s+(?P<item>{NUMBER}))""",
    re.VERBOSE,
)


def page(name):
    """Read a page's sections: the text below each numbered heading, by the heading's number."""
    sections, here = defaultdict(list), ""
    for line in (DOCS / name).read_text().splitlines():
        heading = re.match(r"#{2,3} (?:(\d+(?:\.\d+)?)\b|Appendix ([A-Z])\b)", line)
        if heading:
            here = heading[1] or heading[2]
        sections[here].append(line)
    return {number: "\n".join(lines) for number, lines in sections.items() if number}


PAGES = {name: page(name) for name in ("contract.md", "rules.md")}
LAW = PAGES["rules.md"]


def is_item(section, number):
    """Look for an item in the section, or else in 4.2, the rule set's numbered list."""
    text = LAW.get(section, "") + LAW["4.2"]
    return re.search(rf"^{number}\. ", text, re.MULTILINE) is not None


def rules_parts(text):
    """Yield each part of a reference and whether it is there: `9, X2, and 11, Q1` has four."""
    at, here = 0, ""
    while part := ONE_PART.match(text, at):
        at = part.end()
        if part["row"]:
            yield part["row"], part["row"] in re.findall(r"[XQ]\d+", LAW["9"] + LAW["11"])
        elif part["appendix"]:
            yield f"appendix {part['appendix']}", part["appendix"] in LAW
        elif part["item"]:
            yield f"{here} item {part['item']}", is_item(here, part["item"])
        else:
            number = part["section"]
            yield number, number in LAW or is_item(here, number)
            here = number if number in LAW else here


def plain(text):
    """Join the lines of a text, without the marks of comments at their beginnings."""
    return re.sub(r"\s*\n[ \t]*(?:#|//|\*)?[ \t]*", " ", text)


def references(kind):
    """Yield each reference of a kind as (file, what it names, whether that is there)."""
    for path in files_of_ours(*TEXTS):
        name, text = relative(path), plain(path.read_text(errors="replace"))
        if name == "tests/house/test_references.py":
            continue
        yield from ((name, *found) for found in FINDERS[kind](name, text))


def to_contract(_, text):
    for match in CONTRACT.finditer(text):
        yield match[1], match[1] in PAGES["contract.md"]


def to_rules(_, text):
    for match in RULES.finditer(text):
        yield from rules_parts(text[match.end() :])


def to_sections(name, text):
    """Look for a section without a page's name in the page itself, or else in either page."""
    own = PAGES.get(name.removeprefix("docs/"))
    for match in SECTION.finditer(text):
        yield match[1], any(match[1] in known for known in ([own] if own else PAGES.values()))
    for match in APPENDIX.finditer(text):
        yield match[1], match[1] in LAW


def to_decisions(_, text):
    for match in DECISION.finditer(text):
        yield match[1], any((DOCS / "decisions").glob(f"{int(match[1]):04}-*.md"))


def to_pages(name, text):
    folder = (ROOT / name).parent
    for match in PAGE.finditer(text):
        yield match[1], any((base / match[1]).exists() for base in (ROOT, DOCS, folder))


FINDERS = {
    "contract": to_contract,
    "rules": to_rules,
    "sections": to_sections,
    "decisions": to_decisions,
    "pages": to_pages,
}
AT_LEAST = {"contract": 35, "rules": 100, "sections": 60, "decisions": 1, "pages": 20}


@pytest.mark.parametrize("kind", FINDERS)
def test_every_reference_leads_somewhere(kind):
    named = list(references(kind))
    assert sorted({f"{name}: {what}" for name, what, known in named if not known}) == []
    assert len(named) >= AT_LEAST[kind]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("4.2, items 2-4 and 10)", ["4.2", "4.2 item 2", "4", "10"]),
        ("9, X2, and 11, Q1: 23 weekdays", ["9", "X2", "11", "Q1"]),
        ("4.2 item 4, section 11 Q1)", ["4.2", "4.2 item 4", "11", "Q1"]),
        ("3.2: 29 Feb", ["3.2"]),
        ("appendix B", ["appendix B"]),
    ],
)
def test_a_reference_is_read_part_by_part(text, parts):
    assert [part for part, known in rules_parts(text) if known] == parts


@pytest.mark.parametrize("text", ["8.7", "4.2, item 18", "9, X99", "11, Q77", "12.1"])
def test_a_reference_that_leads_nowhere_is_found(text):
    assert not all(known for _, known in rules_parts(text))
