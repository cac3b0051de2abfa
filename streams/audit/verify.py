"""Audits the live topics (`refusion verify`), partition by partition, while workers go on.

    1. `snapshot.py`: how far the stages are is read first, then where the topics end.
    2. `raw.py`: the dead letters, all of them: which records of the journal and of `reports.raw`
       were refused.
    3. `partition.py`: each partition of the journal, its postings, notices and state, in several
       processes (`streams.kit.tasks`).
    4. `access_chains.py`: who did what; nobody took a record out, or wrote one that is not ours.
    5. `control.py`: the control records of all partitions. `raw.py`: each record of `reports.raw`
       that is still kept and was taken in is in the journal or among the dead letters.

A deep audit computes the truth of each citizen from scratch, or of a sample. A fold settles the
whole journal again and holds the postings against it, byte for byte (`fold.py`). Run files are held
against the postings of their run (`run_files.py`). Nothing is written, and no group is joined.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from projections.audit.violations import Violations
from streams.audit.access_chains import check_acts
from streams.audit.audited_topics import OpenTopics, VerifyError, open_live_topics
from streams.audit.control import compare_control_records
from streams.audit.copies import compare_copies
from streams.audit.partition import (
    SLICE_RECORDS,
    PartitionOutcome,
    PartitionTask,
    Sample,
    audit_partition,
    pseudonym,
)
from streams.audit.raw import RawCounts, RefusedOffsets, account_for_raw, read_dead_letters
from streams.audit.run_files import RunFiles, RunLines, compare_accounts, read_files
from streams.audit.snapshot import Snapshot, lost_beginnings, take_snapshot
from streams.audit.topics import compare_settings
from streams.kafka import topics
from streams.kafka.errors import explained
from streams.kafka.reading import TopicReader
from streams.kit.cores import cores
from streams.kit.processes import jobs_for
from streams.kit.scratch import scratch_folder
from streams.kit.tasks import ToldProgress, run_tasks
from streams.kit.threads import DaemonThreads
from streams.privacy.cpr import is_ten_digits
from streams.settings import Settings


class VerifyRequest(NamedTuple):
    """The extent of an audit. `sample_percent` of the citizens are computed from scratch.

    `draw` chooses which citizens. `jobs` is the number of processes, 0 for as many as fit. `fold`:
    fold the journal too. `files`: a folder of run files to hold against the postings.
    `slice_records`: more records of a partition go through files.
    """

    sample_percent: float = 0.0
    draw: int = 0
    jobs: int = 1
    fold: bool = False
    files: Path | None = None
    slice_records: int = SLICE_RECORDS


@dataclass
class Verified:
    """The outcome of an audit."""

    violations: Violations
    partitions: dict[int, Counter[str]]
    lag: dict[str, int]
    records: int = 0
    citizens: int = 0
    deep_citizens: int = 0
    raw: RawCounts = field(default_factory=RawCounts)
    seconds: float = 0.0
    deep_s: float = 0.0
    folded: int = 0
    fold_s: float = 0.0
    files: int = 0
    file_lines: int = 0

    def add(self, outcome: PartitionOutcome) -> None:
        """Add the outcome of one partition."""
        self.violations.merge(outcome.violations)
        self.records += outcome.records
        self.citizens += outcome.citizens
        self.deep_citizens += outcome.deep_citizens
        self.deep_s += outcome.deep_s
        self.folded += outcome.folded
        self.fold_s += outcome.fold_s
        self.partitions.setdefault(outcome.partition, Counter()).update(outcome.totals)

    def as_json(self) -> dict[str, Any]:
        """Make the object that `refusion verify --json` writes."""
        violations = self.violations
        return {
            "fine": not violations.total,
            "violations": violations.total,
            "by_code": dict(violations.counts),
            "first": [violation._asdict() for violation in violations.named],
            "notes": dict(violations.notes),
            "records": self.records,
            "citizens": self.citizens,
            "deep_citizens": self.deep_citizens,
            "raw_kept": self.raw.kept,
            "raw_twice": self.raw.twice,
            "lag": self.lag,
            "partitions": [
                {"partition": number, **totals}
                for number, totals in sorted(self.partitions.items())
            ],
            "seconds": round(self.seconds, 3),
            "records_per_second": round(self.records / self.seconds) if self.seconds else 0,
            "deep_cpu_seconds": round(self.deep_s, 3),
            "folded": self.folded,
            "fold_cpu_seconds": round(self.fold_s, 3),
            "files": self.files,
            "file_lines": self.file_lines,
        }


def verify(
    settings: Settings,
    request: VerifyRequest,
    progress: ToldProgress,
    open_topics: OpenTopics = open_live_topics,
) -> Verified:
    """Audit the topics. Raises VerifyError, or TopicError, where they cannot be read."""
    began = time.monotonic()
    with explained(settings.bootstrap, VerifyError):
        verified = asyncio.run(_verify(settings, request, progress, open_topics))
    verified.seconds = time.monotonic() - began
    return verified


async def _verify(
    settings: Settings, request: VerifyRequest, progress: ToldProgress, open_topics: OpenTopics
) -> Verified:
    async with open_topics(settings) as reader:
        snapshot = await take_snapshot(reader, settings)
        violations = Violations()
        for violation in lost_beginnings(snapshot, settings):
            violations.add(violation)
        await compare_settings(reader, settings, violations)
        await check_acts(reader, settings, snapshot, violations)
        refused = await read_dead_letters(reader, settings, snapshot, violations)
        verified = Verified(violations, {}, snapshot.lag(settings), records=refused.read)
        with scratch_folder("files") as folder:
            files = await asyncio.get_running_loop().run_in_executor(
                DaemonThreads(), _read_files, settings, request, folder, violations
            )
            tasks = list(_tasks(settings, request, snapshot, refused, files.runs, open_topics))
            total = _records_to_read(settings, request, snapshot)
            jobs = _jobs(request, total)
            outcomes = await run_tasks(audit_partition, tasks, jobs, progress, total)
        await _conclude(verified, reader, settings, snapshot, outcomes, refused, files)
    return verified


async def _conclude(
    verified: Verified,
    reader: TopicReader,
    settings: Settings,
    snapshot: Snapshot,
    outcomes: list[PartitionOutcome],
    refused: RefusedOffsets,
    files: RunFiles,
) -> None:
    """Add the partitions up, and compare what no partition can compare alone."""
    violations = verified.violations
    for outcome in outcomes:
        verified.add(outcome)
    compare_accounts(files, [outcome.files for outcome in outcomes if outcome.files], violations)
    verified.files, verified.file_lines = files.files, files.lines
    compare_control_records(settings.topic(topics.REPORTS), outcomes, violations)
    copies = {outcome.partition: outcome.copies for outcome in outcomes}
    compare_copies(settings.topic(topics.REPORTS), copies, violations)
    verified.raw = await account_for_raw(reader, settings, snapshot, outcomes, refused, violations)
    verified.records += verified.raw.read
    violations.sort()


def _read_files(
    settings: Settings, request: VerifyRequest, into: Path, violations: Violations
) -> RunFiles:
    """The run files asked for. VerifyError without the key that makes pseudonyms of CPR numbers."""
    if request.files is None:
        return RunFiles()
    name = pseudonym(settings)
    if name is None:
        raise VerifyError(
            "the files name persons by CPR number: set the keys of the system (`refusion settings`)"
        )
    citizen_of = partial(_citizen_of, name)
    return read_files(request.files, into, settings.partitions, citizen_of, violations)


def _citizen_of(name: Callable[[str], str], cpr: str) -> str | None:
    """Return the citizen of a CPR number in a file, None for what is not ten digits."""
    return name(cpr) if is_ten_digits(cpr) else None


def _tasks(
    settings: Settings,
    request: VerifyRequest,
    snapshot: Snapshot,
    refused: RefusedOffsets,
    runs: dict[int, RunLines],
    open_topics: OpenTopics,
) -> Iterator[PartitionTask]:
    names = [settings.topic(topic) for topic in (topics.REPORTS, topics.POSTINGS)]
    for partition in range(settings.partitions):
        spans = [snapshot.bounds(name, partition) for name in names]
        records = max(end - start for start, end in spans)
        yield PartitionTask(
            open_topics,
            settings,
            snapshot,
            partition,
            slices=records // request.slice_records + 1,
            refused=frozenset(refused.journal[partition]),
            defects=frozenset(refused.defects[partition]),
            sample=Sample(request.sample_percent, request.draw),
            fold=request.fold,
            runs=runs,
        )


def _jobs(request: VerifyRequest, records: int) -> int:
    """Give the number of processes; to compute from scratch takes long even for few records."""
    if request.jobs:
        return request.jobs
    return cores() if request.sample_percent else jobs_for(records)


def _records_to_read(settings: Settings, request: VerifyRequest, snapshot: Snapshot) -> int:
    """Records to read, at most: compaction has left fewer of the state than its offsets say."""
    reports = snapshot.records(settings.topic(topics.REPORTS))
    postings = snapshot.records(settings.topic(topics.POSTINGS))
    again = request.fold * (reports + postings) + (request.files is not None) * postings
    return sum(map(snapshot.records, snapshot.ends)) + again
