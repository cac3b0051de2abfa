"""Bounds how long a reading of a citizen's reports may take, for those who wait for it."""

import asyncio
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from streams.explain.placed import LiveError

Read = TypeVar("Read")


class LateError(LiveError):
    """The reports were not read in time; what is read the next time is less."""


@dataclass(frozen=True, slots=True)
class Patience:
    """The moment of the monotonic clock at which a reading is given up; None: never."""

    until: float | None = None

    def run(self, work: Coroutine[Any, Any, Read]) -> Read:
        """Run work to its end. Raises LateError at the moment, after the work has tidied up."""
        left = None if self.until is None else max(0.0, self.until - time.monotonic())
        try:
            return asyncio.run(_within(left, work))
        except TimeoutError as error:
            raise LateError(
                "the reports could not be read in time; try again, and what was read is kept"
            ) from error


async def _within(seconds: float | None, work: Coroutine[Any, Any, Read]) -> Read:
    async with asyncio.timeout(seconds):
        return await work


ENDLESS: Final = Patience()
