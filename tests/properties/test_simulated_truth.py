"""Truth by construction: the generator of a simulated life knows what it paid, and so does the
product afterwards.
"""

from collections import Counter
from datetime import date

import orjson
import pytest

from domain.basics.weeks import monday, month_number, month_text
from domain.oracle.reports import facts_of, valid_reports
from streams.citizens.store_port import MemoryStore
from streams.simulation import SimulationOptions, truth
from streams.simulation.arrival import deliveries
from streams.simulation.chance import generator, happens
from streams.simulation.lines import line
from tests.support import product
from tests.support.lives import RULES

COMPUTED = "FB"
POPULATION = 10_000
OPTIONS = SimulationOptions(
    POPULATION, month_number("2021-01"), month_number("2023-12"), seed=17, jobs=1
)
LONG_LIVES = SimulationOptions(
    POPULATION, month_number("2014-07"), month_number("2025-12"), seed=18, jobs=1
)
ORDINARY = range(240)
EXTRAORDINARY = [n for n in range(POPULATION) if happens(generator(OPTIONS.seed, n, "life"), 1)][
    :50
]


@pytest.mark.parametrize(
    ("options", "citizens"),
    [(OPTIONS, ORDINARY), (OPTIONS, EXTRAORDINARY), (LONG_LIVES, range(30))],
    ids=["ordinary lives", "extraordinary lives", "lives from the first week that counts"],
)
def test_money_and_touched_weeks_are_what_the_life_was_made_of(options, citizens):
    """Sums agree to the øre by benefit and month: all in the state, the financed in the rows."""
    found: Counter[str] = Counter()
    for citizen in citizens:
        expected = truth(options, citizen)
        store = MemoryStore()
        reports = _arriving(options, citizen)
        books = product.settle_all(reports, store, batch=20)
        head = product.state_of(store, expected.cpr).head
        assert _touched(head.touched) == expected.touched_weeks, citizen
        assert _net_of_state(store, expected.cpr) == _not_zero(expected.net_ore), citizen
        without_row = _not_always_financed(reports)
        assert _net_of_rows(books.rows, without_row) == _financed(expected.net_ore, without_row), (
            citizen
        )
        found["rows"] += len(books.rows)
        found["corrections"] += sum(row["kind"] == "correction" for row in books.rows)
    assert found["corrections"] > len(citizens) / 5
    assert found["rows"] > 10 * len(citizens)


def _arriving(options, citizen):
    """The reports as upstream publishes them, in the order of arrival."""
    cpr, sent = deliveries(options, citizen)
    return [
        orjson.loads(line(report, cpr, at))
        for at, report, _ in sorted(sent, key=lambda delivery: delivery.at)
    ]


def _touched(weeks_by_code):
    """The money that the Act covers: codes of money outside it have a mark."""
    return {
        code: frozenset(
            date.fromordinal(monday(week))
            for week in range(weeks.bit_length())
            if weeks >> week & 1
        )
        for code, weeks in weeks_by_code.items()
        if weeks and code in RULES.benefits
    }


def _net_of_state(store, cpr):
    citizen = product.state_of(store, cpr)
    first, months = month_number("2014-07"), citizen.head.months
    sums: Counter[tuple[str, str]] = Counter()
    for month in range(first, first + months.bit_length()):
        part = citizen.part(month)
        for group in part.groups if part else []:
            if group.code in RULES.benefits and group.code != COMPUTED:
                paid_ore = sum(cell.amount_ore for cell in group.cells)
                sums[group.code, month_text(month)] += paid_ore
    return _not_zero(sums)


def _not_always_financed(reports):
    """Benefits whose money gives no row in an old case, and fleksbidrag, which nobody is paid."""
    facts = facts_of(valid_reports(reports), RULES)
    is_ordinary_flex = facts.transfer is not None and facts.transfer <= RULES.dates.counting_from
    return (
        {COMPUTED}
        | (set() if is_ordinary_flex else {"LY"})
        | ({"FPN"} if facts.old_pension else set())
    )


def _net_of_rows(rows, without_row):
    sums: Counter[tuple[str, str]] = Counter()
    for row in rows:
        if row["month"] >= "2016-01" and row["benefit"] not in without_row:
            sums[row["benefit"], row["month"]] += row["amount_ore"]
    return _not_zero(sums)


def _financed(net_ore, without_row):
    return _not_zero({
        (code, month): amount_ore
        for (code, month), amount_ore in net_ore.items()
        if RULES.benefits[code].mechanism and month >= "2016-01" and code not in without_row
    })  # fmt: skip


def _not_zero(sums):
    return {key: amount_ore for key, amount_ore in sums.items() if amount_ore}
