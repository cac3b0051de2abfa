"""LIS on a national ledger: how long a run's marts take to build, and a question to be answered.

The ledger is made straight as its files (`national.py`); nothing goes through Kafka. The
environment sets its size: LIS_RUNS (12) and LIS_ROWS (4000000) a run. Only the last run is timed:
those before it are built first.

Each question is about one municipality, and is asked of a view, as the command and the pages do,
and, beside it, of the ledger itself. *Cold* is a new connection after the files have left the page
cache, *warm* the same question again. Every municipality is asked once, but the ledger only about
a few. The times are those of a clock; with `LIS_CPU` they are seconds of the processor.
`lis_views.py` then times every view there is.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import quantiles
from typing import Final, NamedTuple

from bench.books import MEASURED, PROGRAM
from bench.lis_views import leave_cache, view_figures
from bench.national import NationalLedger, month_of
from bench.rig import Figure
from domain.ruledata.ruleset import RuleSet
from projections.lis.questions import LisQuestion
from projections.lis.statements import MUNICIPALITY
from streams.citizens.rule_sets import load_rule_set
from streams.ledger.table import LedgerTable
from streams.lis.engine import engine, view_of_entries
from streams.lis.inquiry import ask
from streams.lis.marts import open_marts
from streams.lis.spans import Span

RUNS: Final = int(os.environ.get("LIS_RUNS", "12"))
ROWS: Final = int(os.environ.get("LIS_ROWS", "4000000"))
CLOCK: Final = time.process_time if "LIS_CPU" in os.environ else time.perf_counter
ASKED_OF_THE_LEDGER: Final = 3
"""Municipalities about which the ledger is asked: each takes seconds."""

SUMS: Final = "sum(amount_ore), sum(refusion_ore), sum(medfinansiering_ore)"
AMOUNTS: Final = "SELECT benefit, mechanism, rate, " + SUMS + " FROM entries WHERE {place}"
ACCOUNTS: Final = "SELECT month, benefit, account, " + SUMS + " FROM entries WHERE {later}"
COUNTED: Final = """
SELECT benefit, rate, count(*)
FROM (
    SELECT citizen, benefit, rate FROM entries WHERE {place}
    GROUP BY citizen, benefit, rate HAVING sum(amount_ore) > 0
)
GROUP BY GROUPING SETS ((benefit, rate), (benefit), (rate), ())
ORDER BY ALL"""
ROWS_OF_MONTHS: Final = f"SELECT citizen, {SUMS}, count(DISTINCT week) FROM entries WHERE {{place}}"


class Inquiry(NamedTuple):
    """A question: its name, its view, and its SQL for the ledger, if that is asked too."""

    name: str
    view: str
    of_ledger: str = ""
    all_months: bool = False
    persons: bool = False


QUESTIONS: Final = (
    Inquiry("amounts by rate and benefit, a month", "beloeb", AMOUNTS),
    Inquiry("amounts by account, all months", "udgifter", ACCOUNTS, all_months=True),
    Inquiry("persons by rate and benefit, a month", "personer", COUNTED),
    Inquiry("the citizens of a month", "personer", ROWS_OF_MONTHS, persons=True),
)


def figures(folder: Path) -> list[Figure]:
    """Make the ledger, build the marts, and ask."""
    environment = environment_in(folder)
    with NationalLedger(folder / "ledger", ROWS) as national:
        for _ in range(RUNS - 1):
            national.add_run()
        _build(environment)
        before = _bytes(folder / "lis")
        last = national.add_run()
    seconds, cpu_s, peak_mb = _build(environment)
    marts, ledger = 12 * (_bytes(folder / "lis") - before), 12 * _bytes(folder / "ledger") / RUNS
    return [
        (
            f"LIS: a run's marts, {RUNS} runs of {ROWS:,} rows",
            f"{seconds:.0f} s, {cpu_s:.0f} s of CPU",
            "",
        ),
        ("LIS: memory of a build", f"{peak_mb:,.0f} MB", ""),
        (
            "LIS: marts of a year",
            f"{marts / 2**20:,.0f} MB",
            f"the ledger: {ledger / 2**20:,.0f} MB",
        ),
        *_answers(folder, LedgerTable.open(str(folder / "ledger")), last, month_of(0)),
    ]


def environment_in(folder: Path) -> dict[str, str]:
    """Return the environment of a program that reads the ledger and marts of a folder."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("REFUSION_")},
        "REFUSION_DEMO": "1",
        "REFUSION_LEDGER": str(folder / "ledger"),
        "REFUSION_LIS": str(folder / "lis"),
    }


def made(folder: Path) -> tuple[dict[str, str], str]:
    """Make ledger and marts in a folder; return the environment, and the last run's month."""
    environment = environment_in(folder)
    with NationalLedger(folder / "ledger", ROWS) as national:
        last = [national.add_run() for _ in range(RUNS)][-1]
    _build(environment)
    return environment, last


def there() -> tuple[dict[str, str], str] | None:
    """Return the environment and last month of REFUSION_LEDGER and REFUSION_LIS, if both are set.

    They are read, and never written.
    """
    given = {name: os.environ.get(name, "") for name in ("REFUSION_LEDGER", "REFUSION_LIS")}
    if not all(given.values()):
        return None
    with open_marts(given["REFUSION_LIS"]) as marts:
        ((last,),) = marts.rows("SELECT max(data_month) FROM runs WHERE run IS NOT NULL")
    return environment_in(Path()) | given, last


def _build(environment: dict[str, str]) -> tuple[float, float, float]:
    """Build in a process of its own: seconds, seconds of CPU, and its peak in MB."""
    began, before = time.monotonic(), os.times()
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *PROGRAM, "lis", "build"],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    after = os.times()
    cpu_s = after.children_user + after.children_system
    cpu_s -= before.children_user + before.children_system
    return time.monotonic() - began, cpu_s, int(done.stderr.split()[-1]) / 1024


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*.parquet"))


def _answers(folder: Path, ledger: LedgerTable, last: str, first: str) -> Iterator[Figure]:
    """Ask each question about each municipality; of the ledger, about a few."""
    rules = load_rule_set()
    codes = sorted(rules.municipalities)
    for asked in QUESTIONS:
        month = None if asked.all_months else last
        questions = [LisQuestion(asked.view, code, month) for code in codes]
        cold, warm = _slowest(
            [_of_marts(folder, ledger.uri, rules, each, asked.persons) for each in questions]
        )
        peer = ""
        if asked.of_ledger:
            times = peer_times(ledger, asked, last, first)
            peer = f"the ledger: {times[0]:,.0f} ms, {times[1]:,.0f} ms"
        yield (f"LIS: {asked.name}: cold, warm (p95)", f"{cold:.0f} ms, {warm:.0f} ms", peer)
    yield from view_figures(folder / "lis", ledger.uri, last)


def peer_times(ledger: LedgerTable, asked: Inquiry, last: str, first: str) -> tuple[float, float]:
    """Ask the ledger about a few municipalities: the times of cold and warm answers, in ms."""
    month = first if asked.all_months else last
    codes = sorted(load_rule_set().municipalities)[:ASKED_OF_THE_LEDGER]
    return _slowest([_of_ledger(ledger, asked.of_ledger, (code, month)) for code in codes])


def statement(query: str) -> str:
    """Write a question to the ledger about a municipality and a month."""
    place = f"({MUNICIPALITY}) = ? AND month = ?"
    written = query.format(place=place, later=place.replace("month =", "month >="))
    return written if "ORDER BY ALL" in query else f"{written} GROUP BY ALL"


def _slowest(times: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Give the 95th percentile of cold and warm answers, in ms."""
    cold, warm = ([1000 * seconds for seconds in column] for column in zip(*times, strict=True))
    return quantiles(cold, n=20)[-1], quantiles(warm, n=20)[-1]


def _of_marts(
    folder: Path, ledger: str, rules: RuleSet, question: LisQuestion, persons: bool
) -> tuple[float, float]:
    """Ask a view twice, after the files of the marts have left the page cache."""
    leave_cache(folder / "lis")
    began = CLOCK()
    with open_marts(str(folder / "lis")) as marts:
        ask(marts, rules, question, ledger, {}, persons=persons)
        cold = CLOCK() - began
        began = CLOCK()
        ask(marts, rules, question, ledger, {}, persons=persons)
        return cold, CLOCK() - began


def _of_ledger(ledger: LedgerTable, query: str, values: tuple[str, str]) -> tuple[float, float]:
    """Ask the ledger twice, likewise."""
    leave_cache(Path(ledger.uri))
    everything = Span(None, None, None, range(1000), "TRUE")
    whole = statement(query)
    began = CLOCK()
    with engine() as connection:
        view_of_entries(connection, ledger, everything)
        connection.execute(whole, values).fetchall()
        cold = CLOCK() - began
        began = CLOCK()
        connection.execute(whole, values).fetchall()
        return cold, CLOCK() - began
