"""The ways to share an amount among weeks (switch SPLIT), by sums that a person can follow."""

from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.basics.money import percentage, split
from domain.basics.splits import SPLITS, split_by_weekdays, split_evenly
from domain.basics.weeks import month_text, slices, week_text
from streams.citizens.rule_sets import load_rule_set

STARTS = st.dates(date(2014, 1, 1), date(2034, 12, 31))
DAYS = st.integers(1, 366) | st.sampled_from((1, 2, 7, 28, 29, 30, 31))
AMOUNTS_ORE = st.integers(-(10**9), 10**9) | st.integers(-20, 20)


def parts(splitter, amount_ore: int, first: str, last: str) -> list[tuple[str, str, int]]:
    start, end = date.fromisoformat(first).toordinal(), date.fromisoformat(last).toordinal()
    return [
        (month_text(month), week_text(week), ore)
        for month, week, ore in splitter(amount_ore, start, end)
    ]


@pytest.mark.parametrize(
    ("switch", "refusion_ore"),
    [("CALENDAR_DAYS", 913_548), ("EQUAL_PER_TOUCHED_WEEK", 864_000), ("WEEKDAYS", 897_391)],
)
def test_a_first_month_as_in_the_rules(switch, refusion_ore):
    """Rules X2: 12,000.00 for January 2024; four weeks at 80 %, the fifth at 40 %."""
    january = SPLITS[switch](1_200_000, date(2024, 1, 1).toordinal(), date(2024, 1, 31).toordinal())
    assert (
        sum(percentage(ore, 80 if at < 4 else 40) for at, (_, _, ore) in enumerate(january))
        == refusion_ore
    )


def test_every_value_of_the_switch_has_a_way_and_the_first_is_the_default():
    question = load_rule_set().questions["SPLIT"]
    assert list(SPLITS) == [
        question.value,
        *(alternative.value for alternative in question.alternatives),
    ]
    assert SPLITS[question.value] is split


def test_a_week_in_two_months_has_one_share_split_by_its_days():
    assert parts(split_evenly, 1_400, "2024-01-29", "2024-02-11") == [
        ("2024-01", "2024-01-29", 300),
        ("2024-02", "2024-01-29", 400),
        ("2024-02", "2024-02-05", 700),
    ]


def test_the_days_of_a_weekend_get_nothing():
    assert parts(split_by_weekdays, -600, "2024-05-31", "2024-06-07") == [
        ("2024-05", "2024-05-27", -100),
        ("2024-06", "2024-05-27", 0),
        ("2024-06", "2024-06-03", -500),
    ]


def test_a_weekend_alone_is_split_by_its_days():
    assert parts(split_by_weekdays, 3, "2024-08-31", "2024-09-01") == [
        ("2024-08", "2024-08-26", 2),
        ("2024-09", "2024-08-26", 1),
    ]


def test_the_ore_left_over_go_to_the_largest_remainders_and_then_to_the_earliest():
    assert [ore for *_, ore in parts(split_evenly, 5, "2024-01-01", "2024-01-21")] == [2, 2, 1]
    assert [ore for *_, ore in parts(split_by_weekdays, 10, "2024-01-01", "2024-01-16")] == [
        4,
        4,
        2,
    ]


@pytest.mark.parametrize("switch", SPLITS)
@settings(max_examples=100)
@given(AMOUNTS_ORE, STARTS, DAYS)
def test_the_parts_are_the_slices_and_sum_to_the_amount(switch, amount_ore, start, days):
    first, last = start.toordinal(), start.toordinal() + days - 1
    found = SPLITS[switch](amount_ore, first, last)
    assert [(month, week) for month, week, _ in found] == [
        (piece.month, piece.week) for piece in slices(first, last)
    ]
    assert sum(ore for *_, ore in found) == amount_ore
    assert SPLITS[switch](-amount_ore, first, last) == [
        (month, week, -ore) for month, week, ore in found
    ]


@settings(max_examples=100, deadline=None)
@given(AMOUNTS_ORE, STARTS, DAYS)
def test_each_week_and_each_weekday_gets_its_share_to_within_an_ore(amount_ore, start, days):
    period = [date.fromordinal(start.toordinal() + number) for number in range(days)]
    by_slice = [
        [day for day in period if (day.strftime("%Y-%m"), _monday(day)) == place]
        for place in _places(period)
    ]
    even = [
        Fraction(
            len(held),
            sum(len(other) for other in by_slice if _monday(other[0]) == _monday(held[0])),
        )
        for held in by_slice
    ]
    worked = [Fraction(sum(day.isoweekday() < 6 for day in held)) for held in by_slice]
    for splitter, weights in ((split_evenly, even), (split_by_weekdays, worked)):
        if any(weights):
            found = [
                ore
                for *_, ore in splitter(amount_ore, period[0].toordinal(), period[-1].toordinal())
            ]
            exact = [amount_ore * weight / sum(weights) for weight in weights]
            assert all(abs(ore - share) < 1 for ore, share in zip(found, exact, strict=True))


def _monday(day: date) -> date:
    return date.fromordinal(day.toordinal() - day.weekday())


def _places(period: list[date]) -> list[tuple[str, date]]:
    return list(dict.fromkeys((day.strftime("%Y-%m"), _monday(day)) for day in period))
