"""Writes the ledger for all partitions of a process: what waits is committed together.

Everything that touches the table runs in one thread, so that the event loop of the other stages
goes on meanwhile. An object store that does not answer holds that thread, and not the end of the
process.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, TypeVar

from projections.ledger.entries import LedgerProgress
from streams.kit.threads import DaemonThread
from streams.ledger.table import Append, LedgerError, LedgerTable

COMMIT_EVERY_S: Final = 2.0
"""Time between two commits of the table.

Each commit makes a file for each partition, and readers of a ledger do not count seconds."""
FULL_ROWS: Final = 10_000
"""This many waiting rows are committed at once: a ledger that is made from the start is made at
full speed."""

Result = TypeVar("Result")
_Waiting = tuple[Append, "asyncio.Future[None]"]


class LedgerWriter:
    """Commits the appends of all partitions of this process."""

    def __init__(self, uri: str, topic: str, partitions: int) -> None:
        self._make: Callable[[str], LedgerTable] = lambda identity: LedgerTable.make(
            uri, topic, identity, partitions
        )
        self._table: LedgerTable | None = None
        self._thread = DaemonThread("ledger")
        self._waiting: list[_Waiting] = []
        self._is_full = asyncio.Event()
        self._committed_at = -COMMIT_EVERY_S
        self._committing: asyncio.Task[None] | None = None

    async def progress(self, partition: int, identity: str) -> LedgerProgress:
        """Return how far a partition is in the ledger; makes the ledger if there is none."""
        return await self._in_thread(lambda: self._opened(identity).progress(partition))

    async def position(self, partition: int) -> int:
        """The next offset of a partition, 0 in a new ledger. Asked after `progress`."""
        return await self._in_thread(lambda: self._at_hand().position(partition))

    def _opened(self, identity: str) -> LedgerTable:
        if self._table is None:
            self._table = self._make(identity)
        self._table.check(identity)
        return self._table

    def _at_hand(self) -> LedgerTable:
        if self._table is None:
            raise LedgerError("the ledger was closed after a failure")
        return self._table

    async def write(self, append: Append) -> None:
        """Commit an append, with what else comes within `COMMIT_EVERY_S` of the last commit."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((append, future))
        if sum(waiting.entries.num_rows for waiting, _ in self._waiting) >= FULL_ROWS:
            self._is_full.set()
        if self._committing is None or self._committing.done():
            self._committing = asyncio.create_task(self._commit_all())
        await future

    async def _commit_all(self) -> None:
        """Commit until nothing waits."""
        loop = asyncio.get_running_loop()
        while self._waiting:
            with suppress(TimeoutError):
                await asyncio.wait_for(
                    self._is_full.wait(),
                    max(0.0, self._committed_at + COMMIT_EVERY_S - loop.time()),
                )
            self._is_full.clear()
            self._committed_at = loop.time()
            taken, self._waiting = self._waiting, []
            # The future of a cancelled write is done already: nobody waits for it.
            await self._commit([waiting for waiting in taken if not waiting[1].done()])

    async def _commit(self, taken: Sequence[_Waiting]) -> None:
        """Make one commit. If it fails every writer hears so, and the table is opened anew."""
        appends = [append for append, _ in taken]
        try:
            await self._in_thread(lambda: self._at_hand().append(appends))
        except Exception as error:  # noqa: BLE001 - handed on to those who wait
            self._table = None
            _answer(taken, error)
        else:
            _answer(taken, None)
            with suppress(Exception):  # nobody waits for it, and the next commit tries again
                await self._in_thread(
                    lambda: self._at_hand().keep_house([append.partition for append in appends])
                )
            with suppress(Exception):  # entries in another order are right too
                await self._in_thread(lambda: self._at_hand().sort_closed(appends))

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _answer(waiting: Sequence[_Waiting], error: Exception | None) -> None:
    for _, future in waiting:
        if future.done():
            continue
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)
