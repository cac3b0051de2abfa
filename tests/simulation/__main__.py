"""`python -m tests.simulation SEED…` runs seeds; `A-B` is a range. The first failure ends it."""

import sys
import time

from tests.simulation.run import run_seed


def main() -> None:
    """Run the seeds that are named."""
    began, faults, simulated_s, seeds, postings = time.monotonic(), 0, 0.0, 0, 0
    for argument in sys.argv[1:]:
        first, _, last = argument.partition("-")
        for seed in range(int(first), int(last or first) + 1):
            outcome = run_seed(seed)
            seeds += 1
            faults += outcome.faults
            simulated_s += outcome.simulated_s
            postings += outcome.postings
            if outcome.failure:
                sys.stdout.write("\n".join(outcome.events[-60:]) + "\n")
                sys.stdout.write(f"{outcome.failure}\nagain: python -m tests.simulation {seed}\n")
                sys.exit(1)
    minutes = (time.monotonic() - began) / 60
    sys.stdout.write(
        f"{seeds} seeds, {faults} faults, {simulated_s / 60:.0f} simulated minutes, {postings}"
        f" postings in {minutes:.1f} minutes: {seeds / minutes:.0f} seeds a minute\n"
    )


if __name__ == "__main__":
    main()
