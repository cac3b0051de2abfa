"""`docs/law.md` is what the rule data says now, and says all of it."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from domain.ruledata.ruleset import RuleError
from projections.pages.danish import AFTER, FIELDS
from projections.pages.law import LawCase, law_pages, rule_names
from streams.citizens.rule_sets import PACKAGED, load_rule_set, read_document
from streams.devtools.law_page import cases, cases_for_site, known_rules, law_text
from tests.support.places import ROOT

PAGE, LAW = ROOT / "docs" / "law.md", ROOT / "tests" / "law"
RULES = load_rule_set()
TEXT = PAGE.read_text(encoding="utf-8")
FIRST_PAGES = TEXT[: TEXT.index("\n## 4. ")]


def test_the_document_is_current():
    assert law_text(LAW, PAGE) == TEXT, (
        "docs/law.md is not what the rule data and the law cases say: run `make law`"
    )


def test_the_cases_of_the_site_are_current_and_name_nobody():
    packed = (ROOT / "streams" / "web" / "desk" / "law_cases.yaml").read_text(encoding="utf-8")
    assert cases_for_site(LAW) == packed, "run `make law`: the site has other cases"
    assert not re.search(r"\b\d{10}\b", packed)


def plain(text: str) -> str:
    """Take the links out, which break references up."""
    return re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", text)


def test_every_rule_has_its_reference_remark_dates_and_mark():
    text = plain(TEXT)
    for value in RULES.dated:
        assert value.source.reference in text
        assert value.source.note in text
        assert str(value.valid_from.year) in text
        if value.after_last and value.name != "flex_basis":
            assert f"derefter: {AFTER[value.after_last]}" in text
    for benefit in RULES.benefits.values():
        assert f"### {benefit.code} {benefit.name}\n" in text


def test_the_first_pages_have_every_open_question_with_all_answers_and_all_that_is_left_out():
    text = plain(FIRST_PAGES)
    for question in RULES.questions.values():
        assert question.question in text
        assert f"`{question.switch}: {question.value}`" in text
        for other in question.alternatives:
            assert (
                f"{other.meaning} (`{other.value}`) — {other.not_coded or 'kan vælges.'}"
                in text.replace("ikke kodet: ", "")
            )
    for left_out in RULES.not_coded:
        assert f"| {left_out.rule} | {left_out.reason} | {left_out.reference} |" in text
    assert len(RULES.not_coded) >= 15


def test_the_first_pages_have_everything_that_is_not_verified_and_nothing_that_is():
    chapter = FIRST_PAGES[FIRST_PAGES.index("\n## 2. ") : FIRST_PAGES.index("\n## 3. ")]
    names = rule_names(RULES)
    for value in RULES.dated:
        if value.name.startswith("switches.") or value.name == "validity":
            continue
        marks = {value.source.evidence, *(mark for _, mark in value.source.evidence_of)}
        told = [line for line in chapter.splitlines() if f"**{names[value.name]}**" in line]
        if value.name != "flex_basis":  # some of its years are verified
            assert bool(told) == (marks != {"verified"}), value.name
        for field, mark in value.source.evidence_of:
            if mark != "verified":
                assert any(FIELDS[field] in line for line in told), (value.name, field)


def test_a_remark_that_speaks_of_an_assumption_bears_its_mark():
    for value in RULES.dated:
        if re.search("antag|udled|ekspertviden", value.source.note):
            marks = {value.source.evidence, *(mark for _, mark in value.source.evidence_of)}
            assert marks != {"verified"}, value.name


def test_every_source_has_its_address_and_links_lead_to_it():
    sources = read_document(PACKAGED, "sources.yaml")
    assert isinstance(sources, dict)
    for id_, address in sources["sources"].items():
        assert re.search(
            rf'<a id="(kilde-\d+)"></a>{re.escape(id_)} \| {re.escape(address)} \|', TEXT
        )
    linked = set(re.findall(r"\(#(kilde-\d+)\)", TEXT))
    assert linked == set(re.findall(r'<a id="(kilde-\d+)">', TEXT))


def test_every_case_is_linked_from_each_rule_that_it_shows():
    found = cases(LAW, PAGE, known_rules())
    for case in found:
        assert TEXT.count(f"]({case.link})") == len(case.shows)
        assert (PAGE.parent / case.link).exists()
    assert sum(len(case.shows) for case in found) >= 60


def test_another_value_is_another_page():
    sources = {"S-§6": "somewhere"}
    case = LawCase("A case | with a bar", "case.txt", ("reset.self_support_weeks",))
    before = law_pages(RULES, sources, [case])
    assert "[A case \\| with a bar](case.txt)" in before
    other = replace(
        RULES,
        dated=tuple(
            replace(value, value=39) if value.value == 52 else value for value in RULES.dated
        ),
    )
    assert "Uger med selvforsørgelse til en ny start: 52 hele kalenderuger" in before
    assert "Uger med selvforsørgelse til en ny start: 39 hele kalenderuger" in law_pages(
        other, sources, [case]
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Law cases that may be damaged."""
    (tmp_path / "cases").mkdir()
    shutil.copy(LAW / "cases" / "x02_first_month.txt", tmp_path / "cases")
    (tmp_path / "shows.yaml").write_text("x02_first_month: [staircase.1]\n")
    return tmp_path


@pytest.mark.parametrize(
    ("shows", "problem"),
    [
        ("x02_first_month: [staircase.9]", "shows.yaml: x02_first_month: 'staircase.9' is no rule"),
        ("{}", "shows.yaml: x02_first_month stands either here or among the cases"),
        ("{x02_first_month: [], x99: []}", "shows.yaml: x99 stands either here or among the cases"),
    ],
)
def test_a_list_of_what_cases_show_that_is_not_true_is_refused(folder, shows, problem):
    assert len(cases(folder, PAGE, rule_names(RULES))) == 1
    (folder / "shows.yaml").write_text(shows)
    with pytest.raises(RuleError, match=re.escape(problem)):
        cases(folder, PAGE, rule_names(RULES))
