"""`refusion compare`: the difference in money between two rule sets, by hand and by the program."""

import json
import random

import orjson
import pytest

from domain.oracle import reference
from projections.whatif.comparison import BREAKDOWNS, Comparison, Money
from streams.citizens.rule_sets import chosen_rule_set, load_rule_set
from tests.domain.test_rule_set_files import THIRD_STEP_35, Written, written
from tests.streams.cli.test_cli import refused, refusion
from tests.support.lines import CANARY, payment

__all__ = ["written"]


def row(refusion_ore=0, medfinansiering_ore=0, **fields):
    mechanism = "medfinansiering" if medfinansiering_ore else "refusion"
    return {
        "kind": "result", "amount_ore": 0,
        "benefit": "KTH", "paying": "730", "financing": "751", "month": "2024-01",
        "mechanism": mechanism, "rate": 80, "refusion_ore": refusion_ore,
        "medfinansiering_ore": medfinansiering_ore,
    } | fields  # fmt: skip


def compared(a, b) -> Comparison:
    """Messages are (citizen, rows)."""
    comparison = Comparison()
    for citizen, rows in a:
        comparison.add("a", {"citizen": citizen, "rows": rows})
    for citizen, rows in b:
        comparison.add("b", {"citizen": citizen, "rows": rows})
    return comparison


def test_refusion_less_medfinansiering_is_what_the_state_pays():
    comparison = compared([("x", [row(500)])], [("x", [row(400), row(medfinansiering_ore=30)])])
    total = comparison.total()
    assert (total.a, total.b) == (Money(500, 0), Money(400, 30))
    assert total.difference == Money(-100, 30)
    assert total.difference.state_cost_ore == -130
    assert comparison.most_affected(9) == [("x", -130)]


def test_a_correction_and_what_it_reverses_are_summed():
    comparison = compared(
        [("x", [row(500)]), ("x", [row(-500), row(200, rate=40)])], [("x", [row(200, rate=40)])]
    )
    assert comparison.total().difference == Money(0, 0)
    assert [line.name for line in comparison.lines("band")] == ["refusion 40 %"]
    assert comparison.citizens() == 0


def test_refusion_belongs_to_the_paying_and_medfinansiering_to_the_financing_municipality():
    comparison = compared(
        [("x", [row(1), row(medfinansiering_ore=2), row(medfinansiering_ore=4, financing=None)])],
        [],
    )
    lines = {line.name: line.a for line in comparison.lines("municipality")}
    assert lines == {"730": Money(1, 0), "751": Money(0, 2), "-": Money(0, 4)}


def test_the_most_affected_come_first_whichever_way_and_the_number_is_kept_to():
    comparison = compared(
        [("a", [row(5)]), ("b", [row(9)]), ("c", [row(1)])], [("c", [row(10)]), ("d", [row(3)])]
    )
    assert comparison.most_affected(3) == [("b", -9), ("c", 9), ("a", -5)]
    assert comparison.citizens() == 4


def test_a_run_marker_has_no_money_and_nothing_compares_to_nothing():
    comparison = Comparison()
    comparison.add("a", {"type": "run"})
    assert comparison.total().a == Money(0, 0)
    assert [comparison.lines(breakdown) for breakdown in BREAKDOWNS] == [[], [], [], []]


# The command


def reports() -> list[bytes]:
    """Forty citizens with a year and more, so that many are on the third step."""
    rng = random.Random(11)
    lines = []
    for citizen in range(40):
        for month in range(rng.randrange(3, 12)):
            start = f"2023-{month + 1:02d}-01"
            lines.append(
                payment(
                    report_id=f"{citizen}-{month}",
                    cpr=f"61018{citizen + 10001:05d}",
                    period_start=start,
                    period_end=start[:8] + "28",
                    benefit=rng.choice(("KTH", "SDP-B", "FPN")),
                    atp_ore=0,
                    amount_ore=rng.randrange(10**6),
                    paying_municipality=rng.choice(("730", "751")),
                    financing_municipality="101",
                )
            )
    rng.shuffle(lines)
    return lines


def run(*arguments, lines) -> str:
    done = refusion("compare", *arguments, given=b"\n".join(lines))
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def truth(rules, lines) -> list[tuple[str, dict]]:
    """Each standing row with its citizen, by the reference."""
    by_cpr: dict[str, list[dict]] = {}
    for line in lines:
        report = json.loads(line)
        by_cpr.setdefault(report["cpr"], []).append(report)
    return [
        (cpr, found)
        for cpr, of_citizen in by_cpr.items()
        for found in reference.settle(of_citizen, rules).rows
    ]


def test_the_sums_are_those_of_the_reference(written: Written):
    path, lines = written(overrides=THIRD_STEP_35), reports()
    found = json.loads(run("R-1", path, "--json", "--citizens", "5", lines=lines))
    before, after = truth(load_rule_set(), lines), truth(chosen_rule_set(path), lines)

    def cost(rows, **where):
        return sum(
            each["refusion_ore"] - each["medfinansiering_ore"]
            for _, each in rows
            if all(each[field] == value for field, value in where.items())
        )

    assert (found["a"], found["b"], found["lines"], found["rejected"]) == (
        "R-1",
        "what-if",
        len(lines),
        0,
    )
    assert found["total"]["a"]["state_cost_ore"] == cost(before)
    assert found["total"]["difference"]["state_cost_ore"] == cost(after) - cost(before) != 0
    for breakdown in ("benefit", "month"):
        for line in found[f"by_{breakdown}"]:
            where = {breakdown: line[breakdown]}
            assert line["a"]["state_cost_ore"] == cost(before, **where)
            assert line["b"]["state_cost_ore"] == cost(after, **where)
    for line in found["by_band"]:
        mechanism, rate, _ = line["band"].split()
        assert line["b"]["state_cost_ore"] == cost(after, mechanism=mechanism, rate=int(rate))
    for breakdown in BREAKDOWNS:
        of_lines = [line["difference"]["state_cost_ore"] for line in found[f"by_{breakdown}"]]
        assert sum(of_lines) == found["total"]["difference"]["state_cost_ore"]
    differences: dict[str, int] = {}
    for sign, rows in ((-1, before), (1, after)):
        for cpr, each in rows:
            differences[cpr] = differences.get(cpr, 0) + sign * (
                each["refusion_ore"] - each["medfinansiering_ore"]
            )
    largest = sorted((abs(ore) for ore in differences.values() if ore), reverse=True)
    assert found["citizens_affected"] == len(largest)
    assert [abs(each["state_cost_difference_ore"]) for each in found["citizens"]] == largest[:5]


def test_the_number_of_processes_cannot_be_seen(written: Written):
    path, lines = written(overrides=THIRD_STEP_35), reports()
    assert run("R-1", path, "--json", "--jobs", "2", lines=lines) == run(
        "R-1", path, "--json", lines=lines
    )


def test_a_rule_set_compared_with_itself_differs_in_nothing():
    found = json.loads(run("R-1", "R-1", "--json", lines=reports()))
    assert found["citizens"] == []
    assert not any(found["total"]["difference"].values())
    assert found["total"]["a"]["refusion_ore"]


def test_people_get_tables_with_names_and_nobody_is_named(written: Written):
    lines = [*reports(), payment(benefit="XYZ"), payment(report_id="canary")]
    text = run("R-1", written(overrides=THIRD_STEP_35), lines=lines)
    for words in (
        "A is R-1, B is what-if",
        "1 of them rejected",
        "730 Randers",
        "SDP-B  Sygedagpenge til borger",
        "refusion 35 %",
        "2023-11",
        "Citizens most affected, of",
    ):
        assert words in text
    assert CANARY not in text
    assert not any(orjson.loads(line)["cpr"] in text for line in lines)


@pytest.mark.parametrize("arguments", [["R-1", "R-7"], ["none.yaml", "R-1"]])
def test_an_unknown_rule_set_is_told_in_one_line(arguments):
    assert refused(refusion("compare", *arguments)).startswith(
        "refusion: there is no rule set and no file"
    )
