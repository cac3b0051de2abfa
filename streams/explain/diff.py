"""`refusion diff`: a citizen's messages in a run, with the reports that caused them."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from domain.explain.fates import Told
from domain.explain.reasons import ReportReason
from domain.explain.week import report_reason
from projections.ledger.citizen import REASONS, Change, Side, Step, steps
from streams.explain.find import named_citizen
from streams.explain.live import CitizenLedger, LiveError, reports_at
from streams.explain.render import console, kroner, report_text
from streams.ledger.table import LedgerTable
from streams.settings import Settings


class Differences(NamedTuple):
    """What a run changed for a citizen; `reports` are those that caused it, by their offset in the journal."""

    citizen: str
    run: int
    steps: list[Step]
    reports: dict[int, ReportReason]

    def as_json(self) -> str:
        """For programs."""
        messages = [
            {
                "revision": step.revision,
                "cause": step.cause,
                "reason": step.reason,
                "rules": step.rules,
                "report": self.reports.get(step.journal_offset),
                "changes": step.changes,
                "difference_ore": _differences_of(step.changes),
            }
            for step in self.steps
        ]
        total = _differences_of([change for step in self.steps for change in step.changes])
        value = {
            "citizen": self.citizen,
            "run": self.run,
            "messages": messages,
            "difference_ore": total,
        }
        return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def differences_of(given: str | None, run: int, environ: Mapping[str, str]) -> Differences:
    """What a run changed for a citizen. LiveError where the run is not in the ledger, or holds nothing of them."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # an error of ours says it all
    settings = Settings.load(environ)
    settings.identity()  # a missing key is told before anything is asked
    ledger = CitizenLedger(LedgerTable.open(settings.ledger))
    citizen = named_citizen(given, settings)
    partition = ledger.partition_of(citizen)
    if run not in (known := ledger.runs(partition).values()):
        last = f"the last one is {max(known)}" if known else "none is"
        raise LiveError(
            f"run {run} is not closed in the ledger ({last}); `refusion run status` tells more"
        )
    rows = [row for row in ledger.rows(citizen) if row.run == run]
    if not rows:
        raise LiveError(
            f"run {run} holds nothing of citizen {citizen}; `refusion explain` shows the whole life"
        )
    found = steps(rows)
    offsets = sorted({step.journal_offset for step in found if step.journal_offset >= 0})
    reports = asyncio.run(reports_at(settings, citizen, partition, offsets))
    reasons = {
        placed.offset: report_reason(Told(placed.report, "counts", "")) for placed in reports
    }
    return Differences(citizen, run, found, reasons)


def _differences_of(changes: list[Change]) -> dict[str, int]:
    """By mechanism, in øre."""
    sums = {"refusion": 0, "medfinansiering": 0}
    for change in changes:
        for side, sign in ((change.before, -1), (change.after, 1)):
            if side is not None and side.mechanism is not None:
                sums[side.mechanism] += sign * side.result_ore
    return sums


# --- for people
# -------------------------------------------------------------------------------------


def show_differences(differences: Differences) -> None:
    """Message by message: what caused it, and each cell before and after."""
    out = console()
    out.print(Text(f"Citizen {differences.citizen} in run {differences.run}\n", style="bold"))
    for step in differences.steps:
        out.print(Text(f"{step.cause}: {REASONS.get(step.reason, step.reason)}", style="bold"))
        report = differences.reports.get(step.journal_offset)
        if report is not None:
            out.print(Padding(report_text(report), (0, 0, 0, 2)))
        if step.changes:
            out.print(Padding(_changes(step.changes), (0, 0, 0, 2)))
        else:
            out.print("  No row moved; the counters did.")
        out.print(f"  {_sums(_differences_of(step.changes))}\n" if step.changes else "")
    total = [change for step in differences.steps for change in step.changes]
    out.print(Text(f"In all: {_sums(_differences_of(total))}", style="bold"))


def _changes(changes: list[Change]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("week", "benefit", "before", "after"):
        table.add_column(column, no_wrap=column in ("week", "benefit"))
    table.add_column("difference", justify="right", no_wrap=True)
    table.add_column("because")
    for change in changes:
        difference = kroner(change.difference_ore)
        table.add_row(
            change.week,
            change.benefit,
            _side(change.before),
            _side(change.after),
            difference,
            change.because,
        )
    return table


def _side(side: Side | None) -> str:
    return (
        "-"
        if side is None
        else f"{kroner(side.amount_ore)} at {side.rate} % = {kroner(side.result_ore)}"
    )


def _sums(sums: Mapping[str, Any]) -> str:
    said = [f"{mechanism} {kroner(ore)} kr." for mechanism, ore in sums.items() if ore]
    return ", ".join(said) or "nothing in money"
