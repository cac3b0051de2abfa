"""`python -m tests.simulation SEED… [NAME=VALUE…]` runs seeds; `make hunt` calls it.

A seed is a number or a range A-B. `NAME=VALUE` changes what a seed draws (`citizens=3`,
`without=kill,outage`, `pause_s=0.2`). The first failure is shrunk, its trace is written to a file,
and a line tells how to run it again. Options:

    --trace        write the trace of everything to standard output
    --go-on        do not end at the first failure
    --plant NAME   plant a defect of `defects.py` before
    --until HH:MM  begin no seed after this time of the clock (UTC)
"""

import sys
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from tests.simulation.plan import changed, plan_of, read_words, words_of
from tests.simulation.run import run_plan
from tests.simulation.shrink import shrunk

TRACES = Path("build")


def main(arguments: list[str]) -> int:
    """Run the seeds that are named; return 1 if one of them failed."""
    options, words, seeds = _read(arguments)
    changes = read_words(words)
    began, total = time.monotonic(), Figures()
    status = 0
    for seed in seeds:
        if options["--until"] and f"{datetime.now(UTC):%H:%M}" >= options["--until"]:
            break
        plan = changed(plan_of(seed), changes)
        outcome = run_plan(plan, options["--plant"], is_fine=bool(options["--trace"]))
        total.add(outcome)
        if options["--trace"]:
            sys.stdout.write("\n".join(outcome.events) + "\n")
        if outcome.failure:
            status = 1
            if options["--go-on"]:
                sys.stdout.write(f"seed {seed}: {outcome.failure[:300]}\n")
                continue
            _tell(seed, changes, outcome, options["--plant"])
            break
        if total.seeds % 50 == 0:
            sys.stderr.write(f"{total.words(time.monotonic() - began)}\n")
    sys.stdout.write(f"{total.words(time.monotonic() - began)}\n{total.kinds()}\n")
    return status


def _read(arguments):
    options = {"--trace": "", "--go-on": "", "--plant": "", "--until": ""}
    words, seeds = [], []
    given = iter(arguments)
    for argument in given:
        if argument in ("--plant", "--until"):
            options[argument] = next(given, "")
        elif argument in options:
            options[argument] = "yes"
        elif "=" in argument:
            words.append(argument)
        else:
            first, _, last = argument.partition("-")
            seeds.append(range(int(first), int(last or first) + 1))
    return options, words, (seed for each in seeds for seed in each)


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
    sys.stdout.write(f"\nagain: python -m tests.simulation {seed} {words_of(smaller)}{planted}\n")


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
