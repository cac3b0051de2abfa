"""A payment that may take the place of one that still stands is paid, noticed and counted."""

import random
from collections.abc import Iterable
from datetime import date
from typing import Any

import pytest

from domain.citizen.doubts import ADVICE
from projections.runs.books import Books
from projections.runs.partition_books import PartitionBooks
from tests.properties.test_freeing import entry
from tests.properties.test_groups import back, with_groups
from tests.support import product
from tests.support.lives import THEMES, life
from tests.support.noticing import noticed, payment, reversal

FIRST_DAY = "2014-06-30"


def in_group(group: str, *content: Any, **others: Any) -> dict[str, Any]:
    return payment(*content, **others) | {"schema": 2, "group": group}


ONE = payment("P1")
CORRECTED = payment("P2", amount_ore=950_000)
AWAITED = [("awaiting_reversal", "P2")]


def test_a_payment_reported_anew_before_its_reversal_is_paid_and_noticed():
    assert noticed(ONE, CORRECTED) == AWAITED
    assert noticed(ONE, CORRECTED, reversal("P1")) == AWAITED
    books = product.settle_all([ONE, CORRECTED])
    assert sum(row["amount_ore"] for row in books.rows) == 1_950_000
    (notice,) = books.notices
    assert notice["detail"] == {
        "benefit": "KTH",
        "period_start": "2024-01-01",
        "period_end": "2024-01-31",
        "other": "12345678/P1",
        "municipalities": ["730"],
        "advice": ADVICE["awaiting_reversal"],
    }


def test_with_the_reversal_first_there_is_no_doubt():
    assert noticed(ONE, reversal("P1"), CORRECTED) == []
    assert noticed(reversal("P1"), ONE, CORRECTED) == []
    assert noticed(reversal("P2"), ONE, CORRECTED) == []
    grouped = in_group("A", "P1")
    assert noticed(grouped, back("A") | {"cpr": ONE["cpr"]}, CORRECTED) == []


@pytest.mark.parametrize(
    ("others", "is_doubtful"),
    [
        ({"amount_ore": 900_000}, True),
        ({"amount_ore": 899_999}, False),
        ({"amount_ore": 1_111_111}, True),
        ({"amount_ore": 1_111_112}, False),
        ({"amount_ore": -1_000_000}, False),
        ({"benefit": "UDH"}, True),
        ({"benefit": "UDH", "amount_ore": 999_999}, False),
        ({"start": "2024-01-31", "end": "2024-02-29"}, True),
        ({"start": "2024-02-01", "end": "2024-02-29"}, False),
        ({"channel": "direct", "amount_ore": 950_000}, False),
        ({"reporter": "87654321", "amount_ore": 950_000}, False),
        ({"outside_act": True, "amount_ore": 950_000}, True),
        ({"start": "2023-11-15"}, True),
    ],
)
def test_what_is_alike_enough(others, is_doubtful):
    other = payment("P2", **others)
    for pair in ((ONE, other), (other, ONE)):
        codes = [code for code, _ in noticed(*pair) if code != "negative_net"]
        assert codes == ["awaiting_reversal"] * is_doubtful


def test_two_that_say_the_same_are_a_repeat_and_no_more():
    assert noticed(ONE, payment("P2")) == [("possible_duplicate", "P2")]


def test_the_lines_of_one_group_await_nothing():
    one, other = in_group("A", "P1"), in_group("A", "P2", amount_ore=950_000)
    assert noticed(one, other) == []
    assert noticed(one, in_group("B", "P2", amount_ore=950_000)) == AWAITED
    assert noticed(one, CORRECTED) == AWAITED


def test_a_run_cut_between_the_two_is_set_right_by_the_next():
    """The register takes the new report first: a cut exactly there has the money twice."""
    run = {"schema": 1, "type": "run", "run": 49, "closed_at": "2024-02-02T08:00:00Z"}
    first, anew = in_group("A", "P1"), in_group("B", "P2", amount_ore=950_000)
    taken = back("A") | {"cpr": ONE["cpr"]}
    found = product.outcomes([first, anew, run | {"data_month": "2024-01"}, taken])
    messages = product.books(found).messages
    assert sum(row["amount_ore"] for each in messages[:2] for row in each["rows"]) == 1_950_000
    (after,) = [each for each in messages[2:] if each["type"] == "postings"]
    assert sum(row["amount_ore"] for row in after["rows"]) == -1_000_000
    assert {row["kind"] for row in after["rows"]} == {"correction"}
    alone = product.settle_all([anew]).rows
    assert product.true_now(product.books(found).rows) == product.true_now(alone)


def paid_for(report: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(report[name] for name in ("benefit", "period_start", "period_end", "amount_ore"))


def may_replace(new: dict[str, Any], old: dict[str, Any]) -> bool:
    """The definition, as it is written in the contract."""
    one, other = new["amount_ore"], old["amount_ore"]
    if new["benefit"] == old["benefit"]:
        is_like = one * other > 0 and abs(one - other) <= max(abs(one), abs(other)) / 10
    else:
        is_like = one == other and one != 0
    days = min(new["period_end"], old["period_end"]), max(new["period_start"], old["period_start"])
    return (
        is_like
        and days[0] >= days[1]
        and days[0] >= FIRST_DAY
        and all(new[name] == old[name] for name in ("reporter", "channel"))
        and not (new.get("group") and new.get("group") == old.get("group"))
        and paid_for(new) != paid_for(old)
    )


def expected(reports: Iterable[dict[str, Any]]) -> tuple[list[tuple[str, set[str]]], set[str]]:
    """Each doubtful payment with those it may replace, and those that still await at the end."""
    standing: dict[str, Any] = {}
    gone: set[Any] = set()
    seen: set[str] = set()
    doubts = []
    for report in reports:
        reporter, name = report["reporter"], f"{report['reporter']}/{report['report_id']}"
        if name in seen:
            continue
        seen.add(name)
        if report["type"] == "reversal":
            group = report.get("reverses_group")
            gone.add((reporter, group) if group else f"{reporter}/{report['reverses']}")
            standing = {n: r for n, r in standing.items() if not is_gone(n, r, gone)}
        if report["type"] == "benefit_payment" and not is_gone(name, report, gone):
            others = {n for n, other in standing.items() if may_replace(report, other)}
            if others:
                doubts.append((name, others))
            standing[name] = report
    left = list(standing.items())
    awaiting = {
        name
        for at, (name, report) in enumerate(left)
        if any(may_replace(report, other) for _, other in left[:at])
    }
    return doubts, awaiting


def is_gone(name: str, report: dict[str, Any], gone: set[Any]) -> bool:
    return name in gone or (report["reporter"], report.get("group")) in gone


def reported_anew(reports: list[dict[str, Any]], rng: random.Random) -> list[dict[str, Any]]:
    """Reports of a life, some of them reported anew with more or less, and reversed."""
    found = list(reports)
    payments = [each for each in reports if each["type"] == "benefit_payment"]
    for number, report in enumerate(rng.sample(payments, min(5, len(payments)))):
        ore = report["amount_ore"] * rng.choice((89, 90, 95, 100, 110, 112)) // 100
        end = min(date.fromisoformat(report["period_end"]), date(2099, 12, 1))
        again = {"report_id": f"again-{number}", "amount_ore": ore, "period_end": str(end)}
        if again["period_end"] >= report["period_start"] and abs(ore) <= 10**9:
            found.insert(rng.randint(0, len(found)), report | again | {"atp_ore": 0})
            head = {name: report[name] for name in ("schema", "cpr", "reporter", "reported_at")}
            taken = {"type": "reversal", "report_id": f"B{number}", "reverses": report["report_id"]}
            found.insert(rng.randint(0, len(found)), head | taken)
    return found


@pytest.mark.parametrize("theme", THEMES)
def test_what_awaits_a_reversal_in_every_life_is_what_the_definition_gives(theme):
    noticed_in_all = resolved = 0
    for seed in range(9100, 9120):
        rng = random.Random(seed)
        reports = with_groups(reported_anew(life(theme, seed), rng), rng)
        outcomes = product.outcomes(reports, batch=rng.choice([1, 4, 50]))
        refused = {at for at, outcome in enumerate(outcomes) if outcome.refused}
        found = [
            (notice["cause"], notice["detail"]["other"])
            for notice in product.books(outcomes).notices
            if notice["code"] == "awaiting_reversal"
        ]
        doubts, awaiting = expected(reports)
        assert [cause for cause, _ in found] == [name for name, _ in doubts], seed
        assert all(other in names for (_, other), (_, names) in zip(found, doubts, strict=True))
        books = PartitionBooks(product.law(), len(reports), refused, 0)
        for offset, report in enumerate(reports):
            books.take(offset, "c", entry(report).report)
        total = Books()
        books.close(total)
        counted = sum(number for number, _ in total.awaiting.values())
        assert counted == len(awaiting), seed
        noticed_in_all += len(found)
        resolved += len(found) - counted
    assert noticed_in_all > 5
    assert resolved > 0
