"""The reference computation against numbers worked out by hand."""

from datetime import date, timedelta
from fractions import Fraction

import pytest

from domain.oracle import reference
from domain.oracle.days import WEEK, years_before
from domain.oracle.payments import MonthWeek, days_of_slices, split
from domain.oracle.rows import result, round_half_away
from domain.oracle.weeks import state_of_week
from streams.citizens.rule_sets import load_rule_set

RULES = load_rule_set()
W01 = date(2024, 1, 1)


def payment(
    report_id="P1",
    benefit="KTH",
    start="2024-01-01",
    end="2024-01-07",
    amount_ore=280_000,
    **others,
):
    head = {
        "type": "benefit_payment",
        "reporter": "12345678",
        "report_id": report_id,
        "benefit": benefit,
    }
    body = {
        "period_start": start,
        "period_end": end,
        "amount_ore": amount_ore,
        "channel": "eindkomst",
    }
    return head | body | {"paying_municipality": "730", "financing_municipality": "730"} | others


def weekly(first, weeks, **others):
    """Whole weeks from a Monday, with ids of their own."""
    mondays = [date.fromisoformat(first) + i * WEEK for i in range(weeks)]
    return [
        payment(str(m), start=m.isoformat(), end=str(m + timedelta(days=6)), **others)
        for m in mondays
    ]


def ordinals(reports):
    return [
        (row["week"], row["ordinal"], row["rate"]) for row in reference.settle(reports, RULES).rows
    ]


@pytest.mark.parametrize(
    ("exact", "rounded"),
    [("0.5", 1), ("-0.5", -1), ("0.49", 0), ("-0.49", 0), ("1.5", 2), ("-1.5", -2), ("-1", -1)],
)
def test_half_an_ore_goes_away_from_zero(exact, rounded):
    assert round_half_away(Fraction(exact)) == rounded


@pytest.mark.parametrize(
    ("day", "earlier"),
    [("2032-02-29", "2029-02-28"), ("2024-02-28", "2021-02-28"), ("2023-02-28", "2020-02-28")],
)
def test_three_years_before(day, earlier):
    assert years_before(date.fromisoformat(day), 3) == date.fromisoformat(earlier)


def test_a_straddling_week_has_two_slices():
    days = days_of_slices(date(2024, 1, 27), date(2024, 2, 5))
    week_22_january, week_29_january, week_5_february = (
        date(2024, 1, 22),
        date(2024, 1, 29),
        date(2024, 2, 5),
    )
    assert days == {
        MonthWeek("2024-01", week_22_january): 2,
        MonthWeek("2024-01", week_29_january): 3,
        MonthWeek("2024-02", week_29_january): 4,
        MonthWeek("2024-02", week_5_february): 1,
    }


@pytest.mark.parametrize(
    ("amount_ore", "days", "parts"),
    [
        (10, [7, 7], [5, 5]),
        (1, [7, 7], [1, 0]),  # equal remainders: the earliest
        (-1, [7, 7], [-1, 0]),
        (1, [3, 7], [0, 1]),  # 0.3 and 0.7: the largest remainder
        (100, [1, 1, 1], [34, 33, 33]),
        (-100, [1, 1, 1], [-34, -33, -33]),
        (5, [7, 7, 7, 7, 3], [1, 1, 1, 1, 1]),  # 1.13 four times and 0.48
        (0, [7, 7], [0, 0]),
    ],
)
def test_split(amount_ore, days, parts):
    slices = [MonthWeek("2024-01", W01 + i * WEEK) for i in range(len(days))]
    assert list(split(amount_ore, dict(zip(slices, days, strict=True))).values()) == parts


@pytest.mark.parametrize(
    ("nets_ore", "state"),
    [
        ({}, "S"),
        ({("KTH", "ordinary"): 1}, "B"),
        ({("KTH", "ordinary"): 0}, "S"),
        ({("KTH", "ordinary"): -1}, "S"),
        ({("SUY", "ordinary"): 1}, "B"),
        ({("SU", "ordinary"): 1, ("KTH", "ordinary"): 1}, "B"),
        ({("SU", "ordinary"): 1, ("KTH", "ordinary"): -1}, "O"),
        ({("KTH", "outside"): 1}, "O"),
        ({("KTH", "outside"): 1, ("SDP-B", "ordinary"): 1}, "B"),
        ({("ATP", "outside"): 1}, "O"),
        (
            {
                ("MBT", "ordinary"): 1,
                ("BEF", "ordinary"): 1,
                ("ATP", "ordinary"): 1,
                ("OPO", "ordinary"): 1,
            },
            "S",
        ),
        ({("UFB", "ordinary"): 1}, "O"),
        ({("LYG", "ordinary"): 1}, "O"),
        ({("FPG", "ordinary"): 1}, "O"),
    ],
)
def test_state_of_a_week(nets_ore, state):
    assert state_of_week(nets_ore, RULES) == state


def test_two_benefits_that_cancel_each_other_are_netted_apart():
    reports = [payment("P1", "KTH"), payment("P2", "SDP-B", amount_ore=-280_000)]
    assert reference.settle(reports, RULES).counters == {
        "week": "2024-01-01",
        "seniority": 1,
        "earned": [],
    }


@pytest.mark.parametrize(
    ("n", "refusion", "medfinansiering"),
    [
        (0, 80, 20),
        (1, 80, 20),
        (4, 80, 20),
        (5, 40, 60),
        (26, 40, 60),
        (27, 30, 70),
        (52, 30, 70),
        (53, 20, 80),
    ],
)
def test_bands(n, refusion, medfinansiering):
    assert result("KTH", 10_000, n, RULES)["refusion_ore"] == refusion * 100
    assert result("ADP", 10_000, n, RULES)["medfinansiering_ore"] == medfinansiering * 100


def test_a_negative_row_rounds_away_from_zero():
    reports = [payment(benefit="BEF", amount_ore=-1)]
    (row,) = reference.settle(reports, RULES).rows
    assert (row["amount_ore"], row["rate"], row["medfinansiering_ore"], row["ordinal"]) == (
        -1,
        50,
        -1,
        0,
    )
    assert row["account"] == "5.57.78.1.005"


def test_an_amount_that_is_all_atp_gives_no_row_and_no_touch():
    reports = [payment(benefit="ADP", amount_ore=28_400, atp_ore=28_400)]
    assert reference.settle(reports, RULES) == ([], {"week": None, "seniority": 0, "earned": []})


def test_atp_beside_other_benefits_is_not_deducted():
    (row,) = reference.settle([payment(benefit="KTH", atp_ore=28_400)], RULES).rows
    assert row["amount_ore"] == 280_000
    assert "atp_ore" not in row


def test_fifty_two_weeks_reset_and_fifty_one_do_not():
    # 2022-W01..W04, then W05..W52 and 2023-W01..W03 are 48 + 3 = 51 weeks of self-support.
    before = weekly("2022-01-03", 4)
    assert ordinals([*before, *weekly("2023-01-23", 1)])[-1] == ("2023-01-23", 5, 40)
    assert ordinals([*before, *weekly("2023-01-30", 1)])[-1] == ("2023-01-30", 1, 80)


def test_the_week_that_resets_still_has_the_old_count():
    # 2022-W06..2023-W05 are 52 weeks. Money in the last of them takes week 5, a week later there is
    # no count.
    in_the_week = payment("minus", start="2023-02-01", end="2023-02-05", amount_ore=-100)
    a_week_later = payment("minus 2", start="2023-02-06", end="2023-02-12", amount_ore=-100)
    rows = ordinals([*weekly("2022-01-03", 5), in_the_week, a_week_later])
    assert rows[-2:] == [("2023-01-30", 5, 40), ("2023-02-06", 0, 80)]


def test_earned_weeks_leave_the_window_one_by_one():
    # Earned: 2020-W02 and W03. On Sunday 2023-01-08 the window begins after 2020-01-08: Monday
    # 2020-01-06 is out.
    reports = [*weekly("2019-12-30", 1), *weekly("2020-01-20", 160)]
    earned = [
        reference.counters_at(reports, RULES, day)[1]
        for day in (date(2023, 1, 1), date(2023, 1, 8), date(2023, 1, 15))
    ]
    assert earned == [2, 1, 0]


def test_the_week_of_28_december_2015_after_a_reset():
    # 2014-W27 is week 1; the 52 weeks after it are earned by 2015-07-05. 2015-W53 is then week 1,
    # 2016-W01 week 2.
    first = payment("P1", start="2014-07-01", end="2014-07-06")
    days_of_january = payment("P2", start="2016-01-01", end="2016-01-03")
    assert ordinals([first, days_of_january]) == [("2015-12-28", 2, 80)]
    assert ordinals([first, days_of_january, *weekly("2016-01-04", 1)]) == [
        ("2015-12-28", 2, 80),
        ("2016-01-04", 2, 80),
    ]


def test_the_week_of_28_december_2015_that_resets():
    # 2015-W01 is week 1 and W02..W53 are 52 weeks of self-support: the count starts anew after W53.
    benefit = weekly("2014-12-29", 1)
    repaid = payment("minus", start="2016-01-01", end="2016-01-03", amount_ore=-100)
    assert ordinals([*benefit, repaid]) == [("2015-12-28", 2, 80)]
    assert ordinals([*benefit, repaid, *weekly("2016-01-04", 1)]) == [
        ("2015-12-28", 1, 80),
        ("2016-01-04", 1, 80),
    ]


def test_counters_have_runs_of_earned_weeks():
    reports = [*weekly("2024-01-01", 1), *weekly("2024-01-22", 1), *weekly("2024-02-05", 1)]
    earned = [["2024-01-08", 2], ["2024-01-29", 1]]
    assert reference.settle(reports, RULES).counters == {
        "week": "2024-02-05",
        "seniority": 3,
        "earned": earned,
    }


def test_counters_of_a_message_suffice_for_later_weeks():
    counters = {
        "week": "2024-02-05",
        "seniority": 3,
        "earned": [["2024-01-08", 2], ["2024-01-29", 1]],
    }
    assert reference.counters_later(counters, RULES, date(2024, 2, 11)) == (3, 3)
    assert reference.counters_later(counters, RULES, date(2024, 2, 12)) == (3, 4)
    assert reference.counters_later(counters, RULES, date(2025, 1, 19)) == (
        0,
        0,
    )  # the 49th week from 2024-02-12
    assert reference.counters_later(
        {"week": None, "seniority": 0, "earned": []}, RULES, date(2024, 1, 1)
    ) == (0, 0)


def test_cells_are_summed_before_rounding():
    # Twice 1 øre at 80 % is 2 øre x 80 % = 1.6, rounded once.
    (row,) = reference.settle(
        [payment("P1", amount_ore=1), payment("P2", amount_ore=1)], RULES
    ).rows
    assert (row["amount_ore"], row["refusion_ore"]) == (2, 2)


def test_rows_are_sorted_by_cell():
    reports = [
        payment("P1", "SDP-B", start="2024-01-29", end="2024-02-04"),
        payment("P2", "ADP", paying_municipality=None),
        payment("P3", "ADP"),
        payment("P4", "KTH", paying_municipality="751", financing_municipality="751"),
        payment("P5", "KTH"),
    ]
    cells = [
        (r["month"], r["week"], r["benefit"], r["paying"])
        for r in reference.settle(reports, RULES).rows
    ]
    assert cells == [
        ("2024-01", "2024-01-01", "ADP", None),
        ("2024-01", "2024-01-01", "ADP", "730"),
        ("2024-01", "2024-01-01", "KTH", "730"),
        ("2024-01", "2024-01-01", "KTH", "751"),
        ("2024-01", "2024-01-29", "SDP-B", "730"),
        ("2024-02", "2024-01-29", "SDP-B", "730"),
    ]
