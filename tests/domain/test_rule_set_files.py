"""A rule set file says what differs from R-1; what cannot be chosen is refused with the reason."""

import json
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from domain.oracle import reference
from domain.ruledata.ruleset import RuleError
from domain.ruledata.switches import IMPLEMENTED, OVERRIDABLE
from streams.citizens.rule_sets import chosen_rule_set, load_rule_set
from tests.streams.cli.test_cli import posted, refused, refusion
from tests.support.lines import payment
from tests.support.places import DOCS, ROOT

RULES = load_rule_set()
WHOLE = {
    "name": "what-if",
    "based_on": "R-1",
    "valid_from": date(2014, 7, 1),
    "valid_to": None,
    "note": "Hvad hvis?",
}
BANDS = [(1, 4, 80), (5, 26, 40), (27, 52, 35), (53, None, 20)]
THIRD_STEP_35 = {
    "staircase.yaml": {
        "staircases": [
            {
                "unit": "percent of the amount", "valid_from": date(2016, 1, 4), "valid_to": None,
                "before_first": "not_in_force", "reference": "tænkt", "evidence": "assumed",
                "bands": [
                    {"from_week": first, "to_week": last, "refusion": rate,
                     "medfinansiering": 100 - rate, "reference": "tænkt"}
                    for first, last, rate in BANDS
                ],
            }
        ]
    }
}  # fmt: skip
WEEKS_39 = {
    "value": 39, "unit": "whole calendar weeks", "valid_from": date(2014, 7, 1), "valid_to": None,
    "reference": "tænkt", "evidence": "assumed",
}  # fmt: skip

Written = Callable[..., str]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """Writes a rule set file based on R-1; gives its path."""

    def write(**fields: Any) -> str:
        path = tmp_path / "what-if.yaml"
        path.write_text(yaml.safe_dump(WHOLE | fields, allow_unicode=True), encoding="utf-8")
        return str(path)

    return write


def refusal(path: str) -> str:
    with pytest.raises(RuleError) as caught:
        chosen_rule_set(path)
    return str(caught.value)


def test_a_name_is_a_rule_set_that_the_program_brings_along():
    assert chosen_rule_set("R-1") == RULES


def test_a_file_that_changes_nothing_is_r_1_under_another_name(written):
    rules = chosen_rule_set(written())
    assert rules.name == "what-if"
    for field in (
        "benefits",
        "staircases",
        "reset",
        "dates",
        "accounts",
        "switches",
        "questions",
        "legacy",
    ):
        assert getattr(rules, field) == getattr(RULES, field)


def test_an_answer_that_is_chosen_is_only_assumed_and_the_other_one_is_still_known(written):
    rules = chosen_rule_set(written(switches={"UFB": "BENEFIT"}))
    assert dict(rules.switches) == dict(RULES.switches) | {"UFB": "BENEFIT"}
    question = rules.questions["UFB"]
    assert (question.value, question.source.evidence) == ("BENEFIT", "assumed")
    assert [other.value for other in question.alternatives] == ["OTHER"]
    assert "what-if" in question.source.note
    (dated,) = (value for value in rules.dated if value.name == "switches.UFB")
    assert dated.value == "BENEFIT"
    assert rules.benefits["UFB"].counts
    assert not RULES.benefits["UFB"].counts


def test_an_override_replaces_an_entry_whole_and_leaves_the_others(written):
    rules = chosen_rule_set(
        written(overrides={"reset.yaml": {"reset": {"self_support_weeks": WEEKS_39}}})
    )
    assert (rules.reset.self_support_weeks, rules.reset.within_years) == (39, 3)
    assert dict(rules.reset.source.evidence_of) == {
        "self_support_weeks": "assumed",
        "within_years": "verified",
    }


def test_an_entry_cannot_borrow_the_source_of_the_one_it_replaces(written):
    path = written(overrides={"reset.yaml": {"reset": {"self_support_weeks": {"value": 39}}}})
    assert (
        refusal(path)
        == f"{path}: overrides: reset.yaml: entry self_support_weeks: field unit: missing"
    )


def test_another_staircase_in_one_file(written):
    rules = chosen_rule_set(written(overrides=THIRD_STEP_35))
    assert [band.refusion for band in rules.staircases[0].bands] == [80, 40, 35, 20]
    assert rules.accounts == RULES.accounts  # those of 30 % stay, unused; none is invented for 35 %


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        (
            {"switches": {"FP6": "COMPUTED"}},
            "field switches: FP6 COMPUTED is not coded: Lov 1769/2023 er ikke læst",
        ),
        (
            {"switches": {"SPLIT": "BY_MOON"}},
            "SPLIT has no value 'BY_MOON'; known are CALENDAR_DAYS, EQUAL_PER",
        ),
        ({"switches": {"SPLITS": "WEEKDAYS"}}, "'SPLITS' is no switch; they are SPLIT, TOUCH"),
        ({"switches": ["SPLIT"]}, "field switches: is not a mapping"),
        ({"switches": {"SPLIT": 7}}, "SPLIT has no value 7"),
        (
            {"overrides": {"catalogue.yaml": {}}},
            "'catalogue.yaml' is not a file that may be overridden: staircase",
        ),
        (
            {"overrides": {"reset.yaml": 7}},
            "overrides: reset.yaml: entry (whole file): is not a mapping",
        ),
        (
            {"overrides": {"reset.yaml": {"rest": {}}}},
            "overrides: reset.yaml: entry (whole file): field rest: unknown",
        ),
        ({"name": 'R"2'}, "field name: 'R\"2' does not have the form"),
        (
            {"name": "R-1"},
            (
                "field name: 'R-1' is a rule set that the program brings along;"
                " give yours another name"
            ),
        ),
        (
            {"based_on": "R-0"},
            "there is no 'rule-sets/R-0.yaml' to base a rule set on; known are R-1",
        ),
        ({"based_on": None}, "field based_on: unknown"),
        ({"note": None}, "field note: None is not a text"),
        ({"colour": "red"}, "field colour: unknown; known are name, based_on"),
        ({"valid_from": date(2020, 1, 1)}, "rule validity: gap: no value holds on 2014-07-01"),
    ],
)
def test_a_bad_file_is_refused_by_place_and_with_what_can_be_done(written, fields, problem):
    assert problem in refusal(written(**fields))


def test_neither_a_name_nor_a_file_and_a_file_that_is_not_yaml(tmp_path):
    assert refusal("R-9") == "there is no rule set and no file 'R-9'; known are R-1, R-2"
    (tmp_path / "bad.yaml").write_text("name: x\nname: y\n")
    assert "line 2: the key 'name' stands twice" in refusal(str(tmp_path / "bad.yaml"))
    (tmp_path / "list.yaml").write_text("- 1\n")
    assert "is not a mapping" in refusal(str(tmp_path / "list.yaml"))


def test_a_whole_file_needs_no_other(tmp_path):
    text = (ROOT / "domain/rules/rule-sets/R-1.yaml").read_text(encoding="utf-8")
    (tmp_path / "whole.yaml").write_text(
        text.replace("name: R-1\n", "name: R-copy\n"), encoding="utf-8"
    )
    assert chosen_rule_set(str(tmp_path / "whole.yaml")).switches == RULES.switches


def test_every_alternative_is_coded_or_says_why_not(written):
    for name, question in RULES.questions.items():
        assert IMPLEMENTED[name][0] == question.value
        for other in question.alternatives:
            if other.not_coded:
                assert f"{name} {other.value} is not coded: {other.not_coded}" in refusal(
                    written(switches={name: other.value})
                )
            else:
                assert (
                    chosen_rule_set(written(switches={name: other.value})).switches[name]
                    == other.value
                )


def test_the_example_of_the_documents_can_be_used(tmp_path):
    text = (DOCS / "rule-sets.md").read_text(encoding="utf-8")
    example, *_ = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    (tmp_path / "example.yaml").write_text(example, encoding="utf-8")
    rules = chosen_rule_set(str(tmp_path / "example.yaml"))
    assert (rules.name, rules.switches["UFB"], rules.reset.self_support_weeks) == (
        "refugees-39",
        "BENEFIT",
        39,
    )
    assert set(OVERRIDABLE) <= set(re.findall(r"`(\w+\.yaml)`", text))


def test_the_document_has_every_answer_that_can_be_chosen():
    text = (DOCS / "rule-sets.md").read_text(encoding="utf-8")
    told = {}
    for switch, answers in re.findall(r"^\| `([A-Z_0-9]+)` \| ([^|]*) \|", text, re.MULTILINE):
        told[switch] = tuple(re.findall(r"`(\w+)`", answers))
    assert told == {switch: values[1:] for switch, values in IMPLEMENTED.items() if len(values) > 1}


# In the settlement


def settled(rules: str, *more: str) -> list[Any]:
    return posted(refusion("settle", "--rules", rules, *more, given=REFUGEE))


def week_of_january(benefit: str, day: int) -> bytes:
    period = {"period_start": f"2024-01-{day:02d}", "period_end": f"2024-01-{day + 6:02d}"}
    return payment(report_id=f"{benefit}-{day}", benefit=benefit, amount_ore=70_000, **period)


REFUGEE = b"\n".join(
    week_of_january(*each)
    for each in (("UFB", 1), ("UFB", 8), ("UFB", 15), ("UFB", 22), ("KTH", 25))
)


def test_a_posting_names_the_rule_set_and_has_its_money(written):
    """Kontanthjælp after four weeks of refugee help: 1st and 2nd week, or 4th and 5th."""
    path = written(switches={"UFB": "BENEFIT"})
    plain, other = settled("R-1"), settled(path)
    assert {message["rules"] for message in plain} == {"R-1"}
    assert {message["rules"] for message in other} == {"what-if"}
    assert [(row["ordinal"], row["rate"]) for row in plain[-1]["rows"]] == [(1, 80), (2, 80)]
    assert [(row["ordinal"], row["rate"]) for row in other[-1]["rows"]] == [(4, 80), (5, 40)]
    truth = reference.settle(
        [json.loads(line) for line in REFUGEE.splitlines()], chosen_rule_set(path)
    )
    assert sum(row["refusion_ore"] for message in other for row in message["rows"]) == sum(
        row["refusion_ore"] for row in truth.rows
    )


def test_the_processes_of_several_jobs_have_the_rule_set_too(written):
    path = written(switches={"UFB": "BENEFIT"}, overrides=THIRD_STEP_35)
    one = settled(path)
    assert {message["rules"] for message in one} == {"what-if"}
    assert settled(path, "--jobs", "2") == one


def test_without_the_option_it_is_r_1():
    assert posted(refusion("settle", given=REFUGEE)) == settled("R-1") != []


def test_a_user_error_is_one_line(tmp_path):
    done = refusion("settle", "--rules", str(tmp_path / "none.yaml"))
    assert refused(done).startswith("refusion: there is no rule set and no file")


def test_some_lines_that_stand_for_millions_are_refused_at_once(tmp_path):
    """Each list has nine times the one before: ten lines would be 3,5 thousand million texts."""
    lines = ["note: &a0 x"] + [
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 11)
    ]
    path = tmp_path / "bomb.yaml"
    path.write_text("\n".join(lines))
    with pytest.raises(RuleError, match=r"bomb\.yaml: line 2: an alias \(\*\) is not allowed"):
        chosen_rule_set(str(path))
    path.write_bytes(b"# " + b"x" * (4 << 20))
    with pytest.raises(RuleError, match="is larger than 4,194,304 bytes"):
        chosen_rule_set(str(path))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 1_000_000, "is nested more than 40 deep"),
        ("{a: " * 1_000_000, "is nested more than 40 deep"),
        ("? " * 5_000, "is nested more than 40 deep"),
        ("name: !!bool perhaps", "a value is not what its form or tag says"),
        ("name: !!timestamp x", "a value is not what its form or tag says"),
        ("name: 0x_", "a value is not what its form or tag says"),
        ("name: " + "9" * 5_000, "a value is not what its form or tag says"),
        ("name: a\nnote: \x1b", "line 2: a character that YAML does not have"),
        ("{'6101801234': 1, '6101801234': 2}", r"the key '\*+' stands twice"),
    ],
)
def test_a_file_that_ends_or_puzzles_the_yaml_library_is_refused_in_one_line(tmp_path, text, said):
    """A million brackets ended the process without a word, with a signal."""
    path = tmp_path / "odd.yaml"
    path.write_text(text)
    with pytest.raises(RuleError, match=rf"odd\.yaml: .*{said}") as caught:
        chosen_rule_set(str(path))
    assert "\n" not in str(caught.value)
