"""Histories of several citizens in two partitions, cut into runs at any point, as a ledger."""

import io
from typing import Any

import orjson

from domain.basics.municipalities import municipality_of_row
from domain.oracle import reference
from streams.simulation import SimulationOptions, simulate
from tests.properties.test_openings import as_opening
from tests.properties.test_run_files import write_with_deaths
from tests.support import product
from tests.support.lives import RULES, THEMES, life

RUNS = (49, 50, 51)
PARTITIONS = 2


def marker(run):
    return {
        "schema": 1, "type": "run", "run": run, "closed_at": f"2024-0{run - 47}-05T10:00:00Z",
        "data_month": f"2024-0{run - 48}",
    }  # fmt: skip


def journal(rng, seed, partition):
    """The reports of three citizens, some opening rows, and the runs' markers: the last reports are
    in no run."""
    lives = [
        life(rng.choice(sorted(THEMES)), seed, citizen=3 * partition + number)
        for number in range(3)
    ]
    openings = [
        as_opening(row, reports[0]["cpr"])
        for reports in lives
        if reports
        for row in reference.settle(reports, RULES).rows
        if row["month"] >= "2016-01" and rng.random() < 0.3
    ]
    records = [report for reports in lives for report in reports] + openings
    rng.shuffle(records)
    cuts = sorted(rng.randint(0, len(records)) for _ in RUNS)
    for number, (run, at) in enumerate(zip(RUNS, cuts, strict=True)):
        records.insert(at + number, marker(run))
    return records


def ledger_of_lives(rng, seed, folder):
    """Write a ledger of random lives; return its rows and messages, each with its run."""
    rows, messages = [], []
    for partition in range(PARTITIONS):
        outcomes = product.outcomes(journal(rng, seed, partition), batch=rng.choice((1, 3)))
        values = [outcome.posting for outcome in outcomes if outcome.posting]
        write_with_deaths(rng, folder, partition, values)
        told = [orjson.loads(value) for value in values]
        for at, message in enumerate(told):
            if message["type"] == "run":
                continue
            run = next((later["run"] for later in told[at:] if later["type"] == "run"), None)
            messages.append(message | {"run": run})
            rows += [row_of(message, row) | {"run": run} for row in message["rows"]]
    return rows, messages


def row_of(message, row):
    """A row with what its message says of it, and its municipality."""
    of_message = {name: message[name] for name in ("citizen", "reason", "cause")}
    municipality = municipality_of_row(row["mechanism"], row["paying"], row["financing"])
    return {"atp_ore": 0} | row | of_message | {"municipality": municipality}


PLACES = ("730", "751", "101")
"""The municipalities of a population, so that each has more than a few persons."""
CITIZENS = 70


def population(seed):
    """The journals of two partitions: simulated citizens of three municipalities, with the runs.

    A run is closed in the month after its data month, and some reports come after the last one.
    """
    out = io.BytesIO()
    simulate(SimulationOptions(CITIZENS, 2022 * 12 + 4, 2024 * 12 + 3, seed), out, lambda *_: None)
    journals: list[list[Any]] = [[] for _ in range(PARTITIONS)]
    runs = list(RUNS)
    for line in out.getvalue().splitlines():
        report = orjson.loads(line)
        if runs and report["reported_at"] > marker(runs[0])["closed_at"]:
            closed = marker(runs.pop(0))
            for journal_of_one in journals:
                journal_of_one.append(closed)
        for name in ("paying_municipality", "financing_municipality"):
            if report.get(name):
                report[name] = PLACES[int(report[name]) % len(PLACES)]
        citizen, _ = product.IDENTITY.of(report["cpr"])
        journals[int(citizen[-1], 16) % PARTITIONS].append(report)
    assert not runs
    return journals
