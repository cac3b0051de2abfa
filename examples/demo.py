"""`make run`: a simulated population, settled in front of your eyes, and the proof that it is right.

1. Simulate reports in the order of arrival: late, repeated, reversed. Add some bad lines and monthly runs.
2. Settle them, and show what came in and what came out.
3. Settle the good reports again in a random order: every cell must have the same sums, to the øre.
4. Compute a sample of the citizens from scratch with the tests' reference computation: the same again.

Everything lies in memory or in temporary files that have no name. CPR numbers are fictive.
"""

import io
import os
import random
import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from tempfile import TemporaryFile
from typing import Any, BinaryIO, NamedTuple

import click
import orjson
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from domain.weeks import month_number, month_text
from examples.ledger import Ledger, Sums, add
from examples.sentences import explained, kroner
from streams.progress import meter
from streams.rulefiles import load_rule_set
from streams.settings import Settings
from streams.settle import Totals, settle
from streams.simulation import SimulationOptions, simulate
from streams.stopping import Stopped, output_unread, unwind_on_signals
from tests import reference

CITIZENS = 5_000
MONTHS = ("2023-01", "2024-12")
SEED = 1
REFERENCE_SECONDS = 8.0
"""How long the slow computation from scratch may take; it settles some hundreds of citizens in it."""

SETTINGS = Settings.load({"REFUSION_DEMO": "1"})
JOBS = os.cpu_count() or 1
FIRST_RUN_MONTH = month_number("2020-01")
ARRIVAL = re.compile(rb'"reported_at":"(\d{4}-\d{2})')

JsonObject = dict[str, Any]
Reports = dict[str, list[JsonObject]]
"""All reports by the pseudonym of the citizen, in the order of arrival."""


class Settled(NamedTuple):
    """A settling's outputs, each a file of JSON Lines, and how long it took."""

    totals: Totals
    seconds: float
    postings: BinaryIO
    rejects: BinaryIO
    notices: BinaryIO


def main() -> int:
    """Show it all. Returns the exit status: 0 when every proof holds."""
    unwind_on_signals()
    console = Console(width=None if sys.stdout.isatty() else 120, soft_wrap=not sys.stdout.isatty(), highlight=False)
    try:
        return demonstrate(console, CITIZENS, REFERENCE_SECONDS)
    except BrokenPipeError:
        return output_unread()
    except Stopped as stopped:
        click.echo("stopped, nothing is left behind", err=True)
        return stopped.status


def demonstrate(console: Console, citizens: int, reference_seconds: float) -> int:
    """Simulate, settle, show and prove."""
    started = time.monotonic()
    console.print(f"Simulating {citizens:,} citizens from {MONTHS[0]} to {MONTHS[1]} (seed {SEED}) …")
    reports = simulated(citizens)
    console.print(f"Settling {len(reports):,} reports with {JOBS} processes …")
    first = settled([*with_runs(with_bad_lines(reports))])
    ledger = Ledger()
    ledger.post(first.postings)
    of_citizen = reports_by_citizen(reports)
    show(console, first, ledger, of_citizen)
    checked = check_from_scratch(console, ledger, of_citizen, reference_seconds)
    same = check_another_order(console, ledger, reports)
    speed = f"{first.totals.lines / first.seconds:,.0f} reports a second with {JOBS} processes"
    console.print(f"\n{speed}; {time.monotonic() - started:.0f} seconds for everything.")
    return 0 if checked and same else 1


# What comes in


def simulated(citizens: int) -> list[bytes]:
    """The population's reports, one JSON object a line, in the order of arrival."""
    out = io.BytesIO()
    first, last = map(month_number, MONTHS)
    with meter("citizens", citizens) as shown:
        simulate(SimulationOptions(citizens, first, last, SEED), out, shown.show)
    return out.getvalue().splitlines(keepends=True)


def with_bad_lines(reports: list[bytes]) -> Iterator[bytes]:
    """The reports, and here and there what upstream should not have sent."""
    places = random.Random(SEED).sample(range(len(reports)), min(40, len(reports)))
    bad = dict(zip(places, _bad_changes(), strict=False))
    for place, line in enumerate(reports):
        yield line
        report = orjson.loads(line) if place in bad else {}
        if report.get("type") == "benefit_payment":
            yield orjson.dumps(report | bad[place]) + b"\n"
        elif report:
            yield line[: len(line) // 2] + b"\n"


def _bad_changes() -> Iterator[JsonObject]:
    """What is wrong with each bad line that repeats a good payment; there is no end of them."""
    while True:
        yield {"amount_ore": 1_234_567}  # the same report_id with other content
        yield {"report_id": "bad", "benefit": "FB"}
        yield {"report_id": "bad", "paying_municipality": "999"}
        yield {"report_id": "bad", "period_end": "2022-01-01"}
        yield {"report_id": "bad", "cpr": "3113991234"}


def with_runs(lines: Iterable[bytes]) -> Iterator[bytes]:
    """The lines, and a run's marker when the month that it closes is over."""
    month = None
    for line in lines:
        arrival = ARRIVAL.search(line)
        if arrival and (arrived := month_number(arrival[1].decode())) > (month or arrived):
            yield _run_marker(arrived - 1)
        month = max(month or 0, arrived) if arrival else month
        yield line


def _run_marker(month: int) -> bytes:
    closed_at = f"{month_text(month + 1)}-01T00:00:00Z"
    marker = {"schema": 1, "type": "run", "run": month - FIRST_RUN_MONTH + 1, "closed_at": closed_at}
    return orjson.dumps(marker | {"data_month": month_text(month)}) + b"\n"


def settled(lines: list[bytes]) -> Settled:
    """Settle lines as `refusion settle --jobs` does."""
    started = time.monotonic()
    postings, rejects, notices = (TemporaryFile() for _ in range(3))  # noqa: SIM115 - no names: they go with us
    with meter("lines", len(lines)) as shown:
        totals = settle(lines, SETTINGS, JOBS, postings, rejects, notices, shown.show)
    for output in (postings, rejects, notices):
        output.seek(0)
    return Settled(totals, time.monotonic() - started, postings, rejects, notices)


# What comes out


def show(console: Console, first: Settled, ledger: Ledger, of_citizen: Reports) -> None:
    """The tables, and the largest corrections in words."""
    totals = first.totals
    table = _table(console, "Reports", "what", "lines")
    _row(table, "in, bad ones and run markers included", totals.lines)
    _row(table, "accepted", totals.lines - totals.rejected)
    for reason, number in _tally(first.rejects, "reason"):
        _row(table, f"rejected: {reason}", number)
    for code, number in _tally(first.notices, "code"):
        _row(table, f"noticed: {code}", number)
    console.print(table)
    console.print(_postings_table(console, ledger))
    console.print(_money_table(console, ledger))
    console.print("The largest corrections that moved a week to another rate, one for each of three citizens")
    for sentence in largest_explained(ledger, of_citizen):
        console.print(f"  * {sentence}")


def _table(console: Console, title: str, *columns: str) -> Table:
    """A table; without lines and colours where nobody watches."""
    table = Table(title=title, title_justify="left", box=SIMPLE if console.is_terminal else None)
    for number, name in enumerate(columns):
        table.add_column(name, justify="right" if number else "left")
    return table


def _row(table: Table, name: str, *numbers: int) -> None:
    table.add_row(name, *(f"{number:,}" for number in numbers))


def _tally(lines: Iterable[bytes], field: str) -> list[tuple[str, int]]:
    return Counter(orjson.loads(line)[field] for line in lines).most_common()


def _postings_table(console: Console, ledger: Ledger) -> Table:
    table = _table(console, "Postings", "what", "number")
    _row(table, "results", ledger.rows["result"])
    _row(table, "corrections: rows reversed", ledger.rows["reversing"])
    _row(table, "corrections: rows in their place", ledger.rows["correction"])
    for reason, number in ledger.messages.most_common():
        _row(table, f"messages for reason {reason}", number)
    return table


def _money_table(console: Console, ledger: Ledger) -> Table:
    """Where the money stands when every correction is added."""
    table = _table(console, "Money, corrections included", "mechanism and rate", "amount, kr.", "of it, kr.")
    for (mechanism, rate), (amount_ore, share_ore) in sorted(ledger.by_rate.items()):
        table.add_row(f"{mechanism} {rate} %", kroner(amount_ore), kroner(share_ore))
    return table


def largest_explained(ledger: Ledger, of_citizen: Reports) -> list[str]:
    """The three largest corrections in a sentence each."""
    benefits = load_rule_set().benefits
    largest = sorted(ledger.largest.values(), key=lambda each: each.size_ore, reverse=True)[:3]
    return [explained(each.message, _by_cause(of_citizen[each.message["citizen"]]), benefits) for each in largest]


def _by_cause(reports: list[JsonObject]) -> dict[str, JsonObject]:
    return {f"{report['reporter']}/{report['report_id']}": report for report in reports}


def reports_by_citizen(reports: list[bytes]) -> Reports:
    """The reports of each citizen."""
    identity = SETTINGS.identity()
    found = defaultdict(list)
    for line in reports:
        report = orjson.loads(line)
        found[identity.of(report["cpr"])[0]].append(report)
    return found


# The proofs


def check_from_scratch(console: Console, ledger: Ledger, of_citizen: Reports, seconds: float) -> bool:
    """Whether the reference computation agrees on every citizen drawn, by the seed, until the time is up."""
    drawn = random.Random(SEED).sample(sorted(of_citizen), len(of_citizen))
    until = time.monotonic() + seconds
    verdicts: Counter[bool] = Counter()
    with meter("citizens from scratch", len(drawn)) as shown:
        for number, citizen in enumerate(drawn):
            if time.monotonic() > until:
                break
            verdicts[_from_scratch(of_citizen[citizen]) == ledger.sums.get(citizen, {})] += 1
            shown.show(number)
    outcome = f"{verdicts[False]} DO NOT" if verdicts[False] else "none differs"
    console.print(f"\nFrom scratch by the tests' reference: {verdicts[True]:,} citizens agree to the øre, {outcome}.")
    return not verdicts[False]


def check_another_order(console: Console, ledger: Ledger, reports: list[bytes]) -> bool:
    """Whether the good reports, shuffled by the seed, give every cell the same sums. Uses the ledger up."""
    cells, citizens = sum(map(len, ledger.sums.values())), sum(map(bool, ledger.sums.values()))
    shuffled = random.Random(SEED).sample(reports, len(reports))
    differing = ledger.subtract(settled(shuffled).postings)
    outcome = f"{differing:,} DIFFER" if differing else "all have the same sums to the øre"
    console.print(f"In another order: {cells:,} cells of {citizens:,} citizens, {outcome}.")
    return not differing


def _from_scratch(reports: list[JsonObject]) -> Sums:
    sums: Sums = {}
    add(sums, reference.settle(reports, load_rule_set()).rows, 1)
    return sums


if __name__ == "__main__":
    sys.exit(main())
