"""Reports on everything that whoever is on call looks at, quickly enough to be asked all the time.

Nothing is written, and no topic is read whole: offsets, groups, the last run's marker, the dead
letters of a day. What was found by `refusion verify` and `refusion backup`, and which run is held,
is known where they and `refusion run close` run with this REFUSION_OPERATIONS_DIR; a backup's own
place may be asked too. `attention` are the sentences for which a monitor rings.
"""

import shutil
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from domain.basics.weeks import month_text
from domain.citizen.reports import RunMarker
from streams.acts import four_eyes
from streams.citizens.register_file import sources_of
from streams.kafka import topics
from streams.kafka.clients import KafkaClients
from streams.kafka.errors import explained
from streams.kafka.reading import KafkaTopicReader, open_topics
from streams.kit.errors import UserError
from streams.kit.foreign import Foreign
from streams.kit.last_outcomes import BACKUP_VERIFY, RUN_CLOSE, last_outcome
from streams.operations.run_survey import RunTopics
from streams.settings import Settings
from streams.wire.readers import letter_reader
from streams.wire.rejections import INTERNAL_ERROR, REASONS
from streams.wire.reporters import NO_SOURCE

if TYPE_CHECKING:
    from streams.acts.chain import Entry

Outcome = dict[str, Any] | None
CLIENT: Final = "refusion-status"
PEEK_MS: Final = 500
"""Milliseconds to wait for the oldest records."""
PEEK_BYTES: Final = 64 << 10
FEW: Final = 2
"""Offsets that may be markers of transactions, which no stage has to come to."""
DAY: Final = timedelta(days=1)
OVERLAP: Final = timedelta(hours=1)
"""The part of `access` that is read again at each look: clocks of machines and brokers differ."""
OTHER: Final = "other"
"""The one name of all reasons that this version does not know."""
DAILY: Final = timedelta(hours=26)
"""The age from which what is done each night was not done."""
CHECKS: Final = ("verify", "backup", BACKUP_VERIFY)
"""The checks of each night, by the names under which outcomes are kept."""
FULL_PERCENT: Final = 90
"""Percent of a disk in use from which somebody should look."""


class DutyError(UserError):
    """The report cannot be made; the message says why and what to do."""


class StageDuty(NamedTuple):
    """A stage: records before it, the age of the oldest of them, and who works on it."""

    stage: str
    lag: int
    oldest_s: float | None
    workers: int
    unowned: list[int]


class DiskDuty(NamedTuple):
    """A folder's disk: how full it is."""

    name: str
    path: str
    used_percent: float
    free_bytes: int


@dataclass
class DutyReport:
    """Everything for one screen; times are RFC 3339 in UTC."""

    at: str
    stages: list[StageDuty]
    last_run: dict[str, Any] | None
    open_month: str | None
    held: dict[str, Any] | None
    letters: int
    letters_of_day: dict[str, int]
    approvals: list[dict[str, Any]]
    verified: Outcome
    backed_up: Outcome
    backup_verified: Outcome
    disks: list[DiskDuty]
    attention: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return it for a program."""
        return asdict(self) | {
            "fine": not self.attention,
            "stages": [stage._asdict() for stage in self.stages],
            "disks": [disk._asdict() for disk in self.disks],
        }


def last_checks(settings: Settings) -> tuple[Outcome, Outcome, Outcome]:
    """Return how the last verify, backup and backup verify ended; None for one not known."""
    verified, backed_up, backup_verified = (
        last_outcome(settings.operations_dir, name) for name in CHECKS
    )
    return verified, backed_up, backup_verified


def held_run(settings: Settings, last_run: int) -> dict[str, Any] | None:
    """Return the run that was held when it was to be closed; None for none, or one closed since."""
    outcome = last_outcome(settings.operations_dir, RUN_CLOSE)
    if outcome is None or outcome.get("fine"):
        return None
    run = outcome.get("run")
    if isinstance(run, int) and run <= last_run:
        return None
    return {"run": run, "month": outcome.get("month"), "at": outcome["at"]}


class DutyDesk:
    """Answers again and again over open topics; the last run is looked for once."""

    def __init__(self, settings: Settings, reader: KafkaTopicReader) -> None:
        self._settings = settings
        self._reader = reader
        self._runs = RunTopics(settings, reader)
        self._last_run: RunMarker | None = None
        self._has_looked = False
        self._decisions: dict[int, Entry] = {}
        self._decided_to: datetime | None = None
        """The last look at the acts; an earlier one read what is behind it."""

    async def report(self, late_s: float) -> DutyReport:
        """Report; a stage whose oldest record is older than `late_s` needs attention."""
        stages = [await self._stage(name, topic) for name, topic in self._stages()]
        last = await self._newest_run()
        letters, of_day = await self._letters()
        report = DutyReport(
            _text(datetime.now(UTC)),
            stages,
            last and {"run": last.run, "month": month_text(last.data_month), "at": last.closed_at},
            month_text(last.data_month + 1) if last else None,
            held_run(self._settings, last.run if last else 0),
            letters,
            dict(of_day),
            await self._approvals(),
            *last_checks(self._settings),
            list(disks(self._settings)),
        )
        report.attention = list(attention(report, late_s))
        return report

    def _stages(self) -> Iterator[tuple[str, topics.Topic]]:
        for source in (NO_SOURCE, *sources_of(self._settings)):
            yield topics.intake_of(source), topics.raw_of(source)
        yield "citizens", topics.REPORTS
        yield "projections", topics.POSTINGS

    async def _stage(self, name: str, topic: topics.Topic) -> StageDuty:
        full, group = self._settings.topic(topic), self._settings.group(name)
        starts, ends = await self._reader.starts(full), await self._reader.ends(full)
        committed = await self._reader.committed(group)
        behind, lag = {}, 0
        for partition, end in ends.items():
            position = max(starts[partition], committed.get(partition, 0))
            if await self._has_more(full, partition, position, end):
                behind[partition] = position
                lag += end - position
        oldest_ms = await self._reader.oldest_ms(full, behind, PEEK_MS)
        oldest_s = None if oldest_ms is None else round(max(0.0, time.time() - oldest_ms / 1000), 1)
        owners = await self._reader.assignments(group)
        owned = {partition for partitions in owners.values() for partition in partitions}
        return StageDuty(name, lag, oldest_s, len(owners), sorted(ends.keys() - owned))

    async def _has_more(self, topic: str, partition: int, position: int, end: int) -> bool:
        """Tell whether a stage has a record before it; the marker of a transaction is none."""
        if end - position > FEW:
            return True
        return end > position and await self._reader.has_record(topic, partition, position, end)

    async def _newest_run(self) -> RunMarker | None:
        if not self._has_looked:
            self._last_run = await self._runs.last_run(lambda *_: None)
            self._has_looked = True
        elif (newer := await self._runs.newer_run()) is not None:
            self._last_run = newer
        return self._last_run

    async def _letters(self) -> tuple[int, Counter[str]]:
        """Count the dead letters that are kept, and by reason those of the last day."""
        name = self._settings.topic(topics.DEAD_LETTERS)
        starts, ends = await self._reader.starts(name), await self._reader.ends(name)
        since = await self._reader.since(name, datetime.now(UTC) - DAY)
        reasons: Counter[str] = Counter()
        for partition, end in ends.items():
            letters = letter_reader(name, partition)
            records = self._reader.records(name, partition, since[partition], end)
            async with aclosing(records):
                async for record in records:
                    letter = letters.read(record)
                    if not isinstance(letter, Foreign):
                        reasons[letter.reason if letter.reason in REASONS else OTHER] += 1
        return sum(end - starts[partition] for partition, end in ends.items()), reasons

    async def _approvals(self) -> list[dict[str, Any]]:
        """Return the acts that wait for another person, without their arguments.

        Of `access`, which has each look at a person, the first look reads 30 days, behind which a
        request is stale; each later one reads what came since.
        """
        since = four_eyes.horizon() if self._decided_to is None else self._decided_to - OVERLAP
        looked_at = datetime.now(UTC)
        self._decisions |= await four_eyes.decisions(self._settings, since)
        self._decided_to = looked_at
        entries = [entry for _, entry in sorted(self._decisions.items())]
        return [
            {name: request.fields[name] for name in ("id", "at", "user", "act")}
            for request in four_eyes.requests_of(entries, four_eyes.horizon())
            if request.state in {four_eyes.OPEN, four_eyes.APPROVED}
        ]


@asynccontextmanager
async def open_desk(settings: Settings) -> AsyncIterator[DutyDesk]:
    """Open the topics for the length of a block. Raises DutyError and other UserErrors."""
    with explained(settings.bootstrap, DutyError, advice="look at the brokers"):
        clients = KafkaClients(settings.bootstrap, CLIENT)
        async with open_topics(clients, max_partition_fetch_bytes=PEEK_BYTES) as reader:
            yield DutyDesk(settings, reader)


def disks(settings: Settings) -> Iterator[DiskDuty]:
    """Yield the disks of the state and the ledger, where they are on this machine."""
    for name, place in (("state", str(settings.state_dir)), ("ledger", settings.ledger)):
        if "://" in place:
            continue
        path = Path(place)
        with suppress(OSError):
            there = next(at for at in (path, *path.absolute().parents) if at.exists())
            usage = shutil.disk_usage(there)
            percent = round(100 * (usage.total - usage.free) / usage.total, 1)
            yield DiskDuty(name, place, percent, usage.free)


# --- what needs attention -------------------------------------------------------------------------


def attention(report: DutyReport, late_s: float) -> Iterator[str]:
    """Yield a sentence for each thing that somebody should look at."""
    now = datetime.fromisoformat(report.at)
    yield from _of_stages(report.stages, late_s)
    if number := report.letters_of_day.get(INTERNAL_ERROR.reason):
        yield f"{number:,} records met a defect of the program in the last day"
    if held := report.held:
        yield (
            f"run {held['run']} ({held['month']}) was held at {held['at']}: see why with `refusion"
            f" run close --month {held['month']} --dry-run`, and close it again, in spite of doubts"
            " with --accept"
        )
    yield from _of_outcome("verify", report.verified, now)
    yield from _of_outcome("backup", report.backed_up, now)
    yield from _of_outcome("backup verify", report.backup_verified, now)
    for disk in report.disks:
        if disk.used_percent >= FULL_PERCENT:
            yield f"the disk of the {disk.name} is {disk.used_percent:.0f} % full"


def _of_stages(stages: Sequence[StageDuty], late_s: float) -> Iterator[str]:
    for stage in stages:
        if stage.oldest_s is not None and stage.oldest_s > late_s:
            yield f"{stage.stage}: a record has waited for {stage.oldest_s:,.0f} s"
        if not stage.workers:
            yield f"{stage.stage}: no worker is at work"
        elif stage.unowned:
            numbers = ", ".join(map(str, stage.unowned))
            yield f"{stage.stage}: nobody has the partitions {numbers}"


def _of_outcome(name: str, outcome: Mapping[str, Any] | None, now: datetime) -> Iterator[str]:
    """Say what is wrong with an outcome; where none is known, it is done on another machine."""
    if outcome is None:
        return
    if outcome.get("result") == "unsigned":
        yield f"the last {name} checked no signature: give it REFUSION_SEAL_KEY"
    elif not outcome.get("fine"):
        yield f"the last {name} found something wrong, or could not be ended"
    if now - datetime.fromisoformat(outcome["at"]) > DAILY:
        yield f"the last {name} is of {outcome['at']}"


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
