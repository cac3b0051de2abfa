"""The messages of a run for a citizen, with the reports that caused them."""

import asyncio
from collections.abc import Mapping
from typing import NamedTuple

from domain.citizen.reports import Freeing
from domain.explain.fates import ReportFate
from domain.explain.reasons import ReportReason
from domain.explain.reports import report_reason
from projections.ledger.citizen import Step, difference_of, steps
from streams.explain.citizen_ledger import CitizenLedger
from streams.explain.find import named_citizen
from streams.explain.live import record_look, reports_at
from streams.explain.placed import LiveError
from streams.kit.catalogue import Catalogue, Language, dumped
from streams.ledger.table import LedgerTable
from streams.settings import Settings


class Differences(NamedTuple):
    """The changes of a run for a citizen.

    `reports` are those that caused them, by their offset in the journal.
    """

    citizen: str
    run: int
    steps: list[Step]
    reports: dict[int, ReportReason]

    def as_json(self, language: Language = "en") -> str:
        """Write the changes as JSON, for programs; only what is said in words has a language."""
        messages = [
            {
                "revision": step.revision,
                "cause": step.cause,
                "reason": step.reason,
                "rules": step.rules,
                "report": self.reports.get(step.journal_offset),
                "changes": step.changes,
                "difference_ore": difference_of(step.changes),
            }
            for step in self.steps
        ]
        total = difference_of([change for step in self.steps for change in step.changes])
        value = {
            "citizen": self.citizen,
            "run": self.run,
            "messages": messages,
            "difference_ore": total,
        }
        return dumped(value, Catalogue(language))


def differences_of(
    given: str | None, run: int, environ: Mapping[str, str], purpose: str = ""
) -> Differences:
    """Read the changes of a run for a citizen.

    Raises:
        LiveError: the run is not in the ledger, or has nothing of the citizen.
    """
    settings = Settings.load(environ)
    settings.identity()  # a missing key is told before anything is asked
    ledger = CitizenLedger(LedgerTable.open(settings.ledger))
    citizen = named_citizen(given, settings)
    record_look(settings, "diff", citizen, purpose, run=run)
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
    messages = steps(rows)
    offsets = sorted({step.journal_offset for step in messages if step.journal_offset >= 0})
    reports = asyncio.run(reports_at(settings, citizen, partition, offsets))
    reasons = {
        placed.offset: report_reason(ReportFate(placed.report, "counts", ""))
        for placed in reports
        if not isinstance(placed.report, Freeing)
    }
    return Differences(citizen, run, messages, reasons)
