"""Shares a process out between its partition runs: memory for batches, and turns at the processor.

Step 3 holds the event loop, a second at most (`streams.engine.pace`). The loop goes through all
that is ready before it looks at its clocks, so the steps 3 of several partitions in a row would
hold it for longer than half a session: no heartbeat is sent meanwhile, and the process must take
its partitions for lost. So there is a round of the loop between any two of them.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Budget:
    """The share of some stages: so many batches at a time. Turns are those of all stages."""

    def __init__(self, batches: int, turns: asyncio.Lock | None = None) -> None:
        self.batches = asyncio.Semaphore(batches)
        self._turns = turns or asyncio.Lock()

    def beside(self, batches: int) -> "Budget":
        """Make the share of other stages of the same process."""
        return Budget(batches, self._turns)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn at the processor, which comes after a round of the event loop."""
        async with self._turns:
            await asyncio.sleep(0)
            yield
