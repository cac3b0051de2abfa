"""Rule files that are missing, misshapen or not YAML are refused by their names."""

import copy
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from domain.law.old_cases import TRANSITIONAL
from domain.law.staircase import Law
from domain.ruledata.reading import FILES, rule_set_from
from domain.ruledata.ruleset import RuleError
from streams.citizens.rule_sets import load_rule_set
from tests.support.rule_damage import DOCUMENTS, FOLDER, OWN, RULES, at


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place of a document that holds a value: its container and its key there."""
    keys = (
        list(value)
        if isinstance(value, dict)
        else range(len(value))
        if isinstance(value, list)
        else ()
    )
    for key in keys:
        yield value, key
        yield from places(value[key])


@pytest.mark.parametrize("file", [*FILES, OWN])
def test_no_damage_anywhere_ends_in_another_error(file: str) -> None:
    """Whatever stands wherever: the rules load, or the error is one of ours."""
    documents = copy.deepcopy(DOCUMENTS)
    refused = 0
    nonsense: tuple[object, ...] = (None, [[]], {}, -1)
    for container, key in places(documents[file]):
        kept = container[key]
        for value in nonsense:
            container[key] = value
            try:
                rule_set_from(OWN, documents)
            except RuleError as error:
                refused += str(error).startswith(("accounts.yaml: ", f"{file}: "))
        container[key] = kept
    assert refused > 40
    assert rule_set_from(OWN, documents) == RULES


@pytest.mark.parametrize("file", [*FILES, OWN])
@pytest.mark.parametrize("nonsense", ["x" * 9_000, "two\nlines"])
def test_an_error_is_a_line_however_long_what_stands_in_a_file_is(file: str, nonsense: str) -> None:
    """A value or a key that is no name of ours: it must not fill a log."""
    documents = copy.deepcopy(DOCUMENTS)
    said = []
    for container, key in [*places(documents[file])]:
        kept = dict(container) if isinstance(container, dict) else list(container)
        for is_key in (False, isinstance(container, dict)):
            container[nonsense if is_key else key] = nonsense
            try:
                rule_set_from(OWN, documents)
            except RuleError as error:
                said.append(str(error))
            if isinstance(container, dict):
                container.clear()
                container.update(kept)
            else:
                container[:] = kept
    assert len(said) > 20
    assert max(map(len, said)) < 2_000
    assert not any("\n" in line for line in said)


@pytest.mark.parametrize("code", RULES.benefits)
def test_a_catalogue_without_a_benefit_is_refused_or_can_be_settled_by(code: str) -> None:
    documents: Any = copy.deepcopy(DOCUMENTS)
    (benefit,) = (each for each in documents["catalogue.yaml"]["benefits"] if each["code"] == code)
    benefit["code"] = "OTHER"
    for account in documents["accounts.yaml"]["accounts"]:
        account["benefits"] = ["OTHER" if each == code else each for each in account["benefits"]]
    with suppress(RuleError):
        assert code not in Law(rule_set_from(OWN, documents)).counting


@pytest.mark.parametrize("code", sorted(TRANSITIONAL))
def test_a_catalogue_has_the_benefits_that_the_law_treats_by_their_codes(code: str) -> None:
    documents: Any = copy.deepcopy(DOCUMENTS)
    benefits = documents["catalogue.yaml"]["benefits"]
    documents["catalogue.yaml"]["benefits"] = [each for each in benefits if each["code"] != code]
    with pytest.raises(RuleError, match=f"there is no {code}, which the law treats by its code"):
        rule_set_from(OWN, documents)


def test_undamaged_documents_give_the_loaded_rule_set() -> None:
    assert rule_set_from(OWN, copy.deepcopy(DOCUMENTS)) == RULES


@pytest.mark.parametrize("file", [*FILES, OWN])
def test_a_missing_an_empty_and_a_misshapen_file_are_named(file: str) -> None:
    without = {name: document for name, document in DOCUMENTS.items() if name != file}
    with pytest.raises(RuleError, match=f"^{re.escape(file)}: missing"):
        rule_set_from(OWN, without)
    contents: tuple[object, ...] = (None, [], "text", 7)
    for content in contents:
        with pytest.raises(
            RuleError, match=f"^{re.escape(file)}: entry .whole file.: is not a mapping"
        ):
            rule_set_from(OWN, without | {file: content})


def test_a_file_that_nobody_reads_is_refused() -> None:
    with pytest.raises(RuleError, match=r"^ceilings\.yaml: unknown"):
        rule_set_from(OWN, {**DOCUMENTS, "ceilings.yaml": {}})


def test_a_second_switch_and_a_missing_one_are_named() -> None:
    documents = copy.deepcopy(DOCUMENTS)
    switches = at(documents[OWN])["switches"]
    assert isinstance(switches, list)
    switches.append(switches[0])
    with pytest.raises(
        RuleError, match="entry SPLIT: field name: 'SPLIT' stands in an earlier entry"
    ):
        rule_set_from(OWN, documents)
    del switches[-1], switches[0]
    with pytest.raises(RuleError, match="field switches: no entry for SPLIT"):
        rule_set_from(OWN, documents)


# Files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the rule files that may be damaged."""
    return Path(copytree(Path(str(FOLDER)), tmp_path / "rules"))


def edit(folder: Path, file: str, old: str, new: str) -> None:
    text = (folder / file).read_text(encoding="utf-8")
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1), encoding="utf-8")


def test_a_copy_of_the_files_gives_the_same_rules(folder: Path) -> None:
    assert load_rule_set("R-1", folder) == RULES
    assert load_rule_set("R-1", folder) is load_rule_set("R-1", folder)


@pytest.mark.parametrize(
    ("file", "old", "new", "named"),
    [
        (
            "reset.yaml",
            "    value: 52",
            "    value: 52\n    value: 50",
            r"reset.yaml: line \d+: the key 'value' stands twice",
        ),
        ("reset.yaml", "reset:", "reset: [", r"reset.yaml: line \d+: "),
        ("reset.yaml", "    value: 52", "\tvalue: 52", r"reset.yaml: line \d+: "),
        (
            "reset.yaml",
            "value: 52",
            "value: !!python/name:os.system 52",
            r"reset.yaml: line \d+: could not determine",
        ),
        (
            "catalogue.yaml",
            "2017-12-31",
            "2017-02-29",
            "catalogue.yaml: entry AMY: field valid_to: '2017-02-29' is not",
        ),
        (
            "catalogue.yaml",
            "2017-12-31",
            "2017-12-31T00:00:00Z",
            "entry AMY: field valid_to: .* is not a date",
        ),
        (
            "municipalities.yaml",
            '"147"',
            '"101"',
            r"municipalities.yaml: line \d+: the key '101' stands twice",
        ),
    ],
)
def test_a_damaged_file_is_refused_by_place(
    folder: Path, file: str, old: str, new: str, named: str
) -> None:
    edit(folder, file, old, new)
    with pytest.raises(RuleError, match=named):
        load_rule_set("R-1", folder)


def test_the_line_of_a_syntax_error_is_the_line_in_the_file(folder: Path) -> None:
    (folder / "reset.yaml").write_text(
        "# one\nreset:\n  within_years: {value: 3\n  other: ]\n", encoding="utf-8"
    )
    with pytest.raises(RuleError, match=r"^reset\.yaml: line 4: "):
        load_rule_set("R-1", folder)


def test_a_file_that_is_not_text_or_not_there_is_named(folder: Path) -> None:
    (folder / "reset.yaml").write_bytes(b"reset: \xff")
    with pytest.raises(RuleError, match=r"^reset\.yaml: cannot be read"):
        load_rule_set("R-1", folder)
    (folder / "reset.yaml").unlink()
    with pytest.raises(RuleError, match=r"^reset\.yaml: cannot be read"):
        load_rule_set("R-1", folder)


@pytest.mark.parametrize("name", ["R-9", "", "../catalogue"])
def test_an_unknown_rule_set_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(RuleError, match=r"known are R-1, R-2$"):
        load_rule_set(name)
