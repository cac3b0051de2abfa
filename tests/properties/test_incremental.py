"""The product keeps up report by report what the reference computes from scratch."""

import random
from datetime import date
from itertools import pairwise, permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.basics.weeks import monday, week_of, week_text
from domain.law.counters import ordinal
from domain.oracle import reference
from domain.oracle.payments import money_of_slices
from domain.oracle.reports import facts_of, payments_of, valid_reports
from domain.oracle.weeks import weeks_of
from streams.citizens.store_port import MemoryStore
from tests.support import product
from tests.support.histories import fictive_cpr, histories
from tests.support.lives import RULES, THEMES, differs, life, short_life, smallest, truth_of
from tests.support.sizes import sized

SHARDS = {0: range(80), 1: range(80, sized(120, 160))}
WEEKS_LATER = (0, 1, 9, 10, 50, 51, 52, 53, 104, 155, 156, 157, 158, 200)


@pytest.mark.parametrize("shard", [0, pytest.param(1, marks=pytest.mark.long)])
@pytest.mark.parametrize("theme", THEMES)
def test_incremental_is_from_scratch(theme, shard):
    for seed in SHARDS[shard]:
        reports = life(theme, seed)
        books = product.settle_all(reports, batch=7)
        if (product.true_now(books.rows), books.counters) != truth_of(reports):
            fewest = smallest(reports, differs)
            assert _of_product(fewest or reports) == truth_of(fewest or reports), (
                f"seed {seed}: {fewest}"
            )


@settings(max_examples=250)
@given(histories(RULES))
def test_incremental_is_from_scratch_and_what_is_not_shrinks(reports):
    assert _of_product(reports) == truth_of(reports)


@pytest.mark.parametrize("shard", range(2))
def test_after_every_single_report_the_books_are_the_truth_so_far(shard):
    """An error that a later report repairs is an error too. Posted ordinals are right when
    posted.
    """
    for seed in range(shard, 50, 2):
        reports = short_life(seed)
        found = product.outcomes(reports)
        for number in range(1, len(found) + 1):
            _check_books_so_far(reports[:number], found[:number])


def _check_books_so_far(reports, found):
    books = product.books(found)
    rows, counters = reference.settle(reports, RULES)
    assert product.true_now(books.rows) == product.true_now(rows), reports
    assert books.counters == counters, reports
    true_ordinals = {_cell(row): row["ordinal"] for row in rows}
    latest = books.messages[-1]["rows"] if found[-1].posting else []
    posted = [row for row in latest if "reverses" not in row]
    assert [row["ordinal"] for row in posted] == [true_ordinals[_cell(row)] for row in posted], (
        reports
    )


def test_the_week_of_28_december_2015_looks_ahead_across_a_new_start_in_any_order():
    """Too rare to be met by chance: one benefit week, 52 of self-support that end with the very
    week that looks ahead, money in it that does not touch it, and a benefit week after it. It
    alone decides between n = 2 and 1.
    """
    periods = {
        "first": ("2014-12-29", 280_000),
        "repaid": ("2015-12-28", -70_000),
        "after": ("2016-01-04", 280_000),
    }
    reports = [
        _week_of_assistance(name, start, amount_ore)
        for name, (start, amount_ore) in periods.items()
    ]
    assert [row["ordinal"] for row in reference.settle(reports, RULES).rows] == [1, 1]
    assert [row["ordinal"] for row in reference.settle(reports[:2], RULES).rows] == [2]
    # Four benefit weeks before make it n = 5, on another step, until the week after is known.
    earlier = [
        _week_of_assistance(f"E{day}", f"2014-12-{day:02d}", 280_000) for day in (1, 8, 15, 22)
    ]
    for order in permutations(reports):
        assert _of_product([*earlier, *order]) == truth_of([*earlier, *order]), [
            report["report_id"] for report in order
        ]


def _week_of_assistance(report_id, monday_text, amount_ore):
    end = date.fromordinal(date.fromisoformat(monday_text).toordinal() + 6)
    return {
        "schema": 1, "type": "benefit_payment", "report_id": report_id, "reporter": "12345678",
        "cpr": "6101000000",
        "reported_at": "2016-02-01T08:00:00Z", "benefit": "KTH", "period_start": monday_text,
        "period_end": end.isoformat(), "amount_ore": amount_ore, "paying_municipality": "730",
        "channel": "direct",
    }  # fmt: skip


@pytest.mark.parametrize("theme", THEMES)
def test_every_benefit_week_has_the_ordinal_that_the_reference_counts(theme):
    """Ordinals never skip: a benefit week is one more than the one before, or the first
    of a new start.
    """
    for seed in range(1000, 1020):
        reports = life(theme, seed)
        ends = _weeks_of_reference(reports)
        store = MemoryStore()
        product.settle_all(reports, store, batch=len(reports) + 1)
        weeks = product.state_of(store, fictive_cpr(0)).head.weeks
        ordinals = [
            (week_text(week), ordinal(benefit, resets, week))
            for week in range(weeks.first.busy.bit_length())
            for benefit, _, resets in [weeks.at(week)]
            if benefit >> week & 1
        ]
        assert ordinals == [
            (end.week.isoformat(), end.ordinal) for end, state in ends if state == "B"
        ], reports
        if weeks.second is None:
            assert all(later in (earlier + 1, 1) for (_, earlier), (_, later) in pairwise(ordinals))


def _weeks_of_reference(reports):
    standing = valid_reports(reports)
    facts = facts_of(standing, RULES)
    lines = money_of_slices(payments_of(standing), RULES, facts)
    last_week = max((line.slice.week for line in lines), default=date(2014, 6, 30))
    states, ends, _ = weeks_of(lines, last_week, facts, RULES)
    return [(end, states.get(week, "S")) for week, end in ends.items()]


def test_every_theme_reaches_its_rule():
    """It is so in at least one life of five, or the tests above prove less than their names say."""
    reached = {
        "resets": [_starts_anew(rows) for rows in _rows("resets")],
        "the_window": [
            len(truth_of(life("the_window", seed))[1]["earned"]) > 1 for seed in range(30)
        ],
        "the_turn_of_2015_16": [
            _has_week(rows, "2015-12-28") for rows in _rows("the_turn_of_2015_16")
        ],
        "the_29th_of_february": [_starts_anew(rows) for rows in _rows("the_29th_of_february")],
        "years_of_53_weeks": [
            any(_has_week(rows, week) for week in ("2015-12-28", "2020-12-28", "2026-12-28"))
            for rows in _rows("years_of_53_weeks")
        ],
        "backwards": [any(row["ordinal"] > 52 for row in rows) for rows in _rows("backwards")],
        "old_cases": [any(row["rate"] == 65 for row in rows) for rows in _rows("old_cases")],
        "old_cases with two counts": [
            _has_two_counts(life("old_cases", seed)) for seed in range(30)
        ],
        "late_wages": [any(row["benefit"] == "FB" for row in rows) for rows in _rows("late_wages")],
    }
    assert {theme: sum(lives) for theme, lives in reached.items() if sum(lives) < 6} == {}


def _rows(theme):
    return [reference.settle(life(theme, seed), RULES).rows for seed in range(30)]


def _has_two_counts(reports):
    return facts_of(valid_reports(reports), RULES).enters


def _has_week(rows, week):
    return any(row["week"] == week for row in rows)


def _starts_anew(rows):
    counts = [
        row["ordinal"] for row in sorted(rows, key=lambda row: row["week"]) if row["amount_ore"] > 0
    ]
    return any(later < earlier for earlier, later in pairwise(counts))


@settings(max_examples=60)
@given(histories(RULES), st.data())
def test_the_counters_of_any_message_suffice_for_all_later_weeks(reports, data):
    """Contract section 3: whoever has the message needs no other report to evaluate both
    counters later.
    """
    found = product.outcomes(reports)
    posted = [number for number, outcome in enumerate(found, 1) if outcome.posting]
    if not posted:
        return
    number = data.draw(st.sampled_from(posted))
    counters = product.books(found[:number]).counters
    if counters["week"] is None:
        return
    week = week_of(date.fromisoformat(counters["week"]).toordinal())
    for later in data.draw(
        st.lists(st.sampled_from(WEEKS_LATER), min_size=3, max_size=3, unique=True)
    ):
        day = date.fromordinal(monday(week + later) + random.Random(later).randrange(7))
        assert reference.counters_later(counters, RULES, day) == reference.counters_at(
            reports[:number], RULES, day
        )


def _of_product(reports):
    books = product.settle_all(reports)
    return product.true_now(books.rows), books.counters


def _cell(row):
    return tuple(row[name] for name in product.CELL)
