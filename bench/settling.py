"""`refusion settle` as a user runs it: reports a second and memory, beside a peer that only copies JSON."""

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

PROGRAM = [sys.executable, "-c", "from streams.cli.main import main; main()"]
COPY = """
import sys, orjson
for line in sys.stdin.buffer:
    sys.stdout.buffer.write(orjson.dumps(orjson.loads(line)) + b"\\n")
"""
RUNS = 3
LAST = "9999-12-31"
"""For the reversal of a report that is not there."""
ENVIRONMENT = {**os.environ, "REFUSION_DEMO": "1"}


def simulated(folder: Path, citizens: int, months: str) -> Path:
    """A population's reports in a file, in the order of arrival."""
    path = folder / f"{citizens}-{months}.jsonl"
    with path.open("wb") as out:
        arguments = ["simulate", "--citizens", str(citizens), "--months", months, "--seed", "1"]
        subprocess.run([*PROGRAM, *arguments], stdout=out, check=True, env=ENVIRONMENT)
    return path


def ordered(path: Path) -> Path:
    """The same reports as if nothing came late, and each once: sorted by the end of what they are about.

    A payment or income by its period, a case fact by its date, a reversal with the report that it
    reverses.
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
    """The same reports in a random order."""
    lines = path.read_bytes().splitlines(keepends=True)
    random.Random(1).shuffle(lines)
    out = path.with_suffix(".chaotic")
    out.write_bytes(b"".join(lines))
    return out


def rate(path: Path, jobs: int) -> float:
    """Reports a second of a whole run, start included: the median of some."""
    command = [*PROGRAM, "settle", "--jobs", str(jobs), str(path)]
    return median(_rate(path, command) for _ in range(RUNS))


def copy_rate(path: Path) -> float:
    """Lines a second of the peer: decode and encode each line, nothing else."""
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
    """The peak resident memory of a settling in one process."""
    code = "import sys, subprocess, resource; subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True); "
    code += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    command = [sys.executable, "-c", code, *PROGRAM, "settle", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=ENVIRONMENT)
    return int(done.stdout) / 1024
