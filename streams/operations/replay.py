"""`refusion replay` settles the journal again, compares with what is posted, posts the differences.

    1. The members of the citizens stage's group tell their versions. If these are several, or
       another than this program's, nobody can say what the workers will do: the replay is refused.
    2. **The dry run, always**: read how far the stage is, then where the topics end; then read each
       partition in a process of its own (`streams.operations.replay_partition`). Reports that are
       not settled yet are left out, and counted.
    3. `--apply` writes the control records to every partition of the journal in one transaction.
       Its transactional id, which all replays of a prefix share, fences any other.
    4. Wait until the stage has got past them in every partition, and add up what it posts for them.

Steps 3 and 4 are in `streams.operations.replay_apply`. A replay that dies before 3 has done
nothing; one that dies after it has done its part: the workers carry the records out. Whoever asks
for the same again is told of the records that wait, and waits with them.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from domain.citizen.reports import Recalculation, RunMarker, Scope
from projections.whatif.replay import Difference
from streams.citizens.rule_sets import DEFAULT, LawBook
from streams.kafka import topics
from streams.kafka.brokers import version
from streams.kafka.clients import KafkaClients
from streams.kafka.errors import explained
from streams.kafka.groups import version_in
from streams.kafka.reading import KafkaTopicReader, Offsets, open_topics
from streams.kafka.topic_layout import ensure_topics_of
from streams.kit.foreign import PASSED_OVER
from streams.kit.processes import jobs_for, processes
from streams.operations.replay_partition import (
    CLIENT,
    PartitionDifference,
    PartitionShare,
    ReplayError,
    read_share,
)
from streams.settings import Settings
from streams.wire.journal_checks import journal_checks
from streams.wire.partitioner import partition_of

APPLY_SHARE: Final = 1.5
"""Estimated time to apply, as a multiple of the time that the dry run took to settle. The dry run
reads postings where the workers read state; 1.1 was measured."""

Progress = Callable[[str, int, int], None]
"""Told the unit that is counted, how far it is, and how much there is in all."""


class ReplayRequest(NamedTuple):
    """A replay that is asked for: `rules` "" are the rules that are valid now.

    `jobs` is the number of processes, 0 for as many as fit. `answer` is another answer to one open
    question, as `UFB=BENEFIT`; it is for a dry run alone.
    """

    rules: str = ""
    scope: Scope = Scope()
    jobs: int = 1
    answer: str = ""


@dataclass
class DryRun:
    """Differences that a replay would post.

    `rules` are those to settle by, and `digest` says with what content; `holding` are those that
    are valid now; `last_run` is the last run that was closed in what was read. `looked_to` is a
    partition of the journal, and where it ended. `pending` is the same replay where it was written
    before and is not carried out yet, with its offset in each partition.
    """

    rules: str
    holding: str
    difference: Difference = field(default_factory=Difference)
    reports: int = 0
    unsettled: int = 0
    seconds: float = 0.0
    apply_s: float = 0.0
    workers: int = 0
    last_run: RunMarker | None = None
    pending: tuple[Recalculation, Offsets] | None = None
    digest: str = ""
    looked_to: tuple[int, int] = (0, 0)

    @property
    def changes_rules(self) -> bool:
        """Return whether another rule set would become valid."""
        return self.rules != self.holding

    @property
    def is_nothing(self) -> bool:
        """Return whether there is nothing to write or to wait for."""
        return not (self.difference.messages or self.changes_rules or self.pending)


# --- the dry run ----------------------------------------------------------------------------------


async def dry_run(settings: Settings, request: ReplayRequest, progress: Progress) -> DryRun:
    """Say what a replay would change; nothing is written. Raises UserError where it must not be."""
    laws = LawBook(settings.rules)
    if request.rules:
        laws.law(request.rules)
    if request.answer:
        laws.answering(request.rules or DEFAULT, request.answer)
    if (
        request.scope.municipality
        and request.scope.municipality
        not in laws.law(request.rules or DEFAULT).rules.municipalities
    ):
        raise ReplayError(
            f"--municipality {request.scope.municipality} is not one of the 98 codes;"
            " nobody is in scope"
        )
    began = time.monotonic()
    async with opened(settings) as topics_read:
        workers = await _workers(topics_read, settings.group("citizens"))
        await ensure_topics_of(settings)
        shares = await _shares(settings, request, topics_read)
    differences = await _read_all(settings, request.jobs, shares, progress)
    holding = {(part.rules, part.digest) for part in differences.values()}
    if len(holding) > 1:
        raise ReplayError("a rule set is becoming valid at this moment: ask again")
    digests = {part.settled_by for part in differences.values()}
    if len(digests) > 1:
        raise ReplayError("the file of the rule set was changed while it was read: ask again")
    name = holding.pop()[0]
    rules = request.rules or name
    if request.answer:
        rules = laws.answering(rules, request.answer).rules.name
    looked_to = shares[0].partition, shares[0].journal_end
    done = DryRun(rules, name, workers=workers, digest=digests.pop(), looked_to=looked_to)
    for part in differences.values():
        PASSED_OVER.add_all(part.foreign)
        done.difference.add(part.difference)
        done.reports += part.reports
        done.unsettled += part.unsettled
        done.last_run = max(done.last_run, part.last_run, key=lambda each: each.run if each else 0)
        done.apply_s += part.settle_s * APPLY_SHARE / max(workers, 1)
    if not done.difference.in_scope:
        raise ReplayError(
            f"nobody is in scope: of {done.difference.citizens:,} citizens with settled"
            " reports none has one of it"
        )
    done.pending = _pending(request, differences, done)
    done.seconds = time.monotonic() - began
    return done


async def _workers(topics_read: KafkaTopicReader, group: str) -> int:
    """Count how many members the citizens stage has, all of this version. Raises ReplayError."""
    client_ids = await topics_read.members(group)
    versions = {version_in(client_id) or "an older version" for client_id in client_ids}
    if len(versions) > 1:
        raise ReplayError(
            f"workers of mixed versions are at work ({', '.join(sorted(versions))}): each would"
            " settle in its own way; bring all of them to one version first"
        )
    if versions - {version()}:
        raise ReplayError(
            f"the workers are of version {versions.pop()}, this program is of {version()}: what it"
            " finds is not what they would post; run the replay with their version"
        )
    return len(client_ids)


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[KafkaTopicReader]:
    """Open the topics; Kafka's errors become those that the user can act on."""
    clients = KafkaClients(settings.bootstrap, f"refusion-{CLIENT}")
    with explained(settings.bootstrap, ReplayError):
        async with open_topics(clients) as topics_read:
            yield topics_read


async def _shares(
    settings: Settings, request: ReplayRequest, topics_read: KafkaTopicReader
) -> list[PartitionShare]:
    """Ask how far the stage is first, then where the topics end.

    So all postings that follow from what the stage has committed lie before those ends.
    """
    await _check_begin(settings, topics_read)
    postings = settings.topic(topics.POSTINGS)
    committed = await topics_read.committed(settings.group("citizens"))
    starts = await topics_read.starts(postings)
    journal = settings.topic(topics.REPORTS)
    journal_ends = await topics_read.ends(journal)
    checks = await journal_checks(topics_read, journal, settings.macs_if_set())
    postings_ends = await topics_read.ends(postings)
    shares = [
        PartitionShare(
            at,
            committed.get(at, 0),
            journal_ends[at],
            starts[at],
            postings_ends[at],
            request.rules,
            request.scope,
            checks.mac("postings", at) is not None,
            request.answer,
        )
        for at in sorted(journal_ends)
    ]
    citizen = request.scope.citizen
    if not citizen:
        return shares
    return [shares[partition_of(citizen.encode(), settings.partitions)]]


async def _check_begin(settings: Settings, topics_read: KafkaTopicReader) -> None:
    for at, first in (await topics_read.starts(settings.topic(topics.REPORTS))).items():
        if first:
            raise ReplayError(
                f"the journal has a hole: {settings.topic(topics.REPORTS)}/{at} begins at offset"
                f" {first}, its first records are gone, and what follows from them cannot be known;"
                " restore the topic from a copy"
            )


async def _read_all(
    settings: Settings, jobs: int, shares: Sequence[PartitionShare], progress: Progress
) -> dict[int, PartitionDifference]:
    """Read every share, `jobs` at a time; 0 is as many as fit."""
    differences: dict[int, PartitionDifference] = {}
    loop, total = asyncio.get_running_loop(), sum(share.committed for share in shares)
    with (
        explained(settings.bootstrap, ReplayError),
        processes(min(jobs or jobs_for(total), len(shares))) as pool,
    ):

        async def read(share: PartitionShare) -> None:
            differences[share.partition] = await loop.run_in_executor(
                pool, read_share, settings, share
            )
            done = sum(share.committed for share in shares if share.partition in differences)
            progress("records", done, total)

        await asyncio.gather(*map(read, shares))
    return differences


def _pending(
    request: ReplayRequest, differences: dict[int, PartitionDifference], done: DryRun
) -> tuple[Recalculation, Offsets] | None:
    """The same recalculation, where some partition has still to carry it out by the same rules."""
    offsets: Offsets = {}
    same: Recalculation | None = None
    for partition, part in differences.items():
        for offset, waiting in part.waiting:
            if (
                waiting.scope == request.scope
                and not done.changes_rules
                and same in (None, waiting)
            ):
                same = waiting
                offsets[partition] = offset
    return (same, offsets) if same else None
