"""Catalogues: each sentence that the program says is there in Danish and in English."""

import ast
import re
from pathlib import Path
from string import Formatter
from typing import get_args

import pytest

import domain
from domain.basics.sentences import NOTHING, sentence
from domain.citizen.doubts import ADVICE, ONE_REPORTER
from domain.explain.fates import Fate
from domain.explain.reasons import Role, State
from projections.audit.postings import REASONS
from projections.runs.files import MEANINGS
from streams.kit.catalogue import (
    Catalogue,
    CatalogueError,
    Language,
    dumped,
    phrases,
    read_catalogue,
)
from streams.wire.shapes import Fact

LANGUAGES: tuple[Language, ...] = get_args(Language)
TOP = Path(domain.__file__).parents[1]
PLACES = ("domain/explain", "projections/ledger", "streams/explain")
ID = re.compile(r"[a-z_]+\.[a-zA-Z_]+")
MADE = {
    *(f"fate.{fate}" for fate in get_args(Fate)),
    *(f"fate_says.{fate}" for fate in get_args(Fate) if fate != "counts"),
    *(f"state.{state}" for state in get_args(State)),
    *(f"role.{role}" for role in get_args(Role)),
    *(f"sign.{name}" for name in ("before", "other", "self", "earned", "start")),
    *(f"posted.{fate}" for fate in ("stands", "reverses", "reversed")),
    *(f"diff.{column}" for column in ("before", "after")),
    *(f"reason.{reason}" for reason in REASONS),
    *(f"fact.{fact}" for fact in get_args(Fact)),
}
"""Ids that are put together when they are said."""


def ids_in_the_program():
    """The ids of sentences in the rooms that explain, with those that are put together."""
    heads = {known.partition(".")[0] for known in phrases("explanations", "en")}
    found = set(MADE)
    for place in PLACES:
        for path in (TOP / place).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    is_id = ID.fullmatch(node.value) is not None
                    if is_id and node.value.partition(".")[0] in heads:
                        found.add(node.value)
    return found


def names_in(text):
    return sorted({name for _, name, _, _ in Formatter().parse(text) if name})


def holes(wanted, catalogues):
    """The ids that some catalogues lack, by language."""
    return {
        (language, missing)
        for language, known in catalogues.items()
        for missing in wanted - {*known}
    }


@pytest.mark.parametrize("part", ["explanations", "notices"])
def test_no_sentence_is_missing_in_either_language(part):
    catalogues = {language: phrases(part, language) for language in LANGUAGES}
    every = {known for entries in catalogues.values() for known in entries}
    assert holes(every, catalogues) == set()
    for known in every:
        danish, english = (catalogues[language][known] for language in LANGUAGES)
        assert names_in(danish.one + danish.other) == names_in(english.one + english.other), known
        assert all(danish), known
        assert all(english), known


def test_every_sentence_of_the_program_is_in_the_catalogues_and_no_other():
    catalogues = {language: phrases("explanations", language) for language in LANGUAGES}
    wanted = ids_in_the_program()
    assert len(wanted) > 100
    assert holes(wanted, catalogues) == set()
    assert {*catalogues["en"]} == wanted


def test_a_hole_is_found():
    known = dict(phrases("explanations", "da"))
    del known["ahead.last"]
    assert holes(ids_in_the_program(), {"da": known}) == {("da", "ahead.last")}


def test_every_notice_has_its_meaning_and_its_advice_in_both_languages():
    for language in LANGUAGES:
        known = phrases("notices", language)
        for code in ADVICE:
            assert {f"meaning.{code}", f"advice.{code}"} <= {*known}, (language, code)
    english, danish = (phrases("notices", language) for language in ("en", "da"))
    for code, advice in ADVICE.items():
        assert english[f"advice.{code}"].one == advice
    assert english["advice_one_reporter.possible_duplicate"].one == ONE_REPORTER
    for code, meaning in MEANINGS.items():
        assert danish[f"meaning.{code}"].one == meaning.meaning


@pytest.mark.parametrize(("number", "said"), [(1, "1 uge mere"), (2, "2 uger mere")])
def test_a_plural_is_chosen_by_the_number(number, said):
    step = sentence("ahead.step", number=number, refusion=40, medfinansiering=60)
    assert Catalogue("da").say(step).startswith(said)


def test_sentences_stand_in_sentences():
    several = (sentence("change.amount"), sentence("change.rate"))
    said = Catalogue("da").say(sentence("change.several", differences=several))
    assert said == "et andet beløb, en anden procent for samme uge"
    assert Catalogue("da").say(NOTHING) == ""


@pytest.mark.parametrize(
    ("language", "written"), [("en", "-1,234,567.89"), ("da", "-1.234.567,89")]
)
def test_amounts_are_written_as_the_language_does(language, written):
    assert Catalogue(language).kroner(-123456789) == written


def test_an_unknown_sentence_and_a_line_that_is_none_are_defects():
    with pytest.raises(CatalogueError, match=r"no sentence x\.y in da"):
        Catalogue("da").text("x.y")
    with pytest.raises(CatalogueError, match="line 2"):
        read_catalogue(['msgid "a"', "msgstr a"])


def test_texts_in_several_lines_and_with_quotes_are_read():
    lines = ["# a remark", 'msgid ""', 'msgstr "Language: da\\n"', "", 'msgid "a"', 'msgstr ""',
             '"one "', '"\\"two\\"\\n"']  # fmt: skip
    assert read_catalogue(lines) == {"a": ('one "two"\n', 'one "two"\n')}


def test_json_has_text_where_there_is_a_sentence():
    assert dumped({"a": [sentence("ahead.last")]}, Catalogue("en")) == (
        '{\n  "a": [\n    "There is no further step."\n  ]\n}'
    )
    with pytest.raises(TypeError):
        dumped({"a": object()}, Catalogue("en"))
