"""Opening rows: a week is the earlier system's until a payment has days in it, then the
reports', to the øre.
"""

import random
from datetime import date, timedelta

import pytest

from domain.oracle import reference
from domain.oracle.rows import cell_order
from streams.citizens.store_port import MemoryStore
from tests.support import product
from tests.support.lives import RULES, THEMES, life

OPENED = {"schema": 1, "type": "opening", "reported_at": "2024-01-01T00:00:00Z"}
NAMES = ("month", "week", "benefit", "paying", "financing", "mechanism", "rate")
MONEY = ("amount_ore", "refusion_ore", "medfinansiering_ore")


def as_opening(row, cpr):
    """The record of a row that stands."""
    return (
        OPENED
        | {"cpr": cpr, "atp_ore": row.get("atp_ore", 0)}
        | {name: row[name] for name in (*NAMES, *MONEY)}
    )


def openings_of(rng, cpr, reports):
    """Rows of an earlier system: right ones, wrong ones, some of weeks that nobody reports, each
    cell once.
    """
    found = {}
    for row in map(dict, reference.settle(reports, RULES).rows):
        choice = rng.randrange(6)
        if choice == 0:
            continue
        if choice == 1 and row["amount_ore"] > 100:
            row["amount_ore"] += 7
        if choice == 2:
            row.update(paying="751", financing="751")
        if choice == 3:
            monday = date.fromisoformat(row["week"]) + 7 * rng.choice((-1, 1, 60)) * timedelta(1)
            row.update(week=monday.isoformat(), month=monday.isoformat()[:7])
        if row["month"] >= "2016-01":
            found[tuple(row[name] for name in product.CELL)] = as_opening(row, cpr)
    return [*found.values()]


def expected_rows(reports, openings, refused):
    """The reference's rows, and the opening rows of weeks in which no accepted payment has days."""
    paid = [
        (report["period_start"], report["period_end"])
        for at, report in enumerate(reports)
        if report["type"] == "benefit_payment" and at not in refused
    ]
    rows = [dict(row) for row in reference.settle(reports, RULES).rows]
    for opening in openings:
        monday = date.fromisoformat(opening["week"])
        first, last = monday.isoformat(), (monday + timedelta(6)).isoformat()
        if not any(start <= last and end >= first for start, end in paid):
            rows.append({name: opening[name] for name in (*NAMES, *MONEY)} | _atp(opening))
    return sorted(({**row, "account": None} for row in product.true_now(rows)), key=cell_order)


def _atp(opening):
    return {"atp_ore": opening["atp_ore"]} if opening["atp_ore"] else {}


def standing(messages):
    """Give the rows that stand by the books, without the fields that only a posting has.

    The account follows from the rest.
    """
    rows = product.true_now(product.standing_rows(messages))
    return sorted(({**row, "account": None} for row in rows), key=cell_order)


@pytest.mark.parametrize("first", [700, pytest.param(706, marks=pytest.mark.long)])
@pytest.mark.parametrize("theme", THEMES)
def test_whenever_opening_rows_come_the_same_stands(theme, first):
    """Before, between and after the reports, loaded twice, in batches with and without a
    restart.
    """
    for seed in range(first, first + 6):
        rng = random.Random(seed)
        reports = life(theme, seed)
        if not reports:
            continue
        openings = openings_of(rng, reports[0]["cpr"], reports)
        refused = {at for at, outcome in enumerate(product.outcomes(reports)) if outcome.refused}
        expected = expected_rows(reports, openings, refused)
        for journal in (openings + reports, reports + openings, mixed(rng, reports, openings)):
            store = MemoryStore()
            found = product.outcomes(
                journal + openings, store, batch=rng.randint(1, 9), restarts=rng.random() < 0.5
            )
            assert standing(product.books(found).messages) == expected, (reports, openings)
            assert not any(outcome.posting for outcome in found[len(journal) :]), (
                "loading twice is once"
            )
            once = MemoryStore()
            product.outcomes(journal, once)
            assert once == store


def mixed(rng, reports, openings):
    """Opening rows between the reports, whose own order matters to conflicting duplicates alone."""
    journal = list(reports)
    for opening in openings:
        journal.insert(rng.randint(0, len(journal)), opening)
    return journal


@pytest.mark.parametrize("theme", THEMES)
def test_when_all_was_settled_rightly_the_runs_come_to_nothing(theme):
    """Whatever the order: by cell and rate, all rows but the opening rows sum to zero in every
    money column.
    """
    for seed in range(800, 806):
        reports = life(theme, seed)
        rows = [row for row in reference.settle(reports, RULES).rows if row["month"] >= "2016-01"]
        journal = mixed(
            random.Random(seed), reports, [as_opening(row, reports[0]["cpr"]) for row in rows]
        )
        sums: dict[tuple, list[int]] = {}
        posted = [
            row for message in product.settle_all(journal).messages for row in message["rows"]
        ]
        for row in posted:
            if row["kind"] != "opening" and row["month"] >= "2016-01":
                entry = sums.setdefault(
                    tuple(row[name] for name in (*product.CELL, "rate")), [0] * 4
                )
                for at, name in enumerate(product.MONEY):
                    entry[at] += row.get(name, 0)
        assert not any(map(any, sums.values())), reports
        assert sum(row["kind"] == "opening" for row in posted) == len(rows)


@pytest.mark.parametrize("theme", ["plan_of", "a_faulty_upstream", "crowded_weeks"])
def test_every_message_with_opening_rows_is_exact(theme):
    """An opening row is there once, is reversed at most once, and by a row that negates it."""
    for seed in range(20):
        rng = random.Random(seed)
        reports = life(theme, seed)
        if not reports:
            continue
        journal = mixed(rng, reports, openings_of(rng, reports[0]["cpr"], reports))
        messages = product.settle_all(journal).messages
        assert [message["revision"] for message in messages] == list(range(1, len(messages) + 1))
        rows = [row for message in messages for row in message["rows"]]
        by_id = {row["id"]: row for row in rows}
        assert len(by_id) == len(rows)
        for row in rows:
            if row.get("reverses"):
                before = by_id[row["reverses"]]
                money = {name: -before[name] for name in product.MONEY if name in before}
                kinds = {"id": row["id"], "kind": "correction", "reverses": before["id"]}
                assert (
                    row
                    == {name: before[name] for name in before if name != "reverses"} | money | kinds
                )
        for message in messages:
            assert (message["reason"] == "opening") == message["cause"].startswith("opening/")
