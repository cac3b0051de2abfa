"""A long measurement in several sittings: what is done and measured is kept in its folder.

    sitting = Sitting(folder, minutes=90)
    await sitting.step("2023-01", settle_the_month)   # does nothing if an earlier sitting did it

A step that was ended in its middle cannot be measured any more: the folder is refused then.
"""

import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import orjson

from bench.rig import BenchError, Figure, Spent

KEPT: Final = "progress.json"
MINUTE_S: Final = 60.0


class OutOfTimeError(Exception):
    """No time is left for another step; a later sitting goes on."""


class Sitting:
    """Does the steps of a measurement that no earlier sitting has done, as long as there is time.

    No step begins when `minutes` have passed.
    """

    def __init__(self, folder: Path, minutes: float) -> None:
        self._path = folder / KEPT
        self._until = time.monotonic() + minutes * MINUTE_S
        kept: dict[str, Any] = orjson.loads(self._path.read_bytes()) if self._path.exists() else {}
        if kept.get("begun"):
            raise BenchError(
                f"the measurement was ended amid its step {kept['begun']}: remove {folder}, and"
                " begin anew"
            )
        self._done: list[str] = kept.get("done", [])
        self.figures: list[Figure] = [tuple(row) for row in kept.get("figures", [])]
        self.reports: int = kept.get("reports", 0)
        self.spent = Spent(*kept.get("spent", (0.0, 0.0)))
        """All that was added."""

    def has_done(self, step: str) -> bool:
        """True if a step was done, in this sitting or an earlier one."""
        return step in self._done

    async def step(self, name: str, act: Callable[[], Awaitable[None]]) -> None:
        """Do a step that was not done yet. Raises OutOfTimeError where there is no time for it."""
        if self.has_done(name):
            return
        if time.monotonic() > self._until:
            raise OutOfTimeError
        self._keep(name)
        await act()
        self._done.append(name)
        self._keep("")

    def add(self, spent: Spent) -> None:
        """Add what a part of the measurement has taken to the sum."""
        self.spent = Spent(self.spent.clock_s + spent.clock_s, self.spent.cpu_s + spent.cpu_s)

    def _keep(self, begun: str) -> None:
        kept = {
            "begun": begun,
            "done": self._done,
            "figures": self.figures,
            "reports": self.reports,
            "spent": tuple(self.spent),
        }
        self._path.write_bytes(orjson.dumps(kept))
