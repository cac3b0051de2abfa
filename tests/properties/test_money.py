"""Money is neither made nor lost between a report and its rows (rules 4.2, items 2-4 and 10)."""

from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.basics.money import percentage, split
from domain.basics.weeks import month_text, slices, week_text
from domain.oracle import payments
from domain.oracle.rows import round_half_away
from tests.support import product
from tests.support.lives import RULES, THEMES, life

STARTS = st.dates(date(2014, 1, 1), date(2034, 12, 31))
DAYS = st.integers(1, 366) | st.sampled_from((1, 7, 28, 29, 30, 31, 365, 366))
AMOUNTS_ORE = st.integers(-(10**9), 10**9) | st.integers(-20, 20)


def reference_days(start: date, days: int) -> dict[payments.MonthWeek, int]:
    """The slices of a period by the reference."""
    return payments.days_of_slices(start, date.fromordinal(start.toordinal() + days - 1))


@settings(max_examples=300)
@given(STARTS, DAYS)
def test_slices_are_those_of_the_reference_and_have_every_day_once(start, days):
    pieces = slices(start.toordinal(), start.toordinal() + days - 1)
    found = [(month_text(piece.month), week_text(piece.week), piece.days) for piece in pieces]
    expected = reference_days(start, days)
    assert found == [
        (slice_.month, slice_.week.isoformat(), number) for slice_, number in expected.items()
    ]
    assert sum(piece.days for piece in pieces) == days


@settings(max_examples=500)
@given(AMOUNTS_ORE, STARTS, DAYS)
def test_slices_of_an_amount_sum_to_it_and_are_those_of_the_reference(amount_ore, start, days):
    parts = split(amount_ore, start.toordinal(), start.toordinal() + days - 1)
    assert sum(part_ore for _, _, part_ore in parts) == amount_ore
    expected = payments.split(amount_ore, reference_days(start, days))
    found = [(month_text(month), week_text(week), part_ore) for month, week, part_ore in parts]
    assert found == [
        (slice_.month, slice_.week.isoformat(), part_ore) for slice_, part_ore in expected.items()
    ]


@settings(max_examples=500)
@given(AMOUNTS_ORE, st.integers(0, 100))
def test_a_percentage_is_exact_to_half_an_ore_and_rounds_away_from_zero(amount_ore, percent):
    result_ore = percentage(amount_ore, percent)
    assert result_ore == round_half_away(Fraction(amount_ore * percent, 100))
    assert abs(Fraction(amount_ore * percent, 100) - result_ore) <= Fraction(1, 2)
    assert result_ore == -percentage(-amount_ore, percent)


@pytest.mark.parametrize("theme", THEMES)
def test_a_result_lies_between_nothing_and_the_amount(theme):
    """A row has a result of its own mechanism; the other one has nothing."""
    for seed in range(6000, 6020):
        for message in product.settle_all(life(theme, seed), batch=50).messages:
            for row in message["rows"]:
                other = "medfinansiering" if row["mechanism"] == "refusion" else "refusion"
                result_ore, amount_ore = row[f"{row['mechanism']}_ore"], row["amount_ore"]
                assert min(0, amount_ore) <= result_ore <= max(0, amount_ore)
                assert row[f"{other}_ore"] == 0


def test_refusion_and_medfinansiering_of_a_week_on_the_staircase_are_100_percent():
    """Whatever the week's ordinal and whichever benefits: both mechanisms rank it alike."""
    start = date(2021, 1, 4).toordinal()
    benefits = [benefit for benefit in RULES.benefits.values() if benefit.rate == "staircase"]
    reports = [
        _payment(benefit, date.fromordinal(start + 7 * week), week)
        for week in range(60)
        for benefit in benefits
        if _is_valid(benefit, date.fromordinal(start + 7 * week))
    ]
    rates: dict[str, dict[str, set[int]]] = {}
    for row in product.settle_all(reports, batch=100).rows:
        rates.setdefault(row["week"], {}).setdefault(row["mechanism"], set()).add(row["rate"])
    assert len(rates) == 60
    for week, by_mechanism in rates.items():
        (refusion,), (medfinansiering,) = by_mechanism["refusion"], by_mechanism["medfinansiering"]
        assert refusion + medfinansiering == 100, week


def _is_valid(benefit, day):
    return benefit.valid_from <= day and (benefit.valid_to is None or day <= benefit.valid_to)


def _payment(benefit, monday, week):
    return {
        "schema": 1, "type": "benefit_payment", "report_id": f"{benefit.code}-{week}",
        "reporter": "12345678",
        "cpr": "6101000000", "reported_at": "2022-06-01T08:00:00Z", "benefit": benefit.code,
        "period_start": monday.isoformat(),
        "period_end": date.fromordinal(monday.toordinal() + 6).isoformat(),
        "amount_ore": 100_000, "paying_municipality": "730", "financing_municipality": "730",
        "channel": "direct",
    }  # fmt: skip
