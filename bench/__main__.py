"""`make bench`: all benchmarks, a table at the end; `python -m bench NAME…`: some, such as aggregate, kafka or replay.

The environment sets the size of the memory figures: CITIZENS for `settle`, KAFKA_CITIZENS for a
worker on Kafka, LEDGER_ROWS for a month's export (4000000 is a national one).
"""

import logging
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import aggregate, books, pipeline, replaying, settling
from streams.kit.stopping import Stopped, unwind_on_signals

MEMORY_CITIZENS = int(os.environ.get("CITIZENS", "100000"))
KAFKA_CITIZENS = int(os.environ.get("KAFKA_CITIZENS", "100000"))
PIPELINE_CITIZENS = 6_000
REPLAY_CITIZENS = 6_000
LEDGER_ROWS = int(os.environ.get("LEDGER_ROWS", "400000"))
Figure = tuple[str, str, str]


def aggregate_figures(_folder: Path) -> list[Figure]:
    """The aggregate alone, in memory: microseconds of CPU a report."""
    early, old = aggregate.frontier()
    figures = [
        ("report at the frontier, month 37", f"{early:.0f} µs", "1.00"),
        ("report at the frontier, month 120", f"{old:.0f} µs", f"{old / early:.2f}"),
    ]
    for months_back in (1, 12, 100):
        late = aggregate.late(months_back)
        figures.append(
            (
                f"late report, {months_back} months back of 120",
                f"{late:.0f} µs",
                f"{late / early:.2f}",
            )
        )
    moving = aggregate.moving_reset()
    figures.append(
        ("late report that takes a reset away", f"{moving:.0f} µs", f"{moving / early:.2f}")
    )
    parts = aggregate.parts()
    decode = parts["decode (orjson alone, the peer)"]
    figures += [
        (f"part: {name}", f"{cost:.1f} µs", f"{cost / decode:.1f}") for name, cost in parts.items()
    ]
    return [
        *figures,
        ("state of a citizen and year", f"{aggregate.state_bytes_per_year():.0f} bytes", ""),
    ]


def settling_figures(folder: Path) -> list[Figure]:
    """The whole program, as a user runs it."""
    reports = settling.simulated(folder, 4_000, "2022-01..2023-12")
    inputs = {
        "ordered": settling.ordered(reports),
        "as it arrives": reports,
        "chaotic": settling.chaotic(reports),
    }
    peer = settling.copy_rate(reports)
    figures = [("peer: decode and encode each line", f"{peer:,.0f}/s", "1.00")]
    for name, path in inputs.items():
        for jobs in (1, 2):
            rate = settling.rate(path, jobs)
            figures.append(
                (f"settle, {name}, --jobs {jobs}", f"{rate:,.0f}/s", f"{rate / peer:.3f}")
            )
    many = settling.simulated(folder, MEMORY_CITIZENS, "2023-01..2023-03")
    figures.append(
        (
            f"settle, peak memory at {MEMORY_CITIZENS:,} citizens",
            f"{settling.peak_memory_mb(many):.0f} MB",
            "",
        )
    )
    return figures


def books_figures(folder: Path) -> list[Figure]:
    """The ledger's table, and a month's files from it."""
    rate = books.built(folder / "books", LEDGER_ROWS)
    done = books.exported(folder / "books")
    return [
        ("postings into the ledger", f"{rate:,.0f} rows/s", ""),
        (f"export of {done.rows:,} rows, 98 municipalities", f"{done.seconds:.0f} s", ""),
        ("its peak memory", f"{done.peak_mb:.0f} MB", ""),
    ]


def kafka_figures(folder: Path) -> list[Figure]:
    """The stages on a real Kafka, worker processes as a user runs them."""
    return pipeline.figures(folder, PIPELINE_CITIZENS, KAFKA_CITIZENS)


def replay_figures(folder: Path) -> list[Figure]:
    """A replay and the audits on a real Kafka, beside live settling."""
    return replaying.figures(folder, REPLAY_CITIZENS)


SECTIONS: dict[str, Callable[[Path], list[Figure]]] = {
    "aggregate": aggregate_figures,
    "settle": settling_figures,
    "books": books_figures,
    "kafka": kafka_figures,
    "replay": replay_figures,
}


def main(names: list[str]) -> None:
    """Measure the sections with these names, all if none is given, and show."""
    if unknown := set(names) - SECTIONS.keys():
        sys.exit(f"no such section: {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    table = Table("what", "figure", "ratio to the peer or the first line")
    with tempfile.TemporaryDirectory(prefix="refusion-bench-") as folder:
        for name in names or SECTIONS:
            for figure in SECTIONS[name](Path(folder)):
                table.add_row(*figure)
            table.add_section()
    Console(width=110).print(table)


if __name__ == "__main__":
    unwind_on_signals()
    logging.getLogger("aiokafka").setLevel(
        logging.CRITICAL
    )  # what goes wrong is an exception, and said once
    try:
        main(sys.argv[1:])
    except Stopped as stopped:
        sys.exit(stopped.status)
