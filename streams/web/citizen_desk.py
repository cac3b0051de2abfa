"""Finds one citizen for the pages of `/borger`: in the ledger at once, in the journal more slowly.

The ledger alone is enough for the strip, the counters and the money; reports and reasons come from
the journal, where there are brokers.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from domain.basics.municipalities import municipality_of_row
from domain.law.later_weeks import StandingAt, standing_at
from domain.law.staircase import Law
from projections.ledger.citizen import PostedRow
from projections.ledger.course import CourseWeek, as_of, posted_weeks
from streams.citizens.rule_sets import DEFAULT, LawBook
from streams.explain.citizen_ledger import CitizenLedger, LedgerCounters, LedgerRun
from streams.explain.index import IndexInUseError
from streams.explain.patience import Patience
from streams.explain.why import Evidence, Grounds, live_evidence
from streams.kit.errors import UnworkableError
from streams.ledger.kept_open import KeptOpen
from streams.lis.counters import counters_of
from streams.lis.kept_entries import KeptEntries
from streams.privacy.cpr import is_cpr
from streams.settings import Settings

BLANKS: Final = str.maketrans("", "", " \u00a0-\u2010\u2011\u2013")
"""Signs that people write between the digits of a CPR number."""
PATIENCE_S: Final = 30.0
"""Seconds that the reports of a citizen may take to be read."""
INDEX_PAUSE_S: Final = 0.5


@dataclass(frozen=True)
class PostedLife:
    """A citizen as the ledger has it: all rows and counters that were posted, and the runs."""

    citizen: str
    entries: Sequence[tuple[PostedRow, LedgerCounters]]
    runs: Sequence[LedgerRun]
    law: Law

    @cached_property
    def rows(self) -> list[PostedRow]:
        """The rows, and the messages without rows."""
        return [row for row, _ in self.entries]

    @cached_property
    def municipalities(self) -> frozenset[str]:
        """The municipalities that any row was posted to, the reversed ones included."""
        return frozenset(
            whose
            for row in self.rows
            if row.id
            and (whose := municipality_of_row(row.mechanism or "", row.paying, row.financing))
        )

    def standing(self, run: int | None = None) -> StandingAt | None:
        """Give both counters as the last message has them, or the last one up to a run.

        None where there is none, or where the ledger was written before it had counters.
        """
        told = self._counters(run)
        if told is None or told.seniority is None:
            return None
        return standing_at(
            self.law,
            counters_of(told.week, told.seniority, told.earned, told.after_transfer),
            None,
        )

    def weeks(self) -> list[CourseWeek]:
        """Give the weeks of the course, with the self-support that is earned now."""
        told = self._counters(None)
        earned: set[int] = set()
        if told is not None and told.seniority is not None:
            counters = counters_of(told.week, told.seniority, told.earned, told.after_transfer)
            for first, length in counters.earned:
                earned |= {*range(first, first + length)}
        return posted_weeks(self.law, self.rows, earned)

    def _counters(self, run: int | None) -> LedgerCounters | None:
        by_then = {row.offset for row in as_of(self.rows, run)}
        told = [
            counters
            for row, counters in self.entries
            if row.position == 0 and row.offset in by_then
        ]
        return told[-1] if told else None


class CitizenDesk:
    """The ledger, the journal and the law, asked about one citizen at a time."""

    def __init__(self, settings: Settings, opened: KeptOpen) -> None:
        self._settings = settings
        self._entries = KeptEntries(opened)

    def close(self) -> None:
        """Close what reads the ledger."""
        self._entries.close()

    @cached_property
    def laws(self) -> LawBook:
        """The rule sets by their names."""
        return LawBook(self._settings.rules)

    def law(self, name: str) -> Law:
        """Give the law of a rule set; one that came after the start of the site is read now.

        Raises UnworkableError where there is none of this name.
        """
        try:
            return self.laws.law(name)
        except UnworkableError:
            self.laws = LawBook(self._settings.rules)
            return self.laws.law(name)

    def citizen_of(self, typed: str) -> str | None:
        """Return the pseudonym of a CPR number as somebody types it; None where it is none.

        Raises SettingsError where the keys are missing.
        """
        cpr = typed.strip().translate(BLANKS)
        if not is_cpr(cpr, self._settings.accepts_sixty):
            return None
        return self._settings.identity().of(cpr)[0]

    @property
    def has_journal(self) -> bool:
        """True if reports can be read: there are brokers."""
        return self._settings.has_brokers

    def posted(self, citizen: str) -> PostedLife:
        """Read what was posted for a citizen; nothing is no error. Raises LedgerError."""
        ledger = CitizenLedger(self._entries)
        entries = ledger.entries(citizen)
        runs = ledger.closed_runs(ledger.partition_of(citizen))
        rules = entries[-1][0].rules if entries else DEFAULT
        return PostedLife(citizen, entries, runs, self.law(rules))

    def evidence(self, citizen: str) -> tuple[Evidence, Grounds]:
        """Read a citizen's reports from the journal, and fold them. Raises UserError."""
        evidence = self._read(citizen)
        return evidence, Grounds.of(self.law(evidence.rules), evidence)

    def _read(self, citizen: str) -> Evidence:
        """Read the reports, which wait where another reader has the index of their partition.

        Raises LateError and IndexInUseError where this took too long.
        """
        patience = Patience(time.monotonic() + PATIENCE_S)
        while True:
            try:
                return live_evidence(
                    self._settings,
                    self.laws,
                    citizen,
                    patience=patience,
                    entries=lambda _uri: self._entries,
                )
            except IndexInUseError:
                if time.monotonic() + INDEX_PAUSE_S > (patience.until or 0):
                    raise
                time.sleep(INDEX_PAUSE_S)
