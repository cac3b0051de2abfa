"""Audits one partition, in whatever process: journal, postings, notices and state.

A partition with more than `SLICE_RECORDS` goes through temporary files, each with a slice of its
citizens, so that memory is bounded and each topic is read once. Where it is asked for, the citizens
of a sample are computed from scratch (`projections.audit.deep`), the journal is folded again
(`streams.audit.fold`), and run files are held against the postings (`streams.audit.run_files`).
"""

import asyncio
import time
from array import array
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple
from zlib import crc32

from projections.audit.copies import Copies
from projections.audit.cpr import CprSearch
from projections.audit.deep import differences
from projections.audit.partition import CATALOGUE, PartitionAudit
from projections.audit.records import (
    POSTING_HEADERS,
    STATE_HEADERS,
    check_headers,
    check_notice,
)
from projections.audit.scope import AuditScope
from projections.audit.state_entries import check_state
from projections.audit.violations import BadRecordError, Violation, Violations, as_bad
from projections.runs.files import Names
from streams.audit.audited_topics import OpenTopics
from streams.audit.believed import BelievedRecords
from streams.audit.fold import FoldRange, Records, audit_fold
from streams.audit.run_files import FilesAudit, RunLines
from streams.audit.snapshot import Snapshot
from streams.citizens.rule_sets import DEFAULT, LawBook
from streams.engine.ports import Record
from streams.kafka import topics
from streams.kafka.reading import TopicReader
from streams.kit.errors import UserError
from streams.kit.scratch import scratch_folder
from streams.kit.spool import Scattered
from streams.privacy.cpr import digits_in
from streams.settings import Settings, SettingsError
from streams.wire.partitioner import partition_of

if TYPE_CHECKING:
    from domain.ruledata.ruleset import RuleSet

SLICE_RECORDS: Final = 250_000
"""Records of a partition's journal or postings in memory at a time, with rows: 500 MB at most."""


class Sample(NamedTuple):
    """The citizens to compute from scratch: `percent` of all; `draw` chooses which."""

    percent: float = 0.0
    draw: int = 0

    def has(self, key: bytes) -> bool:
        """Return whether the citizen of a key is in the sample."""
        if not self.percent:
            return False
        return self.percent >= 100 or crc32(key, self.draw + 1) < self.percent / 100 * (1 << 32)


class PartitionTask(NamedTuple):
    """One partition to audit, in a number of slices of its citizens.

    `refused` are the offsets of the journal that became dead letters, `defects` those among them
    that met a defect of the program. `runs` are the lines of run files, by run.
    """

    open_topics: OpenTopics
    settings: Settings
    snapshot: Snapshot
    partition: int
    slices: int
    refused: frozenset[int]
    defects: frozenset[int]
    sample: Sample
    fold: bool
    runs: dict[int, RunLines]


@dataclass
class PartitionOutcome:
    """All that an audit says of one partition. `control` are offsets and values of control records.

    `raw` are the offsets of raw records that are still kept, by their topic and partition,
    `raw_last` the last of all, `copies` those of merges.
    """

    partition: int
    violations: Violations = field(default_factory=Violations)
    records: int = 0
    citizens: int = 0
    deep_citizens: int = 0
    deep_s: float = 0.0
    folded: int = 0
    fold_s: float = 0.0
    files: FilesAudit | None = None
    totals: Counter[str] = field(default_factory=Counter)
    control: list[tuple[int, bytes]] | None = None
    raw: dict[tuple[str, int], "array[int]"] = field(default_factory=dict)
    raw_last: dict[tuple[str, int], int] = field(default_factory=dict)
    copies: Copies = field(default_factory=Copies)


def audit_partition(task: PartitionTask) -> PartitionOutcome:
    """Audit one partition; called in whatever process."""
    return asyncio.run(_audit_partition(task))


async def _audit_partition(task: PartitionTask) -> PartitionOutcome:
    async with task.open_topics(task.settings) as reader:
        auditor = _Auditor(task, reader)
        await auditor.audit()
        return auditor.outcome


@cache
def _laws(folder: Path | None) -> LawBook:
    return LawBook(folder)


@cache
def _catalogue(folder: Path | None) -> "RuleSet":
    return _laws(folder).catalogue()


def _rules_named(settings: Settings, name: str) -> "RuleSet | None":
    """The rule set of a name, or all benefits for CATALOGUE; None where it is not known here."""
    try:
        if name == CATALOGUE:
            return _catalogue(settings.rules)
        return _laws(settings.rules).law(name).rules
    except UserError:
        return None


CPRS: Final = CprSearch(digits_in)
"""The search for CPR numbers, with the product's one pattern of them."""


def pseudonym(settings: Settings) -> Callable[[str], str] | None:
    """The citizen of a CPR number; None where the keys are not set, as on a monitor's machine."""
    try:
        identity = settings.identity()
    except SettingsError:
        return None
    return lambda cpr: identity.of(cpr)[0]


class _Auditor:
    """One task at work: its topics are open, its outcome grows."""

    def __init__(self, task: PartitionTask, reader: TopicReader) -> None:
        self.outcome = PartitionOutcome(task.partition)
        self._task = task
        self._settings = task.settings
        self._settled_to = task.snapshot.settled_to.get(task.partition, 0)
        self._rules_named = partial(_rules_named, task.settings)
        self._pseudonym = pseudonym(task.settings)
        self._records = BelievedRecords(reader, task.settings, task.snapshot, task.partition)

    async def audit(self) -> None:
        """Audit all that the task asks for."""
        await self._records.look_at_beginning()
        if self._task.slices == 1:
            await self._audit_whole()
        else:
            with scratch_folder("verify") as folder:
                await self._audit_in_slices(folder)
        if self._task.fold:
            await self._fold()
        if self._task.runs:
            await self._compare_files()
        await self._check_each(topics.NOTICES, self._records.of(topics.NOTICES), self._check_notice)
        notes = self.outcome.violations.notes
        entries = self._records.ours(topics.CITIZENS, "citizens", notes)
        await self._check_each(topics.CITIZENS, entries, self._check_state)

    # --- journal and postings ---------------------------------------------------------------------

    async def _audit_whole(self) -> None:
        """Audit all citizens of a partition as they are read."""
        audit, notes = self._new_audit(is_first=True), self.outcome.violations.notes
        async for record in self._records.journal(notes):
            audit.journal(record.offset, record.key, record.value, record.headers)
            self.outcome.records += 1
        async for record in self._records.ours(topics.POSTINGS, "postings", notes):
            audit.posting(record.offset, record.key, record.value, record.headers)
            self.outcome.records += 1
        self._end(audit)

    async def _audit_in_slices(self, folder: Path) -> None:
        """Audit one slice of the citizens after the other, from temporary files."""
        with ExitStack() as stack:
            reports = Scattered(stack, folder, "reports", self._task.slices)
            postings = Scattered(stack, folder, "postings", self._task.slices)
            notes = self.outcome.violations.notes
            await self._scatter(self._records.journal(notes), reports)
            await self._scatter(self._records.ours(topics.POSTINGS, "postings", notes), postings)
        for number in range(self._task.slices):
            audit = self._new_audit(is_first=number == 0)
            for record in reports.read(number):
                audit.journal(*record)
            for record in postings.read(number):
                audit.posting(*record)
            self._end(audit)

    async def _scatter(self, records: AsyncIterator[Record], into: Scattered) -> None:
        """Write records to the file of their citizen's slice; those of nobody to all."""
        async for record in records:
            self.outcome.records += 1
            value = record.value or b""
            kept = (record.offset, record.key, value, list(record.headers))
            if record.key:
                into.add(record.key, kept, len(value))
            else:
                into.add_to_all(kept, len(value))

    def _new_audit(self, *, is_first: bool) -> PartitionAudit:
        settings = self._settings
        scope = AuditScope(
            settings.topic(topics.REPORTS),
            settings.topic(topics.POSTINGS),
            settings.partitions,
            self._settled_to,
            self._task.refused,
            is_first,
            self._task.sample.has,
            partition_of,
            self._pseudonym,
            CPRS,
        )
        return PartitionAudit(scope, self._task.partition, self._rules_named)

    def _end(self, audit: PartitionAudit) -> None:
        """End the audit of a slice, and keep what is needed further on."""
        audit.end()
        outcome = self.outcome
        outcome.violations.merge(audit.violations)
        outcome.citizens += len(audit.accounts)
        outcome.totals.update(audit.totals)
        if audit.scope.first:
            outcome.control = audit.control
        outcome.copies.add(audit.copies)
        self._keep_raw_offsets(audit)
        if self._task.sample.percent:
            self._compute_from_scratch(audit)

    def _keep_raw_offsets(self, audit: PartitionAudit) -> None:
        """Keep the origins of the reports.

        Of raw records that have expired only the last is kept, so that memory does not grow with
        the journal.
        """
        for (topic, partition), offsets in audit.raw.items():
            starts = self._task.snapshot.starts.get(topic, {})
            at, last, kept_from = (topic, partition), max(offsets), starts.get(partition, 0)
            self.outcome.raw_last[at] = max(last, self.outcome.raw_last.get(at, last))
            self.outcome.raw.setdefault(at, array("q")).extend(
                offset for offset in offsets if offset >= kept_from
            )

    def _compute_from_scratch(self, audit: PartitionAudit) -> None:
        """Hold the rows of each citizen of the sample against the reference computation."""
        began = time.process_time()
        topic, outcome = audit.scope.postings_topic, self.outcome
        for citizen, account in audit.accounts.items():
            if not audit.scope.deep(citizen.encode()):
                continue
            outcome.deep_citizens += 1
            rules = self._rules_named(account.rules or DEFAULT)
            if rules is None:
                unknown = f"the rule set {account.rules}, which is not known"
                outcome.violations.notes[f"citizens under {unknown}: no deep audit"] += 1
                continue
            place = topic, audit.partition, account.offset
            for code, text in differences(account, rules):
                outcome.violations.add(Violation(code, *place, f"citizen {citizen}: {text}"))
        outcome.deep_s += time.process_time() - began

    # --- what may be asked for besides ------------------------------------------------------------

    async def _fold(self) -> None:
        """Fold the journal again beside the postings."""
        began, settings, task = time.process_time(), self._settings, self._task
        fold_range = FoldRange(
            settings.topic(topics.REPORTS),
            settings.topic(topics.POSTINGS),
            task.partition,
            self._settled_to,
            task.defects,
        )
        postings = self._records.ours(topics.POSTINGS, "postings", Counter())
        records = Records(self._records.journal(Counter()), postings)
        laws = _laws(settings.rules)
        self.outcome.folded = await audit_fold(fold_range, records, laws, self.outcome.violations)
        self.outcome.fold_s = time.process_time() - began

    async def _compare_files(self) -> None:
        """Hold the run files against the postings."""
        rules = self._rules_named(CATALOGUE)
        assert rules is not None, "the program's own rule set is known"
        names = Names(
            {code: benefit.name for code, benefit in rules.benefits.items()}, rules.municipalities
        )
        topic = self._settings.topic(topics.POSTINGS)
        audit = FilesAudit(topic, self._task.partition, self._settled_to, names)
        postings = self._records.ours(topics.POSTINGS, "postings", Counter())
        await audit.compare(postings, self._task.runs)
        self.outcome.violations.merge(audit.violations)
        self.outcome.files = audit

    # --- notices and state ------------------------------------------------------------------------

    async def _check_each(
        self, topic: topics.Topic, records: AsyncIterator[Record], check: Callable[[Record], None]
    ) -> None:
        """Check each record of a topic by itself."""
        name = self._settings.topic(topic)
        async for record in records:
            self.outcome.records += 1
            try:
                check(record)
            except Exception as error:  # noqa: BLE001 - as_bad raises defects of ours again
                place, bad = (name, self._task.partition, record.offset), as_bad(error)
                whole = record.key, record.value, record.headers
                self.outcome.violations.add_record(place, bad, whole, CPRS)

    def _check_notice(self, record: Record) -> None:
        """Check a notice, which is in the partition of its citizen."""
        citizen = check_notice(record.key, record.value, CPRS)
        check_headers(record.headers, POSTING_HEADERS, CPRS)
        if not citizen:  # a notice about a reporter
            return
        if partition_of(citizen.encode(), self._settings.partitions) != self._task.partition:
            text = f"citizen {citizen} does not belong to this partition"
            raise BadRecordError("partition", text)

    def _check_state(self, record: Record) -> None:
        """Check an entry of the state, which has a MAC alone."""
        check_state(record.key, record.value, self._pseudonym, CPRS)
        check_headers(record.headers, STATE_HEADERS, CPRS)
