"""Neither order nor repetition of reports matters, and what was reversed was never reported
(contract section 2).
"""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.citizens.store_port import MemoryStore
from tests.support import product
from tests.support.histories import histories, shuffled
from tests.support.lives import RULES, THEMES, life, short_life, smallest

LATER = {"reported_at": "2033-07-01T12:00:00Z"}
"""When something was reported is not part of what was reported."""


def truth(reports):
    """Rows and counters in the end, as any order must give them."""
    books = product.settle_all(reports, batch=5)
    return product.true_now(books.rows), books.counters


@pytest.mark.parametrize("theme", THEMES)
def test_any_order_gives_the_same_rows_and_counters(theme):
    """Only reports with the same key keep their order: of conflicting duplicates the first
    stands.
    """
    for seed in range(2000, 2015):
        reports = life(theme, seed)
        expected = truth(reports)
        for order in (
            shuffled(reports, random.Random(seed)),
            shuffled(reports, random.Random(-seed - 1)),
        ):
            assert truth(order) == expected, (reports, order)


@settings(max_examples=100)
@given(histories(RULES), st.randoms(use_true_random=False))
def test_any_order_gives_the_same_and_what_does_not_shrinks(reports, rng):
    assert truth(shuffled(reports, rng)) == truth(reports)


@pytest.mark.parametrize("theme", THEMES)
def test_a_report_delivered_again_leaves_no_trace(theme):
    """A report that comes again, whenever, gives no message and no other state.

    A refused one is refused again. One notice says that a report comes again after its reversal,
    and that is remembered.
    """
    for seed in range(3000, 3010):
        reports = life(theme, seed)
        once = MemoryStore()
        found = product.outcomes(reports, once)
        repeated = [copy for report in reports for copy in (report, report | LATER)]
        twice = MemoryStore()
        again = product.outcomes(repeated + [report | LATER for report in reports], twice)
        assert _but_for_what_came_again(twice) == _but_for_what_came_again(once)
        came_again = [*map(_come_again, again)]
        assert sum(came_again) == len(twice) - len(_but_for_what_came_again(twice))
        first = again[: 2 * len(reports) : 2]
        assert [*map(_but_for_the_notice, first)] == [*map(_but_for_the_notice, found)]
        assert not any(
            outcome.posting or (outcome.notices and not _come_again(outcome))
            for outcome in _repetitions(again, len(reports))
        )
        refused = [outcome.refused for outcome in found]
        assert [outcome.refused for outcome in _repetitions(again, len(reports))] == refused * 2


def _but_for_what_came_again(store):
    return {key: value for key, value in store.items() if b"/again/" not in key}


def _come_again(outcome):
    return [b'"code":"reversed_before"' in notice for notice in outcome.notices] == [True]


def _but_for_the_notice(outcome):
    return outcome._replace(notices=[]) if _come_again(outcome) else outcome


def _repetitions(found, number):
    return found[1 : 2 * number : 2] + found[2 * number :]


def test_a_conflicting_duplicate_is_refused_and_changes_nothing_however_it_differs():
    """Every field of a payment is content, but `reported_at`."""
    first = {
        "schema": 1, "type": "benefit_payment", "report_id": "P1", "reporter": "12345678",
        "cpr": "6101000000",
        "reported_at": "2024-02-01T08:00:00Z", "benefit": "ADP", "period_start": "2024-01-01",
        "period_end": "2024-01-31", "amount_ore": 1_000_000, "atp_ore": 1_000,
        "paying_municipality": None,
        "financing_municipality": "730", "channel": "eindkomst", "outside_act": False,
    }  # fmt: skip
    others = {
        "benefit": "BEF", "period_start": "2024-01-02", "period_end": "2024-02-01",
        "amount_ore": 1_000_001,
        "atp_ore": 1_001, "paying_municipality": "730", "financing_municipality": "751",
        "channel": "direct",
        "outside_act": True,
    }  # fmt: skip
    same = [first | LATER, {name: value for name, value in first.items() if name != "outside_act"}]
    conflicts = [first | {name: value} for name, value in others.items()]
    reversal = {
        name: first[name] for name in ("schema", "report_id", "reporter", "cpr", "reported_at")
    }
    conflicts.append(reversal | {"type": "reversal", "reverses": "P0"})
    store = MemoryStore()
    found = product.outcomes([first, *same, *conflicts], store, restarts=True)
    refused = ["conflicting_duplicate"] * len(conflicts)
    assert [outcome.refused for outcome in found] == ["", "", "", *refused]
    assert not any(outcome.posting or outcome.notices for outcome in found[1:])
    alone = MemoryStore()
    product.outcomes([first], alone)
    assert store == alone


def test_a_wage_is_delivered_again_or_refused_by_its_content():
    first = {
        "schema": 1, "type": "income", "report_id": "W1", "reporter": "12345678",
        "cpr": "6101000000",
        "reported_at": "2024-02-01T08:00:00Z", "kind": "wage", "period_start": "2024-01-01",
        "period_end": "2024-01-31", "amount_ore": 500_000, "pension_ore": 60_000,
    }  # fmt: skip
    others = {
        "kind": "self_employed", "period_start": "2024-01-02", "period_end": "2024-02-01",
        "amount_ore": 500_001,
        "pension_ore": 60_001,
    }  # fmt: skip
    conflicts = [first | {name: value} for name, value in others.items()]
    found = product.outcomes([first, first | LATER, *conflicts, first], restarts=True)
    assert [outcome.refused for outcome in found] == [
        "",
        "",
        *["conflicting_duplicate"] * len(conflicts),
        "",
    ]


@pytest.mark.parametrize("theme", THEMES)
def test_a_report_and_its_reversal_in_either_order_are_as_if_never_reported(theme):
    for seed in range(4000, 4015):
        rng = random.Random(seed)
        reports = life(theme, seed)
        expected = truth(reports)
        with_pair = list(reports)
        for report in _pair(rng, reports):
            with_pair.insert(rng.randint(0, len(with_pair)), report)
        assert truth(with_pair) == expected, smallest(
            with_pair, lambda some: truth(some) != truth(_without_pair(some))
        )


def _pair(rng, reports):
    """A payment like one of the life, but with other money and id, and its reversal."""
    payments = [report for report in reports if report["type"] == "benefit_payment"]
    if not payments:
        return []
    money = {"amount_ore": rng.choice((1_234_567, -1_234_567)), "atp_ore": 0}
    payment = rng.choice(payments) | money | {"report_id": "wrong"}
    head = {name: payment[name] for name in ("schema", "cpr", "reporter", "reported_at")}
    return [payment, head | {"type": "reversal", "report_id": "right", "reverses": "wrong"}]


def _without_pair(reports):
    return [report for report in reports if report["report_id"] not in ("wrong", "right")]


def test_deleting_and_reporting_the_same_line_again_gives_zero_difference():
    """The rows of the two messages sum to nothing, cell by cell and rate by rate; the counters
    are what they were.
    """
    tried = 0
    for seed in range(120):
        reports = short_life(seed)
        before = product.settle_all(reports)
        for line in _standing_payments(reports)[:3]:
            head = {name: line[name] for name in ("schema", "cpr", "reporter", "reported_at")}
            reversal = head | {
                "type": "reversal",
                "report_id": "deleted",
                "reverses": line["report_id"],
            }
            after = product.settle_all([*reports, reversal, line | {"report_id": "again"}])
            assert _sums(after.messages[len(before.messages) :]) == {}
            assert (product.true_now(after.rows), after.counters) == (
                product.true_now(before.rows),
                before.counters,
            )
            tried += 1
    assert tried > 100


def _standing_payments(reports):
    """Payments whose id came once and was not reversed."""
    ids = [(report["reporter"], report["report_id"]) for report in reports]
    ids += [
        (report["reporter"], report["reverses"])
        for report in reports
        if report["type"] == "reversal"
    ]
    payments = [report for report in reports if report["type"] == "benefit_payment"]
    return [
        payment
        for payment in payments
        if ids.count((payment["reporter"], payment["report_id"])) == 1
    ]


def _sums(messages):
    sums: dict[tuple, int] = {}
    for message in messages:
        for row in message["rows"]:
            for name in product.MONEY:
                key = (
                    *(row[field] for field in (*product.CELL, "mechanism", "rate", "account")),
                    name,
                )
                sums[key] = sums.get(key, 0) + row.get(name, 0)
    return {key: money for key, money in sums.items() if money}
