"""Points of attention that last: open until a run closes them, and told with that run."""

import duckdb
import pytest

from projections.lis.lasting_points import EARLIER_RUNS, awaiting_wages, without_account
from projections.lis.questions import LisQuestion
from projections.lis.scopes import ViewScope
from tests.support.lives import RULES

MONTHS = {49: "2024-01", 50: "2024-02", 51: "2024-03", 52: "2024-04"}
LAST_RATE = 20
OF_MONEY = (
    "run INTEGER, month TEXT, municipality TEXT, benefit TEXT, account TEXT, amount_ore BIGINT"
)
OF_PERSONS = (
    "run INTEGER, month TEXT, municipality TEXT, citizen TEXT, benefit TEXT, rate INTEGER,"
    " amount_ore BIGINT, refusion_ore BIGINT"
)


def scope_of(mart, columns, rows, place=None, months=MONTHS):
    """A scope over one table of some rows."""
    connection = duckdb.connect()
    connection.execute(f"CREATE TABLE {mart} ({columns})")
    marks = ", ".join("?" for _ in columns.split(","))
    for row in rows:
        connection.execute(f"INSERT INTO {mart} VALUES ({marks})", row)  # noqa: S608

    def read(sql, values):
        return connection.execute(sql, values).fetchall()

    return ViewScope(LisQuestion("afregning", place), months, RULES, read, list, {})


def accounts(*rows, place=None, months=MONTHS):
    """The points of money without an account; a row is a run, a month and an amount."""
    money = [
        (run, month, *(key or ("730", "KTH")), None, amount)
        for run, month, amount, *keys in rows
        for key in [keys[0] if keys else None]
    ]
    return without_account(scope_of("money", OF_MONEY, money, place, months)).earlier


def fates(points):
    return [(point.months, point.raised, point.closed, point.found.ore) for point in points]


def test_a_point_is_closed_by_the_run_that_leaves_nothing_of_it():
    points = accounts((49, "2024-01", 900), (50, "2024-01", -400), (51, "2024-01", -500))
    assert fates(points) == [(("2024-01",), 49, 51, 900)]
    assert points[0].found.benefits == ("KTH",)
    assert points[0].found.places == 1


def test_a_point_of_which_something_is_left_is_open_and_says_how_much():
    assert fates(accounts((49, "2024-01", 900), (51, "2024-01", -400))) == [
        (("2024-01",), 49, None, 500)
    ]


def test_what_no_run_has_closed_yet_closes_nothing():
    assert fates(accounts((49, "2024-01", 900), (None, "2024-01", -900))) == [
        (("2024-01",), 49, None, 900)
    ]


def test_a_point_that_comes_back_is_open_again():
    rows = [(49, "2024-01", 900), (50, "2024-01", -900), (51, "2024-01", 300)]
    assert fates(accounts(*rows)) == [(("2024-01",), 49, None, 300)]
    assert fates(accounts(*rows, (52, "2024-01", -300))) == [(("2024-01",), 49, 52, 900)]


def test_what_was_gone_when_the_run_of_its_month_was_closed_was_no_point():
    assert accounts((49, "2024-02", 900), (50, "2024-02", -900)) == []
    assert fates(accounts((49, "2024-02", 900))) == [(("2024-02",), 50, None, 900)]


def test_the_last_runs_own_month_is_no_earlier_point():
    assert accounts((52, "2024-04", 900)) == []
    assert accounts((49, "2024-01", 900), months={49: "2024-01"}) == []


def test_months_of_one_fate_are_one_point_and_the_open_ones_come_first():
    rows = [(49, "2024-01", 900), (50, "2024-02", 100), (51, "2024-03", 10), (52, "2024-02", -100)]
    assert fates(accounts(*rows)) == [
        (("2024-01", "2024-03"), 49, None, 910),
        (("2024-02",), 50, 52, 100),
    ]
    rows += [(51, "2024-01", -900), (52, "2024-03", -10)]
    assert fates(accounts(*rows)) == [
        (("2024-02", "2024-03"), 50, 52, 110),
        (("2024-01",), 49, 51, 900),
    ]


def test_one_municipality_that_is_settled_closes_nothing_for_all():
    other = ("751", "ADP")
    rows = [(49, "2024-01", 900), (49, "2024-01", -900, other), (50, "2024-01", -900)]
    assert fates(accounts(*rows)) == [(("2024-01",), 49, None, -900)]
    assert fates(accounts(*rows, place="730")) == [(("2024-01",), 49, 50, 900)]


def test_so_many_runs_are_followed():
    months = {run: f"{2022 + run // 12}-{run % 12 + 1:02d}" for run in range(24)}
    rows = [(run, month, 1) for run, month in months.items()]
    (point,) = accounts(*rows, months=months)
    assert (len(point.months), point.raised) == (EARLIER_RUNS, 23 - EARLIER_RUNS)


def wages(*rows):
    """The points of citizens who lack a fleksbidrag."""
    persons = [
        (run, "2024-01", "730", citizen, benefit, rate, amount, refusion)
        for run, citizen, benefit, rate, amount, refusion in rows
    ]
    return [
        (point.raised, point.closed, point.found.size)
        for point in awaiting_wages(scope_of("person_months", OF_PERSONS, persons)).earlier
    ]


PAID = (49, "a", "FLT", LAST_RATE, 900, 180)
CONTRIBUTED = (51, "a", "FB", None, 0, 70)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([PAID], [(49, None, 1)]),
        ([PAID, CONTRIBUTED], [(49, 51, 1)]),
        ([PAID, CONTRIBUTED, (52, "a", "FB", None, 0, -70)], [(49, None, 1)]),
        ([PAID, (50, "a", "FLT", LAST_RATE, -900, -180)], [(49, 50, 1)]),
        ([PAID, (None, "a", "FB", None, 0, 70)], [(49, None, 1)]),
        ([(49, "a", "FLT", 40, 900, 360)], []),
        ([PAID, (49, "b", "FLT", LAST_RATE, 5, 1), CONTRIBUTED], [(49, None, 1)]),
        ([PAID, (49, "b", "FLT", LAST_RATE, 5, 1), CONTRIBUTED, (52, "b", "FB", None, 0, 1)],
         [(49, 52, 2)]),
    ],
)  # fmt: skip
def test_wages_are_awaited_until_every_citizen_has_a_contribution(rows, expected):
    assert wages(*rows) == expected
