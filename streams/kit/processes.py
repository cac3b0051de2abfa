"""Processes that share a command's work, and end with it however it ends."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any, Final

from streams.kit.cores import cores
from streams.kit.errors import UserError
from streams.kit.logs import quiet_clients

FEW_RECORDS: Final = 20_000
"""Records that one process has read before another one has started and imported what it needs."""

MOST_JOBS: Final = 4
"""Processes at a time, at most, where each has much in memory.

A partition's reports in a closing, a portion's rows in an export: a gigabyte of København's.
"""

LOOK_S: Final = 0.2
"""Seconds between two looks at whether all processes live."""


def jobs_for(records: int) -> int:
    """Give the number of processes to read records: one for each core, or 1 for few records."""
    return 1 if records < FEW_RECORDS else cores()


def _begin(begin: Callable[..., None] | None, given: tuple[Any, ...]) -> None:
    """Begin a process: its clients' logs are as quiet as those of the command."""
    quiet_clients()
    if begin is not None:
        begin(*given)


def watched(pool: ProcessPoolExecutor) -> ProcessPoolExecutor:
    """Break a pool as soon as somebody ends one of its processes, and return it.

    The library waits for ever where a process is ended amid an answer: all of them, and we, hold
    the pipe's other end open, so the rest of the answer never comes and the pipe never ends.
    """
    answers, closing = pool._result_queue, threading.Lock()  # noqa: SLF001 - no other way
    close = answers.close

    def close_alone() -> None:
        """Close the pipe when nobody else does: a number that is closed twice is another file's."""
        with closing:
            close()

    answers.close = close_alone  # type: ignore[method-assign]

    def break_it() -> None:
        _kill(pool)
        with closing:
            answers._writer.close()  # type: ignore[attr-defined]  # noqa: SLF001

    threading.Thread(target=_watch, args=(pool, break_it), daemon=True, name="pool watch").start()
    return pool


def _watch(pool: ProcessPoolExecutor, break_it: Callable[[], None]) -> None:
    while (living := pool._processes) is not None:  # noqa: SLF001 - None after the shutdown
        if any(process.exitcode for process in list(living.values())):
            break_it()
            return
        time.sleep(LOOK_S)


@contextmanager
def told_of_the_end(advice: str) -> Iterator[None]:
    """Raise UserError, with what to do, where a process is ended that the block waits for."""
    try:
        yield
    except BrokenExecutor:
        raise UserError(
            f"one of the processes was ended from outside, perhaps for want of memory; {advice}"
        ) from None


def _kill(pool: ProcessPoolExecutor) -> None:
    for process in list((pool._processes or {}).values()):  # noqa: SLF001 - until Python 3.14
        process.kill()


@contextmanager
def processes(
    number: int, begin: Callable[..., None] | None = None, given: tuple[Any, ...] = ()
) -> Iterator[ProcessPoolExecutor]:
    """Keep processes for the length of a block; each runs `begin` first, which must not fail.

    Where the block ends by an error, or because the command was stopped, their work is of no use
    any more: they are killed. Else the library would wait until all of it is done. Raises UserError
    where somebody else ended one of them.
    """
    pool = watched(ProcessPoolExecutor(number, get_context("spawn"), _begin, (begin, given)))
    try:
        with told_of_the_end("what was asked for is not done: ask again, with fewer --jobs"):
            yield pool
    except BaseException:
        _kill(pool)
        pool.shutdown(cancel_futures=True)
        raise
    pool.shutdown()
