"""A night of faults: `python -m tests.cluster --faults 200 --seed 1`; a line for each fault."""

import argparse
import logging
import sys
import tempfile
import time
from pathlib import Path

from tests.cluster.run import run


def main() -> None:
    """Run, and print the figures at the end."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 100_000)
    parser.add_argument("--longest", type=float, default=40.0, help="Seconds of the longest fault.")
    parser.add_argument("--minutes", type=float, default=1e6, help="No fault begins later.")
    parser.add_argument("--no-disks", action="store_true", help="Mount no small disk.")
    chosen = parser.parse_args()
    logging.disable(logging.CRITICAL)  # clients tell what brokers do that are being killed
    folder = Path(tempfile.mkdtemp(prefix="refusion-night-"))
    _tell(f"seed {chosen.seed}, in {folder}")
    within_s, disks = 60 * chosen.minutes, not chosen.no_disks
    told = run(chosen.faults, chosen.seed, folder, chosen.longest, _tell, disks, within_s)
    _tell(told.sentence())


def _tell(line: str) -> None:
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
