"""The what-if files of `examples/what-if` answer the questions that Parliament asked."""

import re
from collections import Counter
from io import BytesIO
from pathlib import Path
from typing import Any

import orjson
import pytest

from domain.basics.weeks import month_number
from domain.law.staircase import Law
from domain.oracle import reference
from domain.ruledata.ruleset import RuleError, RuleSet
from streams.citizens.rule_sets import chosen_rule_set, digest_of, load_rule_set
from streams.offline.compare import Compared, compare_lines
from streams.settings import Settings
from streams.simulation import SimulationOptions, simulate
from tests.support import product
from tests.support.lives import life
from tests.support.places import ROOT

FOLDER = ROOT / "examples" / "what-if"
FILES = sorted(FOLDER.glob("*.yaml"))
MORE = {"FPN", "SDP-B", "SDP-A", "KTH", "KTH25"}
R1 = load_rule_set()


@pytest.fixture(scope="module")
def population() -> list[bytes]:
    """Two years of a small simulated population."""
    written = BytesIO()
    options = SimulationOptions(150, month_number("2023-01"), month_number("2024-12"), 6, jobs=1)
    simulate(options, written)
    return written.getvalue().splitlines()


def rule_set(name: str) -> RuleSet:
    return chosen_rule_set(str(FOLDER / f"{name}.yaml"))


def compared(lines: list[bytes], b: RuleSet) -> Compared:
    return compare_lines(lines, Settings.load({"REFUSION_DEMO": "1"}), 1, R1, b)


def bands(rules: RuleSet) -> list[tuple[int, int | None, int]]:
    (staircase,) = rules.staircases
    return [(band.from_week, band.to_week, band.refusion) for band in staircase.bands]


def test_the_staircases_are_those_of_the_questions():
    assert bands(rule_set("halved-staircase")) == [
        (1, 4, 40), (5, 26, 20), (27, 52, 15), (53, None, 10),
    ]  # fmt: skip
    assert bands(rule_set("labour-market-commission")) == [
        (1, 4, 100), (5, 52, 65), (53, 156, 35), (157, None, 0),
    ]  # fmt: skip
    assert bands(rule_set("fifteen-points-more")) == bands(R1)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_file_is_a_rule_set_of_its_own_that_settles_as_the_reference_reads_it(path: Path):
    rules = chosen_rule_set(str(path))
    assert rules.name == path.stem
    assert digest_of(rules) != digest_of(R1)
    for theme in ("plan_of", "late_wages"):
        for seed in range(8900, 8906):
            reports = life(theme, seed)
            books = product.settle_all(reports, batch=5, settled_by=Law(rules))
            assert product.true_now(books.rows) == product.true_now(
                reference.settle(reports, rules).rows
            )


def test_fifteen_points_more_are_15_percent_of_the_base_to_the_oere(population):
    """Each row is rounded by itself; before that the difference is 15 % exactly."""
    rules = rule_set("fifteen-points-more")
    comparison = compared(population, rules).comparison
    base_ore: Counter[str] = Counter()
    rows = 0
    for message in posted(population):
        for row in message["rows"]:
            base_ore[row["benefit"]] += row["amount_ore"]
            rows += row["benefit"] in MORE
    base = sum(base_ore[benefit] for benefit in MORE)
    assert base > 100_000_000
    assert comparison.exact_difference() == 15 * base
    total_ore = comparison.total().difference.state_cost_ore
    assert abs(100 * total_ore - 15 * base) <= 100 * rows
    for line in comparison.lines("benefit"):
        difference_ore = line.difference.state_cost_ore
        if line.name in MORE:
            assert abs(100 * difference_ore - 15 * base_ore[line.name]) <= 100 * rows
        else:
            assert difference_ore == 0


def posted(lines: list[bytes]) -> list[dict[str, Any]]:
    """The messages of the default rule set."""
    reports = [orjson.loads(line) for line in lines]
    return [
        orjson.loads(outcome.posting)
        for outcome in product.outcomes(reports, batch=500)
        if outcome.posting
    ]


def test_a_share_beyond_100_percent_is_refused(tmp_path):
    text = (FOLDER / "fifteen-points-more.yaml").read_text(encoding="utf-8")
    for change, problem in (
        (("points: 15", "points: 30"), "30 points more make refusion 110 % from week 1"),
        (("FPN, ", "BEF, "), "'BEF' is not on the staircase|BEF is not on the staircase"),
        (("FPN, ", "XYZ, "), "'XYZ' is not in the catalogue that this builds on"),
        (("unit: percentage points", "unit: percent"), "is not 'percentage points'"),
    ):
        (tmp_path / "other.yaml").write_text(text.replace(*change), encoding="utf-8")
        with pytest.raises(ValueError, match=problem):
            chosen_rule_set(str(tmp_path / "other.yaml"))


def test_the_readme_names_every_file_and_only_files_that_are_there():
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"`([\w-]+)\.yaml`", readme)) == {path.stem for path in FILES}


@pytest.mark.parametrize("name", ["x" * 300, "x\0", "x/" * 3_000])
def test_a_name_that_no_file_can_have_is_told_in_a_sentence(tmp_path, name):
    with pytest.raises(RuleError, match="there is no rule set and no file"):
        chosen_rule_set(name)
    path = tmp_path / "own.yaml"
    path.write_text(f"name: own\nbased_on: {orjson.dumps(name).decode()}\n")
    with pytest.raises(RuleError, match=r"there is no .* to base a rule set on") as told:
        chosen_rule_set(str(path))
    assert len(str(told.value)) < 300
