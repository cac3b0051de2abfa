"""The tables of LIS are what a plain, slow count over the postings gives, as of every run.

Random lives with late data, reversals and opening rows, closed at any point, in two partitions.
"""

import random
from collections import defaultdict
from datetime import date, timedelta

import pytest

from domain.oracle import reference
from projections.lis.tables import MARTS, WEEKS, rows_of
from streams.ledger.table import LedgerTable
from streams.lis.build import BuildRequest, build
from streams.lis.marts import open_marts
from streams.lis.store import MartStore
from tests.support import product
from tests.support.lives import RULES
from tests.support.run_histories import RUNS, ledger_of_lives
from tests.support.sizes import sized

ASKED = [("known", None), *((asked, run) for asked in ("of", "settled") for run in RUNS)]
MONEY = ("amount_ore", "atp_ore", "refusion_ore", "medfinansiering_ore")
KEYS = (
    *("municipality", "paying", "financing", "benefit", "mechanism", "rate", "account", "month"),
    *("kind", "reason"),
)
SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(1, sized(3, 9)))]


def law_of(_name):
    return product.law()


def built(folder, kept=()):
    """Build the marts of the ledger in a folder, with what was kept of its runs."""
    ledger = LedgerTable.open(str(folder / "ledger"))
    return build(
        ledger, MartStore(str(folder / "lis")), law_of, kept, BuildRequest(), lambda *_: None
    )


@pytest.fixture(scope="module", params=SEEDS)
def lives(request, tmp_path_factory):
    """The rows and messages of a ledger, and its marts."""
    rng = random.Random(request.param)
    folder = tmp_path_factory.mktemp("lives")
    rows, messages = ledger_of_lives(rng, request.param, folder / "ledger")
    built(folder)
    with open_marts(str(folder / "lis")) as marts:
        yield rows, messages, marts


def chosen(rows, asked, run):
    """The rows that a question is about."""
    if asked == "known":
        return rows
    if asked == "of":
        return [row for row in rows if row["run"] is not None and row["run"] <= run]
    return [row for row in rows if row["run"] == run and row["kind"] != "opening"]


def by(rows, keys):
    """The rows with each combination of keys."""
    groups = defaultdict(list)
    for row in rows:
        groups[tuple(row[key] for key in keys)].append(row)
    return groups


@pytest.mark.parametrize(("asked", "run"), ASKED)
def test_money_is_the_sum_of_the_rows_to_the_ore(lives, asked, run):
    rows, _, marts = lives
    sums = ", ".join(f"CAST(sum({name}) AS BIGINT)" for name in (*MONEY, "rows", "weeks"))
    found = marts.rows(
        f"SELECT {', '.join(KEYS)}, {sums} FROM money"  # noqa: S608
        f" WHERE {rows_of(MARTS['money'], asked, run)} GROUP BY ALL"
    )
    expected = {
        key: (
            *(sum(row[name] for row in group) for name in MONEY),
            len(group),
            sum(-1 if "reverses" in row else 1 for row in group),
        )
        for key, group in by(chosen(rows, asked, run), KEYS).items()
    }
    assert {row[: len(KEYS)]: row[len(KEYS) :] for row in found} == expected


def counted(rows, keys):
    """Persons and weeks by the contract's definition, over rows with the same keys."""
    persons: dict[tuple, int] = defaultdict(int)
    weeks: dict[tuple, int] = defaultdict(int)
    rows = [row for row in rows if row["benefit"] != "FB"]
    for (citizen, *key), group in by(rows, ("citizen", *keys)).items():
        if sum(row["amount_ore"] for row in group) > 0:
            persons[tuple(key)] += 1
            weeks[tuple(key)] += sum(
                sum(row["amount_ore"] for row in of_week) > 0
                for of_week in by(group, ("week",)).values()
            )
        assert citizen
    return {key: (number, weeks[key]) for key, number in persons.items()}


@pytest.mark.parametrize(("asked", "run"), ASKED)
@pytest.mark.parametrize("keys", [("benefit", "rate"), ("benefit",), ("rate",), ()])
def test_persons_are_those_of_a_slow_count(lives, asked, run, keys):
    rows, _, marts = lives
    measures = (
        "booked_persons, booked_weeks"
        if asked == "settled"
        else "CAST(sum(persons) AS BIGINT), CAST(sum(weeks) AS BIGINT)"
    )
    grain = " AND ".join(f"{name} IS {'NOT ' * (name in keys)}NULL" for name in ("benefit", "rate"))
    group = "" if asked == "settled" else "GROUP BY municipality, month, benefit, rate"
    found = marts.rows(
        f"SELECT municipality, month, benefit, rate, {measures} FROM persons"  # noqa: S608
        f" WHERE {rows_of(MARTS['persons'], asked, run)} AND {grain} {group}"
    )
    whole = ("municipality", "month", *keys)
    named = {
        tuple(value for value in row[:4] if value is not None): row[4:] for row in found if row[4]
    }
    assert named == counted(chosen(rows, asked, run), whole)


@pytest.mark.parametrize(("asked", "run"), ASKED)
def test_a_persons_months_sum_to_its_rows_and_weeks(lives, asked, run):
    rows, _, marts = lives
    keys = ("municipality", "month", "citizen", "benefit", "rate")
    sums = "sum(amount_ore), sum(refusion_ore), sum(medfinansiering_ore), sum(weeks)"
    found = marts.rows(
        f"SELECT {', '.join(keys)}, {sums}, {WEEKS} FROM person_months"  # noqa: S608
        f" WHERE {rows_of(MARTS['person_months'], asked, run)} GROUP BY ALL"
    )
    expected = {
        key: (
            sum(row["amount_ore"] for row in group),
            sum(row["refusion_ore"] for row in group),
            sum(row["medfinansiering_ore"] for row in group),
            sum(-1 if "reverses" in row else 1 for row in group),
            sum(
                sum(row["amount_ore"] for row in of_week) > 0
                for of_week in by(group, ("week",)).values()
            ),
        )
        for key, group in by(chosen(rows, asked, run), keys).items()
    }
    assert {row[:5]: row[5:] for row in found} == expected


@pytest.mark.parametrize("run", [*RUNS, None])
def test_standing_is_the_counters_of_the_last_message_told_later(lives, run):
    rows, messages, marts = lives
    last = {
        message["citizen"]: message
        for message in messages
        if run is None or (message["run"] is not None and message["run"] <= run)
    }
    rows = list(chosen(rows, "known" if run is None else "of", run))
    found = marts.rows(
        "SELECT citizen, at_week, seniority, earned, rate, municipality, month, benefit, week_ore"
        " FROM standing WHERE run = ?"
        if run
        else "SELECT citizen, at_week, seniority, earned, rate, municipality, month, benefit,"
        " week_ore FROM standing WHERE run IS NULL OR run = 51 AND citizen NOT IN"
        " (SELECT citizen FROM standing WHERE run IS NULL)",
        [run] if run else [],
    )
    assert len({row[0] for row in found}) == len(found)
    assert {row[0]: row[1:] for row in found} == {
        citizen: stands(message, rows, f"2024-0{(run or RUNS[-1]) - 48}")
        for citizen, message in last.items()
    }


def stands(message, rows, data_month):
    """A citizen's standing by the reference computation, and its latest row."""
    following = date.fromisoformat(data_month + "-01") + timedelta(days=31)
    last_day = following.replace(day=1) - timedelta(days=1)
    monday = last_day - timedelta(days=last_day.weekday())
    counters = message["counters"]
    at = max(filter(None, (monday.isoformat(), counters["week"])))
    seniority, earned = reference.counters_later(counters, RULES, date.fromisoformat(at))
    rate = next(
        rate for first, rate in ((53, 20), (27, 30), (5, 40), (0, 80)) if seniority >= first
    )
    latest = latest_row([row for row in rows if row["citizen"] == message["citizen"]])
    return (at, seniority, earned, rate, *latest)


def latest_row(rows):
    keys = ("month", "municipality", "benefit")
    best = None
    for (month, municipality, benefit), group in by(rows, keys).items():
        if benefit == "FB" or sum(row["amount_ore"] for row in group) <= 0:
            continue
        weeks = {
            week: sum(row["amount_ore"] for row in of_week)
            for (week,), of_week in by(group, ("week",)).items()
        }
        last = max(week for week, ore in weeks.items() if ore > 0)
        ranked = (month, last, _backwards(benefit), _backwards(municipality))
        value = (municipality, month, benefit, max(weeks.values()))
        best = max(best, (ranked, value)) if best else (ranked, value)
    return best[1] if best else (None,) * 4


def _backwards(text):
    return [-ord(sign) for sign in text]


@pytest.mark.parametrize("run", [*RUNS, None])
def test_corrections_are_the_cells_that_a_run_moved(lives, run):
    """They are counted by kind and reporter, by kind, and all together, each by itself."""
    rows, _, marts = lives
    columns = "municipality, month, age_months, reason, benefit, kind, reporter"
    found = marts.rows(
        f"SELECT {columns}, citizens, weeks, amount_up_ore, amount_down_ore, up_ore, down_ore"  # noqa: S608
        f" FROM corrections WHERE run IS NOT DISTINCT FROM {run or 'NULL'}"
    )
    data_month = f"2024-0{run - 48}" if run else "2024-04"
    corrected = [
        row | {"reporter": row["cause"][:8] if row["cause"][8:9] == "/" else ""}
        for row in rows
        if row["run"] == run
        if row["kind"] == "correction" or (row["kind"] == "result" and row["month"] < data_month)
    ]
    expected = {}
    for grain in (("kind", "reporter"), ("kind",), ()):
        keys = ("municipality", "month", "reason", "benefit")
        for key, group in by(corrected, (*keys, *grain)).items():
            place, month, reason, benefit, *of_grain = key
            age = 12 * (int(data_month[:4]) - int(month[:4])) + int(data_month[5:]) - int(month[5:])
            named = (place, month, age, reason, benefit, *of_grain, *(None,) * (2 - len(grain)))
            expected[named] = moved(group)
    assert {row[:7]: row[7:] for row in found} == expected
    assert len(found) == len(expected)


def moved(rows):
    """Count citizens and weeks, and add up what cells rose and fell by: amounts, then results."""
    sums = [
        [sum(row["amount_ore"] for row in cell), sum(net(row) for row in cell)]
        for cell in by(rows, ("citizen", "week", "paying", "financing")).values()
    ]
    citizens = {row["citizen"] for row in rows}
    weeks = {(row["citizen"], row["week"]) for row in rows}
    ups_and_downs = [sum(rose(0, ore[at]) for ore in sums) for at in (0, 1) for rose in (max, min)]
    return (len(citizens), len(weeks), *ups_and_downs)


def net(row):
    return row["refusion_ore"] - row["medfinansiering_ore"]
