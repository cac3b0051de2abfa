"""Processes that share a command's work, and end with it however it ends.

Each of them keeps its memory to itself, hears no signal of the terminal, and ends when the command
does, also where that is killed.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from typing import Any, Final, ParamSpec, TypeVar

from streams.kit.cores import cores
from streams.kit.errors import UserError
from streams.kit.logs import quiet_clients
from streams.kit.private_files import keep_memory_private

FEW_RECORDS: Final = 20_000
"""Records that one process has read before another one has started and imported what it needs."""

MOST_JOBS: Final = 4
"""Processes at a time, at most, where each has much in memory.

A partition's reports in a closing, a portion's rows in an export: a gigabyte of København's.
"""

LOOK_S: Final = 0.2
"""Seconds between two looks at whether all processes live."""

OF_A_TERMINAL: Final = (signal.SIGINT, signal.SIGHUP)
"""Signals that a terminal sends to all processes of a command at once."""

Given = ParamSpec("Given")
Result = TypeVar("Result")


def jobs_for(records: int) -> int:
    """Give the number of processes to read records: one for each core, or 1 for few records."""
    return 1 if records < FEW_RECORDS else cores()


class _SparedPool(ProcessPoolExecutor):
    """Hears signals of the terminal in the parent alone, which answers them and ends its processes.

    A process that heard one would tell of it with a trace. They are started when work is given.
    """

    def submit(
        self, call: Callable[Given, Result], /, *args: Given.args, **named: Given.kwargs
    ) -> Future[Result]:
        """Give work to the pool; a process that is started for it inherits the signal mask."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, OF_A_TERMINAL)
        try:
            return super().submit(call, *args, **named)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def pool_of(
    number: int,
    begin: Callable[..., None] | None = None,
    given: tuple[Any, ...] = (),
    method: str | None = "spawn",
) -> ProcessPoolExecutor:
    """Make a pool of processes that run `begin` first, which must not fail; whoever asks ends it.

    `method` is how they are started, None the system's usual way. The pool breaks as soon as
    somebody ends one of them.
    """
    pool = _SparedPool(number, get_context(method), _begin, (begin, given))
    _break_early(pool)
    return pool


def _begin(begin: Callable[..., None] | None, given: tuple[Any, ...]) -> None:
    """Begin a process: it has keys and CPR numbers, and is as quiet as the command."""
    keep_memory_private()
    threading.Thread(target=_end_with_parent, daemon=True, name="parent watch").start()
    quiet_clients()
    if begin is not None:
        begin(*given)


def _end_with_parent() -> None:
    """End this process when its parent does, however that ends.

    Nobody would take its work any more, but it would go on writing. The library would let it wait
    for ever: each process holds the end of the pipe open from which it waits for work.
    """
    parent = parent_process()
    assert parent is not None, "a pool has started this process"
    parent.join()
    os._exit(1)


def _break_early(pool: ProcessPoolExecutor) -> None:
    """Break a pool as soon as somebody ends one of its processes.

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
    """Keep processes for the length of a block; each runs `begin` first, as in `pool_of`.

    Where the block ends by an error, or because the command was stopped, their work is of no use
    any more: they are killed. Else the library would wait until all of it is done. Raises UserError
    where somebody else ended one of them.
    """
    pool = pool_of(number, begin, given)
    try:
        with told_of_the_end("what was asked for is not done: ask again, with fewer --jobs"):
            yield pool
    except BaseException:
        _kill(pool)
        pool.shutdown(cancel_futures=True)
        raise
    pool.shutdown()
