"""Work beside the stage `projections` that is done once: where the first partition is worked on.

It runs in a task of its own, and nothing of the stage waits for it.
"""

import asyncio
from abc import ABC, abstractmethod


class FirstPartitionWork(ABC):
    """Work that begins and ends with the first partition of `postings`."""

    def __init__(self) -> None:
        self._work: asyncio.Task[None] | None = None
        self._tenure: object = None

    @abstractmethod
    def passed(self, last_run: int) -> None:
        """Note that entries of the first partition came, and its last closed run."""

    @abstractmethod
    async def _keep(self) -> None:
        """Do the work, for ever."""

    def start(self, tenure: object) -> None:
        """Begin; the first partition is ours, and this is who works at it now."""
        self._tenure = tenure
        if self._work is None or self._work.done():
            self._work = asyncio.create_task(self._keep())

    async def stop(self, tenure: object) -> None:
        """End: the first partition is another's now. What is under way is broken off.

        A tenure that ends when the next one of this process has begun already ends nothing.
        """
        if self._work is not None and tenure is self._tenure:
            work, self._work = self._work, None
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
