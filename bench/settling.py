"""`refusion settle` as a user runs it: reports a second and memory.

The peer only copies JSON.
"""

import os
import random
import subprocess
import sys
import time
from operator import itemgetter
from pathlib import Path
from statistics import median
from typing import Any

import orjson

from bench.rig import Figure

PROGRAM = [sys.executable, "-c", "from streams.cli.main import main; main()"]
COPY = """
import sys, orjson
for line in sys.stdin.buffer:
    sys.stdout.buffer.write(orjson.dumps(orjson.loads(line)) + b"\\n")
"""
RUNS = 3
LAST = "9999-12-31"
"""The end of the reversal of a report that is missing."""
ENVIRONMENT = {**os.environ, "REFUSION_DEMO": "1"}


def simulated(folder: Path, citizens: int, months: str) -> Path:
    """Simulate a population's reports into a file, in the order of arrival."""
    path = folder / f"{citizens}-{months}.jsonl"
    with path.open("wb") as out:
        arguments = ["simulate", "--citizens", str(citizens), "--months", months, "--seed", "1"]
        subprocess.run([*PROGRAM, *arguments], stdout=out, check=True, env=ENVIRONMENT)
    return path


def ordered(path: Path) -> Path:
    """Write the same reports in the order of their content, each once, as if nothing came late.

    A payment or income is sorted by the end of its period, a case fact by its date, a reversal with
    the report that it reverses.
    """
    lines = [*dict.fromkeys(path.read_bytes().splitlines(keepends=True))]
    reports = [orjson.loads(line) for line in lines]
    ends = {
        (each["reporter"], each["report_id"]): each.get("period_end") or each.get("date")
        for each in reports
    }

    def end(report: dict[str, Any]) -> str:
        name = report["reporter"], report.get("reverses") or report["report_id"]
        return ends.get(name) or LAST

    out = path.with_suffix(".ordered")
    out.write_bytes(
        b"".join(
            line
            for _, line in sorted(zip(map(end, reports), lines, strict=True), key=itemgetter(0))
        )
    )
    return out


def chaotic(path: Path) -> Path:
    """Write the same reports in a random order."""
    lines = path.read_bytes().splitlines(keepends=True)
    random.Random(1).shuffle(lines)
    out = path.with_suffix(".chaotic")
    out.write_bytes(b"".join(lines))
    return out


def rate(path: Path, jobs: int) -> float:
    """Measure reports a second of a whole run, including its start: the median of some runs."""
    command = [*PROGRAM, "settle", "--jobs", str(jobs), str(path)]
    return median(_rate(path, command) for _ in range(RUNS))


def copy_rate(path: Path) -> float:
    """Measure lines a second of the peer: decode and encode each line, nothing else."""
    return _rate(path, [sys.executable, "-c", COPY])


def _rate(path: Path, command: list[str]) -> float:
    lines = path.read_bytes().count(b"\n")
    start = time.monotonic()
    with path.open("rb") as source:
        subprocess.run(
            command,
            stdin=source,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
            env=ENVIRONMENT,
        )
    return lines / (time.monotonic() - start)


def peak_memory_mb(path: Path) -> float:
    """Measure the peak resident memory of `settle` in one process."""
    code = "import sys, subprocess, resource; "
    code += "subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True); "
    code += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    command = [sys.executable, "-c", code, *PROGRAM, "settle", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=ENVIRONMENT)
    return int(done.stdout) / 1024


def figures(folder: Path, citizens: int) -> list[Figure]:
    """Measure the whole program as a user runs it."""
    reports = simulated(folder, 4_000, "2022-01..2023-12")
    inputs = {
        "ordered": ordered(reports),
        "as it arrives": reports,
        "chaotic": chaotic(reports),
    }
    peer = copy_rate(reports)
    rows = [("peer: decode and encode each line", f"{peer:,.0f}/s", "1.00")]
    for name, path in inputs.items():
        for jobs in (1, 2):
            per_second = rate(path, jobs)
            rows.append(
                (
                    f"settle, {name}, --jobs {jobs}",
                    f"{per_second:,.0f}/s",
                    f"{per_second / peer:.3f}",
                )
            )
    many = simulated(folder, citizens, "2023-01..2023-03")
    rows.append(
        (
            f"settle, peak memory at {citizens:,} citizens",
            f"{peak_memory_mb(many):.0f} MB",
            "",
        )
    )
    return rows
