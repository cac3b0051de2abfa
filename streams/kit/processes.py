"""Processes that share a command's work, and end with it however it ends."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any, Final

from streams.kit.logs import quiet_clients

FEW_RECORDS: Final = 20_000
"""Records that one process has read before another one has started and imported what it needs."""


def jobs_for(records: int) -> int:
    """Give the number of processes to read records: one for each core, or 1 for few records."""
    return 1 if records < FEW_RECORDS else os.cpu_count() or 1


def _begin(begin: Callable[..., None] | None, given: tuple[Any, ...]) -> None:
    """Begin a process: its clients' logs are as quiet as those of the command."""
    quiet_clients()
    if begin is not None:
        begin(*given)


@contextmanager
def processes(
    number: int, begin: Callable[..., None] | None = None, given: tuple[Any, ...] = ()
) -> Iterator[ProcessPoolExecutor]:
    """Keep processes for the length of a block; each runs `begin` first.

    Where the block ends by an error, or because the command was stopped, their work is of no use
    any more: they are killed. Else the library would wait until all of it is done.
    """
    pool = ProcessPoolExecutor(number, get_context("spawn"), _begin, (begin, given))
    try:
        yield pool
    except BaseException:
        for process in list((pool._processes or {}).values()):  # noqa: SLF001 - until Python 3.14
            process.kill()
        pool.shutdown(cancel_futures=True)
        raise
    pool.shutdown()
