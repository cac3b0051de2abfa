"""Persons with several numbers: the citizens stage in memory, and merges written into its journal.

Every partition goes on by itself, as far as a test lets it: what was reported for a number that was
merged may be on its way for as long as it likes.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from domain.citizen.reports import Freeing, RulesRecord
from streams.citizens.rule_sets import LawBook
from streams.operations.merge_past import CitizenPast, PastRecord
from streams.operations.merge_plan import MergeWriting, records_of
from streams.settings import Settings
from streams.wire.belief import JournalBelief
from streams.wire.journal import encode_freeing
from streams.wire.partitioner import partition_of
from streams.wire.readers import journal_reader
from tests.support.stages_in_memory import StagesInMemory

PARTITIONS = 3
AT = "2024-02-01T08:00:00Z"


def merging_settings(folder) -> Settings:
    return Settings.load(
        {
            "REFUSION_BOOTSTRAP": "localhost:1",
            "REFUSION_PREFIX": "test.",
            "REFUSION_PARTITIONS": str(PARTITIONS),
            "REFUSION_STATE_DIR": str(folder),
            "REFUSION_DEMO": "1",
        }
    )


class Merging(StagesInMemory):
    """Both stages, and a person who merges numbers."""

    def settle_some(self, at: int, most: int) -> None:
        """Let one partition of the citizens stage take so many records."""
        records = self.topics.of["reports"][at]
        begin = self._settled_to[at]
        taken = records[begin : begin + most]
        if not taken:
            return
        processed = self._works[at].process(taken, taken[-1].offset + 1)
        self._settled_to[at] += processed.done
        asyncio.run(self._works[at].keep(self._write(processed.outputs), self._settled_to[at]))

    def settle_all(self) -> None:
        """Let both stages go on until nothing is left, of what goes on to others either."""
        before: dict[int, int] = {}
        while before != self._settled_to:
            before = dict(self._settled_to)
            self.settle()

    def take_in(self) -> None:
        """Let intake alone go on."""
        for at, records in self.topics.of["reports.raw"].items():
            new = records[self._taken_in[at] :]
            self._taken_in[at] = len(records)
            self._write(self._intake.work(at).process(new, len(records)).outputs)

    def citizen(self, cpr: str) -> str:
        return self._identity.of(cpr)[0]

    def past(self, cpr: str) -> CitizenPast:
        """All that the journal has of a number."""
        citizen = self.citizen(cpr)
        at = partition_of(citizen.encode(), self._settings.partitions)
        past = CitizenPast(citizen, at, LawBook())
        belief = JournalBelief(self._identity.macs.at("reports", at))
        reader = journal_reader(self.topics.name("reports"), at, belief)
        for record in self.topics.of["reports"][at]:
            entry: Any = reader.read(record)
            named = entry.citizen, getattr(entry.report, "citizen", "")
            if citizen in named or isinstance(entry.report, RulesRecord):
                past.take(PastRecord(record, entry))
        return past

    def _writing(self) -> MergeWriting:
        name, partitions = self.topics.name("reports"), self._settings.partitions
        return MergeWriting(name, partitions, self._identity.macs, "the same person", AT)

    def merge(
        self, former: str, to: str, number: str, between: Callable[[], None] = lambda: None
    ) -> None:
        """Merge; `between` the first records and those behind them something may happen."""
        self._decide(former, to, number, undo=False, between=between)

    def part(self, former: str, to: str, number: str) -> None:
        self._decide(former, to, number, undo=True)

    def _decide(
        self,
        former: str,
        to: str,
        number: str,
        *,
        undo: bool,
        between: Callable[[], None] = lambda: None,
    ) -> None:
        one, other = self.past(former), self.past(to)
        records = records_of(one, other, number, undo=undo)
        writing = self._writing()
        first = [
            writing.first(past, each) for past, each in zip((one, other), records, strict=True)
        ]
        behind = writing.behind(one, other, number)
        self._append(first)
        between()
        self._append(behind)

    def free(self, cpr: str, reporter: str, report_id: str, number: str) -> None:
        """Free an id of a number, as `refusion free-id` does."""
        freeing = Freeing(number, self.citizen(cpr), reporter, report_id)
        self._write_control(encode_freeing(freeing, "false", AT))

    def _append(self, messages) -> None:
        for at, (key, value, headers) in messages:
            self.topics.append("reports", at, key, value, headers)
