"""The simulation: chunks of citizens in parallel, then all reports in the order of arrival.

1. Citizens are divided into chunks. A process makes all reports of a chunk and appends each,
   after a sort key, to the spill file of its span of arrival time.
2. When all chunks are done, the spans are read one after the other, sorted and written.

The key is (arrival, citizen, number within the citizen), so the output does not show the chunks,
the processes or the order in which they finish. Memory holds one chunk per process, then one span.
Spill files are in a temporary folder that is removed when the run ends, however it ends.
"""

import gc
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from multiprocessing import current_process
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO, NamedTuple

from streams.kit.processes import pool_of, told_of_the_end
from streams.simulation.chance import generator, happens, pick
from streams.simulation.drafts import ArrivingReport, Draft
from streams.simulation.extraordinary import STORIES, Teller
from streams.simulation.habits import DAY_SECONDS, Habits, deliver
from streams.simulation.historic import with_history
from streams.simulation.lines import line
from streams.simulation.lives import SimulatedDays, live
from streams.simulation.options import SimulationOptions
from streams.simulation.reporting import plan

CHUNK_CITIZEN_MONTHS = 24_000
"""The size of a chunk: about 30,000 reports.

They take 12 MB in a process, and repay the opening of the spill files.
"""

SPAN_CITIZEN_MONTHS = 20_000
"""The size of a span: about 9 MB of reports.

The days around the turn of a month have several times that.
"""

MOST_SPANS = 2000
KEY_LENGTH = 25
_KEYED_LINE = "%010d%08d%07d%s"


class CitizenChunk(NamedTuple):
    """Citizens that one process makes at a time, and the folder for their reports."""

    options: SimulationOptions
    first: int
    last: int
    folder: Path
    span_seconds: int


def simulate(
    options: SimulationOptions, out: BinaryIO, progress: Callable[[int], None] | None = None
) -> int:
    """Write the population's reports to `out`, one JSON object a line, in the order of arrival.

    `progress` is told how many citizens of `options.citizens` are ready, each time some are.
    Returns the number of reports.

    Raises:
        OSError: the disk is full or `out` is closed.
    """
    with TemporaryDirectory(prefix="refusion-simulate-") as name:
        folder = Path(name)
        ready = 0
        with _workers(options) as run:
            for citizens in run(_chunks(options, folder)):
                ready += citizens
                if progress:
                    progress(ready)
        return _merge(folder, out)


def deliveries(options: SimulationOptions, citizen: int) -> tuple[str, list[ArrivingReport]]:
    """Return a citizen's CPR number and reports, in the order in which they were made."""
    window = SimulatedDays.of_months(options.first_month, options.last_month)
    rng = generator(options.seed, citizen, "life")
    odd = "extraordinary" in options.faults and happens(rng, 1)
    story = pick(rng, STORIES) if odd else None
    life = live(
        rng,
        citizen,
        window,
        days_between_moves=story.days_between_moves if story else 7000,
        seasons=options.seasons,
    )
    draft = Draft(life, facts="facts" in options.faults)
    if story is None or story.on_top:
        plan(draft, rng, window)
    if story:
        story.tell(Teller(draft, rng, window))
    delivered = deliver(
        draft.planned, generator(options.seed, citizen, "habits"), Habits.of(options)
    )
    return life.cpr, with_history(options, citizen, [*delivered, *draft.sent])


@contextmanager
def _workers(
    options: SimulationOptions,
) -> Iterator[Callable[[Iterable[CitizenChunk]], Iterable[int]]]:
    """Return a function that runs chunks: in this process for one job, otherwise in several."""
    if options.processes == 1:
        yield lambda chunks: map(_spill, chunks)
        return
    # Copies of this process have imported all they need. Nothing here makes reference cycles, and a
    # search for them would be a tenth of the work.
    pool = pool_of(options.processes, gc.disable, method=None)
    try:
        with told_of_the_end("the population is not whole: simulate it again, with fewer --jobs"):
            yield lambda chunks: pool.map(_spill, chunks)
    finally:
        pool.shutdown(cancel_futures=True)


def _chunks(options: SimulationOptions, folder: Path) -> Iterator[CitizenChunk]:
    months = options.last_month - options.first_month + 1
    size = max(1, min(CHUNK_CITIZEN_MONTHS // months, options.citizens // (4 * options.processes)))
    spans = max(1, min(MOST_SPANS, options.citizens * months // SPAN_CITIZEN_MONTHS))
    seconds = max(DAY_SECONDS, months * 31 * DAY_SECONDS // spans)
    for first in range(0, options.citizens, size):
        yield CitizenChunk(options, first, min(first + size, options.citizens), folder, seconds)


def _spill(chunk: CitizenChunk) -> int:
    """Make a chunk's reports and append them to this process's spill files.

    Returns the number of citizens.
    """
    spans: defaultdict[int, list[str]] = defaultdict(list)
    for citizen in range(chunk.first, chunk.last):
        cpr, delivered = deliveries(chunk.options, citizen)
        for number, (at, report, _) in enumerate(delivered):
            keyed = _KEYED_LINE % (at, citizen, number, line(report, cpr, at))
            spans[at // chunk.span_seconds].append(keyed)
    for span, keyed_lines in spans.items():
        with (chunk.folder / f"{span:08d}-{current_process().name}").open("ab") as file:
            file.write("".join(keyed_lines).encode("ascii"))
    return chunk.last - chunk.first


def _merge(folder: Path, out: BinaryIO) -> int:
    """Write the spans in order of time, each sorted and without its keys, and delete them.

    Returns the number of reports.
    """
    files_of: defaultdict[str, list[Path]] = defaultdict(list)
    for file in folder.iterdir():
        files_of[file.name.partition("-")[0]].append(file)
    reports = 0
    for span in sorted(files_of):
        keyed_lines = sorted(
            b"".join(file.read_bytes() for file in files_of[span]).splitlines(keepends=True)
        )
        out.write(b"".join([keyed[KEY_LENGTH:] for keyed in keyed_lines]))
        reports += len(keyed_lines)
        for file in files_of[span]:
            file.unlink()
    return reports
