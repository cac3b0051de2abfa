"""Proves that two systems posted the same, but for names, seals, ids and revisions: no CPR needed.

Each citizen's postings are made to a chain of digests of what they say without names, in their
order; so a citizen's whole series is one digest. The digests of both systems, taken as bags, must
be the same when those of the citizens are left out who were erased. The sums of each run differ by
what was erased and no more.
"""

from collections import Counter, defaultdict
from collections.abc import Container
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Final

import orjson

DIGEST_BYTES: Final = 16
NO_RUN: Final = 0
"""The number of rows that are in no closed run yet."""
Sums = dict[int, list[int]]
"""Refusion and medfinansiering in øre by run."""


@dataclass
class PostedSystem:
    """The postings of one system: a digest for each citizen, sums for each run."""

    citizens: Counter[bytes] = field(default_factory=Counter)
    sums: Sums = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    erased_sums: Sums = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    messages: int = 0


class PartitionReading:
    """Takes the postings of one partition in their order."""

    def __init__(self, system: PostedSystem, erased: Container[str] = ()) -> None:
        self._system = system
        self._erased = erased
        self._chains: dict[str, bytes] = {}
        self._open: list[tuple[bool, int, int]] = []

    def take(self, value: bytes) -> None:
        """Take a message."""
        message = orjson.loads(value)
        if message["type"] == "run":
            self._close(message["run"])
            return
        citizen = message["citizen"]
        is_erased = citizen in self._erased
        for row in message["rows"]:
            self._open.append((is_erased, row["refusion_ore"], row["medfinansiering_ore"]))
        if not is_erased:
            self._system.messages += 1
            before = self._chains.get(citizen, b"")
            said = before + without_names(message)
            self._chains[citizen] = blake2b(said, digest_size=DIGEST_BYTES).digest()

    def end(self) -> None:
        """End the partition: what is left is in no run yet."""
        self._close(NO_RUN)
        self._system.citizens.update(self._chains.values())

    def _close(self, run: int) -> None:
        for is_erased, refusion, medfinansiering in self._open:
            sums = self._system.erased_sums if is_erased else self._system.sums
            sums[run][0] += refusion
            sums[run][1] += medfinansiering
        self._open = []


def without_names(message: dict[str, Any]) -> bytes:
    """Return what a message says, without what follows from a citizen's name."""
    rows = [
        {**row, "id": None, "reverses": row.get("reverses") is not None} for row in message["rows"]
    ]
    names = {"citizen": None, "cpr_sealed": None, "revision": None}
    if "moved_to" in message:
        names["moved_to"] = None
    return orjson.dumps({**message, **names, "rows": rows}, option=orjson.OPT_SORT_KEYS)


def differences(old: PostedSystem, new: PostedSystem) -> list[str]:
    """Return a sentence for each thing that is not the same."""
    found = []
    lacking, more = old.citizens - new.citizens, new.citizens - old.citizens
    if lacking or more:
        found.append(
            f"the postings of {max(lacking.total(), more.total()):,} citizens are not the same"
        )
    for run in sorted(old.sums.keys() | new.sums.keys()):
        if (before := old.sums.get(run, [0, 0])) != (after := new.sums.get(run, [0, 0])):
            named = f"run {run}" if run != NO_RUN else "the open run"
            found.append(f"{named}: {before} øre without who was erased, and {after} now")
    return found
