"""Makes the auditor's package of a closed run; nothing is written but the zip file.

    1. The postings of the run are read, and the citizens of the sample are drawn from them.
    2. The journal is settled anew, from its first record up to the run's marker (`run_part.py`).
    3. Each citizen of the sample is settled again from the package's own records
       (`recomputation.py`).
    4. Sums, acts, rules, controls, tests and versions are written beside them.

What does not hold is in `afvigelser.csv` and is told to whoever has it made. No clock goes into a
package: the same topics, ledger and files give the same bytes.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from projections.audit.violations import Violations
from streams.acts.topic import OpenActTopic, open_act_topic
from streams.audit.audited_topics import OpenTopics, open_live_topics
from streams.audit.raw import read_dead_letters
from streams.audit.snapshot import Snapshot, take_snapshot
from streams.dossier.live_run import LiveRun
from streams.dossier.package_content import Material, PackageRequest, samples_of, write_content
from streams.dossier.run_acts import acts_of_run
from streams.dossier.run_part import (
    FoldedPart,
    PackageError,
    RunPart,
    RunTask,
    fold_partition,
    survey_partition,
)
from streams.dossier.sample_draw import Drawn, places_drawn
from streams.dossier.zip_file import Content
from streams.kafka import topics
from streams.kafka.errors import explained
from streams.kit.processes import jobs_for
from streams.kit.tasks import ToldProgress, run_tasks
from streams.settings import Settings


class Doors(NamedTuple):
    """The functions that open topics; tests hand in others."""

    topics: OpenTopics = open_live_topics
    acts: OpenActTopic = open_act_topic


@dataclass
class MadePackage:
    """A package that was made: its files, and a sentence for all that does not hold."""

    content: Content
    findings: list[str]
    run: int
    data_month: str
    citizens: int
    messages: int


def make_package(
    settings: Settings,
    request: PackageRequest,
    progress: ToldProgress,
    doors: Doors = Doors(),  # noqa: B008 - a named tuple never changes
) -> MadePackage:
    """Make a package. Raises UserError where the run is not closed or cannot be read."""
    with explained(settings.bootstrap, PackageError):
        material = asyncio.run(_read(settings, request, progress, doors))
    write_content(material)
    first = material.parts[0]
    messages = sum(part.messages for part in material.parts)
    citizens = len({one.citizen for one in material.drawn})
    return MadePackage(
        material.content, material.findings, request.run, first.data_month, citizens, messages
    )


def read_run(
    settings: Settings,
    request: PackageRequest,
    progress: ToldProgress,
    doors: Doors = Doors(),  # noqa: B008 - a named tuple never changes
) -> LiveRun:
    """Read a run in the topics, as a package of it would have it."""
    with explained(settings.bootstrap, PackageError):
        parts, drawn, anew = asyncio.run(_parts(settings, request, progress, doors))
    folded = {part.partition: part for part in anew}
    return LiveRun(parts, anew, drawn, [*samples_of(drawn, folded)])


# --- reading --------------------------------------------------------------------------------------


async def _read(
    settings: Settings, request: PackageRequest, progress: ToldProgress, doors: Doors
) -> Material:
    parts, drawn, anew = await _parts(settings, request, progress, doors)
    async with doors.acts(settings) as topic:
        entries = await acts_of_run(topic, settings.macs(), request.run, parts[0])
    folded = {part.partition: part for part in anew}
    return Material(settings, request, parts, folded, drawn, entries)


async def _parts(
    settings: Settings, request: PackageRequest, progress: ToldProgress, doors: Doors
) -> tuple[list[RunPart], list[Drawn], list[FoldedPart]]:
    """Read the run as booked, draw the sample, and settle the journal anew."""
    async with doors.topics(settings) as reader:
        snapshot = await take_snapshot(reader, settings)
        refused = await read_dead_letters(reader, settings, snapshot, Violations())
    tasks = [
        RunTask(
            doors.topics, settings, snapshot, partition, request.run, request.seed, request.each,
            frozenset(refused.journal[partition]), frozenset(refused.defects[partition]),
        )
        for partition in range(settings.partitions)
    ]  # fmt: skip
    journal, postings = (_records(settings, snapshot, topic) for topic in _READ)
    jobs = request.jobs or jobs_for(journal + postings)
    total = journal + 2 * postings
    parts = await run_tasks(survey_partition, tasks, jobs, progress, total)
    drawn = _drawn(parts, request)
    citizens = frozenset(one.citizen for one in drawn)
    tasks = [
        task._replace(drawn=citizens, journal_to=part.journal_to, postings_to=part.postings_to)
        for task, part in zip(tasks, parts, strict=True)
    ]
    shown = _behind(progress, postings)
    return parts, drawn, await run_tasks(fold_partition, tasks, jobs, shown, total)


_READ: Final = (topics.REPORTS, topics.POSTINGS)


def _records(settings: Settings, snapshot: Snapshot, topic: topics.Topic) -> int:
    return snapshot.records(settings.topic(topic))


def _behind(progress: ToldProgress, before: int) -> ToldProgress:
    """Show progress of work that comes after other work."""
    return lambda done, total: progress(min(before + done, total), total)


def _drawn(parts: Sequence[RunPart], request: PackageRequest) -> list[Drawn]:
    """Draw the municipalities, and the citizens of each from all partitions."""
    offered = sorted(one for part in parts for one in part.drawn)
    places = places_drawn(request.seed, {one.municipality for one in offered}, request.places)
    return [
        one
        for place in places
        for one in [each for each in offered if each.municipality == place][: request.each]
    ]
