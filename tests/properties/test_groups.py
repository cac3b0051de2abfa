"""Reports of a group, and reversals that name it (schema 2, contract section 8)."""

import random
from typing import Any

import orjson
import pytest

from domain.citizen.doubts import ADVICE
from domain.citizen.reports import Scope
from domain.explain.fates import fates
from domain.oracle import reference
from domain.oracle.reports import valid_reports
from projections.runs.books import Books
from projections.runs.partition_books import PartitionBooks
from projections.whatif.replay import Difference, replay_citizen
from streams.citizens.store_port import MemoryStore
from tests.properties.test_freeing import COMMON, KTH, entry, freed, in_the_journal, messages_of
from tests.support import product
from tests.support.histories import shuffled
from tests.support.lives import RULES, THEMES, life
from tests.support.product import true_now

CPR = COMMON["cpr"]
IN_2 = COMMON | {"schema": 2}


def paid(report_id: str, month: str = "2024-01", **others: Any) -> dict[str, Any]:
    period = {"period_start": f"{month}-01", "period_end": f"{month}-28"}
    return IN_2 | KTH | {"report_id": report_id, "amount_ore": 1_000_000} | period | others


def back(group: str, report_id: str = "R1", **others: Any) -> dict[str, Any]:
    return IN_2 | {"type": "reversal", "report_id": report_id, "reverses_group": group} | others


def with_groups(reports: list[dict[str, Any]], rng: random.Random) -> list[dict[str, Any]]:
    """The reports of a life, most of them in a few groups of their reporters, some reversed."""
    groups = {
        (report["reporter"], report["report_id"]): rng.choice(["A", "B", "C", None])
        for report in reports
    }
    found = []
    for report in reports:
        group = groups[report["reporter"], report["report_id"]]
        found.append(report if group is None else report | {"schema": 2, "group": group})
    for number, report in enumerate(rng.sample(reports, min(3, len(reports)))):
        head = {name: report[name] for name in ("cpr", "reporter", "reported_at")}
        group = rng.choice(["A", "B", "D"])
        taken = {"schema": 2, "type": "reversal", "report_id": f"G{number}"}
        found.insert(rng.randint(0, len(found)), head | taken | {"reverses_group": group})
    return found


def true_rows(reports: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return true_now(reference.settle(map(in_the_journal, reports), RULES).rows)


@pytest.mark.parametrize("theme", THEMES)
def test_groups_and_reversals_in_any_order_are_the_reference_computation(theme):
    taken_back = 0
    for seed in range(7100, 7108):
        rng = random.Random(seed)
        reports = with_groups(life(theme, seed), rng)
        for order in (reports, shuffled(reports, rng)):
            books = product.settle_all(order, batch=rng.choice([1, 4, 50]))
            computed = reference.settle(map(in_the_journal, order), RULES)
            assert product.true_now(books.rows) == true_now(computed.rows), (seed, order)
            assert not books.counters or books.counters == computed.counters
            taken_back += len(order) - len(valid_reports(map(in_the_journal, order)))
    assert taken_back > 20


@pytest.mark.parametrize("theme", THEMES)
def test_a_replay_and_freed_ids_agree_with_groups(theme):
    for seed in range(7200, 7205):
        rng = random.Random(seed)
        reports = with_groups(life(theme, seed), rng)
        if not reports:
            continue
        citizen = product.IDENTITY.of(reports[0]["cpr"])[0]
        for report in rng.sample(reports, min(3, len(reports))):
            named = report.get("reverses") or report["report_id"]
            reports.insert(rng.randint(0, len(reports)), freed(named, report["reporter"], citizen))
            if report["type"] == "benefit_payment":
                again = report | {"amount_ore": min(report["amount_ore"] + 700, 10**9)}
                again |= {"schema": 2, "group": rng.choice("ABC")}
                reports.insert(rng.randint(0, len(reports)), again)
        messages = messages_of(reports)
        standing = product.standing_rows([orjson.loads(text) for text in messages])
        assert true_now(standing) == true_rows(reports), seed
        found = Difference()
        history: list[Any] = [entry(report).report for report in reports]
        replay_citizen(product.law(), citizen, history, messages, Scope(), found)
        assert (found.messages, found.money) == (0, {}), seed


def standing_ore(*reports: dict[str, Any]) -> int:
    books = product.settle_all([*reports], batch=1)
    rows = product.true_now(books.rows)
    assert rows == true_rows([*reports])
    return sum(row["amount_ore"] for row in rows)


def test_a_group_is_taken_back_before_and_after_and_for_ever():
    one, other = paid("P1", group="A"), paid("P2", "2024-02", group="A")
    alone, later = paid("P3", "2024-03"), paid("P4", "2024-04", group="A")
    assert standing_ore(one, other, alone) == 3_000_000
    assert standing_ore(one, other, alone, back("A")) == 1_000_000
    assert standing_ore(back("A"), one, other, alone) == 1_000_000
    assert standing_ore(one, back("A"), other, alone, later) == 1_000_000
    assert standing_ore(one, back("A"), back("A", "R2"), later) == 0
    assert standing_ore(one, other, back("A", reporter="87654321")) == 2_000_000, "of another"
    assert standing_ore(one, other, back("a")) == 2_000_000


def test_one_message_takes_the_whole_group_back():
    found = product.outcomes([paid("P1", group="A"), paid("P2", group="A"), back("A")])
    messages = product.books(found).messages
    assert [(each["cause"], each["reason"]) for each in messages[2:]] == [
        ("12345678/R1", "reversal")
    ]
    assert sum(row["amount_ore"] for each in messages for row in each["rows"]) == 0


def test_a_reversal_in_a_group_is_not_taken_back_with_it():
    own = IN_2 | {"type": "reversal", "report_id": "R0", "reverses": "P1", "group": "A"}
    assert standing_ore(paid("P1"), own, back("A")) == 0


def test_the_group_is_content_and_the_schema_is_not():
    first = paid("P1")
    assert [one.refused for one in product.outcomes([first, first | {"schema": 1}])] == ["", ""]
    refused = ["", "conflicting_duplicate"]
    for one, other in (({}, {"group": "A"}), ({"group": "A"}, {"group": "B"})):
        pair = [first | one, first | other]
        assert [each.refused for each in product.outcomes(pair, restarts=True)] == refused
        for kind in (FACT, WAGE, back("Z")):
            pair = [kind | one, kind | other]
            assert [each.refused for each in product.outcomes(pair, restarts=True)] == refused
    assert [one.refused for one in product.outcomes([back("A"), back("B")])] == refused
    reverses = {name: value for name, value in back("A").items() if name != "reverses_group"}
    pair = [back("A"), reverses | {"reverses": "A"}]
    assert [one.refused for one in product.outcomes(pair, restarts=True)] == refused
    null = first | {"group": None}
    assert [one.refused for one in product.outcomes([null, first])] == ["", ""]


FACT = IN_2 | {"type": "case_fact", "report_id": "C1", "fact": "death", "date": "2024-01-01"}
WAGE = IN_2 | {
    "type": "income", "report_id": "W1", "kind": "wage", "period_start": "2024-01-01",
    "period_end": "2024-01-31", "amount_ore": 100, "pension_ore": 0,
}  # fmt: skip


def test_schema_2_without_a_group_leaves_the_same_state_and_postings_as_schema_1():
    reports = [paid("P1"), paid("P2", "2024-02"), FACT, WAGE]
    states, texts = [], []
    for schema in (1, 2):
        store = MemoryStore()
        found = product.outcomes([report | {"schema": schema} for report in reports], store)
        states.append(dict(store.items()))
        texts.append([outcome.posting for outcome in found])
    assert states[0] == states[1]
    assert texts[0] == texts[1]
    assert not any(b"/group/" in key for key in states[0])


def test_a_reversal_of_a_group_that_does_not_come_is_noticed_and_one_that_comes_is_not():
    early = back("A") | {"reported_at": "2024-01-01T08:00:00Z"}
    in_time = paid("P1", group="A") | {"reported_at": "2024-01-10T08:00:00Z"}
    late = paid("P2", "2024-02") | {"reported_at": "2024-06-01T08:00:00Z"}
    assert notices(early, in_time, late) == []
    assert notices(early, late) == [
        {
            "reports": ["12345678/A"],
            "reversals": ["12345678/R1"],
            "date": "2024-01-01",
            "advice": ADVICE["reversed_before_reported"],
        }
    ]


def test_a_reversal_that_names_its_own_group_does_not_end_its_waiting():
    early = back("A") | {"group": "A", "reported_at": "2024-01-01T08:00:00Z"}
    late = paid("P2", "2024-02") | {"reported_at": "2024-06-01T08:00:00Z"}
    (notice,) = notices(early, late)
    assert notice["reversals"] == ["12345678/R1"]


def test_a_group_taken_back_has_the_notices_that_its_reports_would_have_alone():
    """Two repayments are taken back, so fleksløntilskud comes to the 20 % step in a year without B.

    Alone, the second of them says so.
    """
    before = paid("P0", amount_ore=52_000_000, benefit="LY")
    before |= {"period_start": "2024-11-25", "period_end": "2025-11-25"}
    repaid = [
        paid(f"N{at}", group="N", amount_ore=-amount_ore, benefit="LY", period_start=start,
             period_end=end)
        for at, (start, end, amount_ore) in enumerate(
            [("2025-03-03", "2025-03-09", 2_000_000), ("2025-03-10", "2025-03-16", 2_000_000)]
        )
    ]  # fmt: skip
    due = paid("P2", "2025-12", benefit="FLT")
    due |= {"period_start": "2026-01-05", "period_end": "2026-01-18"}
    alone = [
        IN_2 | {"type": "reversal", "report_id": f"R{at}", "reverses": f"N{at}"} for at in (0, 1)
    ]
    found = [
        [each for each in notices(before, *repaid, due, *taken) if each.get("months")]
        for taken in (alone, [back("N")])
    ]
    assert found[0] == found[1]
    assert [each["months"] for each in found[1]] == [["2026-01"]]


def notices(*reports):
    found = product.outcomes([*reports], restarts=True)
    return [each["detail"] for each in product.books(found).notices]


def test_an_explanation_names_the_group():
    reports = [paid("P1", group="A"), back("A"), back("A", "R2"), back("B", "R3")]
    history: list[Any] = [entry(report).report for report in reports]
    assert [(each.fate, each.by) for each in fates(history)] == [
        ("reversed", "12345678/R1"),
        ("reverses_group", "12345678/A"),
        ("reverses_again", "12345678/R1"),
        ("waits", "12345678/B"),
    ]


def test_a_runs_books_count_no_payment_of_a_reversed_group():
    payments = [paid("P1", group="A/x"), paid("P2", "2024-02", group="A/x"), paid("P3", "2024-03")]
    for order in ([*payments, back("A/x")], [payments[0], back("A/x"), *payments[1:]]):
        journal = [entry(report) for report in order]
        books = PartitionBooks(product.law(), 10, (), 0)
        for offset, each in enumerate(journal):
            books.take(offset, each.citizen, each.report)
        total = sum(control.reported for control in books._books.control.values())
        assert total == 1_000_000


@pytest.mark.parametrize(
    ("groups", "number"), [(("A", "A"), 0), (("A", "B"), 1), (("A", None), 1), ((None, None), 1)]
)
def test_two_payments_of_one_group_are_no_repeat(groups, number):
    """One report of the reporter says both."""
    pair = [paid(f"P{at}", group=group) for at, group in enumerate(groups)]
    kinds = [each["kind"] for each in notices(*pair)]
    assert kinds == ["repeat"] * number
    books, all_books = PartitionBooks(product.law(), 10, (), 0), Books()
    for offset, each in enumerate(map(entry, pair)):
        books.take(offset, each.citizen, each.report)
    books.close(all_books)
    assert sum(times for times, _ in all_books.repeated.values()) == number
