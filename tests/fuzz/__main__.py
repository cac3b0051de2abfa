"""Hunts with bad input: `python -m tests.fuzz [KIND ...] --count N --seed S`; finds are kept."""

import argparse
import logging
import sys
import time
import traceback
from hashlib import sha256

from tests.fuzz.every_kind import NAMES, kind_named
from tests.fuzz.kinds import CORPUS, Case, Kind, cases


def main() -> int:
    """Try so many cases of each kind; print a line for each, and keep a case of each find."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("kinds", nargs="*", default=NAMES)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    logging.disable(logging.CRITICAL)  # the stages say what they pass over, for each case
    finds = [hunt(kind_named(name), chosen.count, chosen.seed) for name in chosen.kinds]
    return min(sum(finds), 1)


def hunt(kind: Kind, count: int, seed: int) -> int:
    """Try cases of one kind; returns the number of different places where something went wrong."""
    found: dict[str, Case] = {}
    accepted, began = 0, time.process_time()
    for case in cases(kind, count, seed):
        try:
            accepted += kind.check(case)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what is hunted
            frame = traceback.extract_tb(error.__traceback__)[-1]
            found.setdefault(f"{type(error).__name__} at {frame.filename}:{frame.lineno}", case)
    used = time.process_time() - began
    sys.stdout.write(
        f"{kind.name}: {count:,} cases, {accepted:,} accepted, {len(found)} finds, {used:.0f} s\n"
    )
    for where, case in found.items():
        sys.stdout.write(f"  {where}: kept as {_kept(kind, case)}\n")
    sys.stdout.flush()
    return len(found)


def _kept(kind: Kind, case: Case) -> str:
    folder = CORPUS / kind.name
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{case.sample}--{sha256(case.content).hexdigest()[:10]}"
    (folder / name).write_bytes(case.content)
    return name


if __name__ == "__main__":
    sys.exit(main())
