"""`make bench`: all benchmarks, a table at the end. CITIZENS=100000 in the environment for the memory figure's size."""

import os
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import aggregate, settling

MEMORY_CITIZENS = int(os.environ.get("CITIZENS", "100000"))
Figure = tuple[str, str, str]


def aggregate_figures() -> list[Figure]:
    """The aggregate alone, in memory: microseconds of CPU a report."""
    early, old = aggregate.frontier()
    figures = [
        ("report at the frontier, month 37", f"{early:.0f} µs", "1.00"),
        ("report at the frontier, month 120", f"{old:.0f} µs", f"{old / early:.2f}"),
    ]
    for months_back in (1, 12, 100):
        late = aggregate.late(months_back)
        figures.append((f"late report, {months_back} months back of 120", f"{late:.0f} µs", f"{late / early:.2f}"))
    moving = aggregate.moving_reset()
    figures.append(("late report that takes a reset away", f"{moving:.0f} µs", f"{moving / early:.2f}"))
    parts = aggregate.parts()
    decode = parts["decode (orjson alone, the peer)"]
    figures += [(f"part: {name}", f"{cost:.1f} µs", f"{cost / decode:.1f}") for name, cost in parts.items()]
    return [*figures, ("state of a citizen and year", f"{aggregate.state_bytes_per_year():.0f} bytes", "")]


def settling_figures(folder: Path) -> list[Figure]:
    """The whole program, as a user runs it."""
    reports = settling.simulated(folder, 10_000, "2022-01..2023-12")
    inputs = {"ordered": settling.ordered(reports), "as it arrives": reports, "chaotic": settling.chaotic(reports)}
    peer = settling.copy_rate(reports)
    figures = [("peer: decode and encode each line", f"{peer:,.0f}/s", "1.00")]
    for name, path in inputs.items():
        for jobs in (1, 2):
            rate = settling.rate(path, jobs)
            figures.append((f"settle, {name}, --jobs {jobs}", f"{rate:,.0f}/s", f"{rate / peer:.3f}"))
    many = settling.simulated(folder, MEMORY_CITIZENS, "2023-01..2023-06")
    figures.append(
        (f"settle, peak memory at {MEMORY_CITIZENS:,} citizens", f"{settling.peak_memory_mb(many):.0f} MB", "")
    )
    return figures


def main() -> None:
    """Measure and show."""
    table = Table("what", "figure", "ratio to the peer or the first line")
    for figure in aggregate_figures():
        table.add_row(*figure)
    table.add_section()
    with tempfile.TemporaryDirectory(prefix="refusion-bench-") as folder:
        for figure in settling_figures(Path(folder)):
            table.add_row(*figure)
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
