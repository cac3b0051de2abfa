"""`refusion-sim SEED… [NAME=VALUE…]`, or `python -m tests.simulation`, runs seeds of the world.

A seed is a number or a range A-B. `NAME=VALUE` changes what a seed draws (`citizens=3`,
`without=kill,outage`, `pause_s=0.2`). The first failure is shrunk, its trace is written to a file,
and a line tells how to run it again.
"""

import argparse
import re
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from tests.simulation.defects import PLANTS
from tests.simulation.plan import changed, plan_of, read_words, words_of
from tests.simulation.run import run_plan
from tests.simulation.shrink import shrunk

TRACES = Path("build")


def main(arguments: list[str]) -> int:
    """Run the seeds that are named; return 1 if one of them failed."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        seeds, changes = _read(options.what)
    except ValueError as error:
        parser.error(str(error))
    began, total = time.monotonic(), Figures()
    status = 0
    for seed in seeds:
        if options.until and f"{datetime.now(UTC):%H:%M}" >= options.until:
            break
        plan = changed(plan_of(seed), changes)
        outcome = run_plan(plan, options.plant, is_fine=options.trace)
        total.add(outcome)
        if options.trace:
            sys.stdout.write("\n".join(outcome.events) + "\n")
        if outcome.failure:
            status = 1
            if options.go_on:
                sys.stdout.write(f"seed {seed}: {outcome.failure[:300]}\n")
                continue
            _tell(seed, changes, outcome, options.plant)
            break
        if total.seeds % 50 == 0:
            sys.stderr.write(f"{total.words(time.monotonic() - began)}\n")
    sys.stdout.write(f"{total.words(time.monotonic() - began)}\n{total.kinds()}\n")
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="refusion-sim", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("what", nargs="+", metavar="SEED | NAME=VALUE")
    parser.add_argument("--trace", action="store_true", help="write what happens to stdout")
    parser.add_argument("--go-on", action="store_true", help="do not end at the first failure")
    parser.add_argument(
        "--plant", default="", metavar="NAME", choices=PLANTS, help="plant a defect"
    )
    parser.add_argument("--until", default="", metavar="HH:MM", help="begin no seed after it (UTC)")
    return parser


def _read(what):
    """Read seeds and changes. Raises ValueError with a sentence for what is neither."""
    seeds = []
    for each in [each for each in what if "=" not in each]:
        found = re.fullmatch(r"(\d+)(?:-(\d+))?", each)
        if not found:
            raise ValueError(f"{each} is no seed: a number, or a range like 10-20")
        first, last = found.groups()
        seeds.append(range(int(first), int(last or first) + 1))
    if not seeds:
        raise ValueError("no seed is named: a number, or a range like 10-20")
    changes = read_words(each for each in what if "=" in each)
    changed(plan_of(seeds[0].start), changes)
    return [seed for each in seeds for seed in each], changes


def _tell(seed, changes, outcome, plant) -> None:
    """Shrink a failure; tell it, its trace and how to run it again."""
    sys.stdout.write(f"seed {seed}: {outcome.failure[:600]}\nshrinking it\n")
    smaller, found = shrunk(seed, changes, plant, outcome.failure)
    outcome = found or outcome
    TRACES.mkdir(exist_ok=True)
    trace = TRACES / f"seed-{seed}.txt"
    trace.write_text("\n".join([*outcome.events, outcome.failure, ""]), encoding="utf-8")
    planted = f" --plant {plant}" if plant else ""
    sys.stdout.write("\n".join([*outcome.events[-40:], outcome.failure[:600], f"trace: {trace}"]))
    sys.stdout.write(f"\nagain: refusion-sim {seed} {words_of(smaller)}{planted}\n")


class Figures:
    """Adds up what was run."""

    def __init__(self) -> None:
        self.seeds, self.simulated_s, self.postings = 0, 0.0, 0
        self.faults: Counter[str] = Counter()

    def add(self, outcome) -> None:
        """Add a seed."""
        self.seeds += 1
        self.simulated_s += outcome.simulated_s
        self.postings += outcome.postings
        self.faults += outcome.faults

    def words(self, seconds) -> str:
        """Say them."""
        minutes = max(seconds, 0.1) / 60
        return (
            f"{self.seeds} seeds, {self.faults.total()} faults, {self.simulated_s / 60:.0f}"
            f" simulated minutes, {self.postings} postings in {minutes:.1f} minutes:"
            f" {self.seeds / minutes:.0f} seeds and {self.simulated_s / 60 / minutes:.0f} simulated"
            " minutes a minute"
        )

    def kinds(self) -> str:
        """Say the faults by their kinds."""
        return ", ".join(f"{kind} {number}" for kind, number in self.faults.most_common())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
