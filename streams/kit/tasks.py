"""Does tasks in several processes, and tells now and then how many records they have read."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from multiprocessing import get_context
from typing import TYPE_CHECKING, Final, TypeVar

from streams.kit.processes import processes
from streams.kit.threads import DaemonThreads
from streams.kit.tuning import tune_garbage_collection

if TYPE_CHECKING:
    from concurrent.futures import Executor
    from multiprocessing.sharedctypes import Synchronized

LOOK_S: Final = 0.2
"""Seconds between two looks at the progress."""

Task = TypeVar("Task")
Outcome = TypeVar("Outcome")
ToldProgress = Callable[[int, int], None]
"""Told how many records were read, of how many."""


class _SharedCount:
    """Records that all processes together have read."""

    def __init__(self) -> None:
        self._number: Synchronized[int] | None = None

    def begin(self, number: "Synchronized[int]") -> None:
        """Take the number that the processes share."""
        self._number = number

    def add(self, records: int) -> None:
        """Count further records."""
        assert self._number is not None, "a process begins with it"
        with self._number.get_lock():
            self._number.value += records


_records_read = _SharedCount()
count_read = _records_read.add
"""Told by a task, in whatever process, how many further records it has read."""


async def run_tasks(
    function: Callable[[Task], Outcome],
    tasks: Sequence[Task],
    jobs: int,
    progress: ToldProgress,
    total: int,
) -> list[Outcome]:
    """Do the tasks in up to `jobs` processes; 1 is a thread of this one. Outcomes are in order.

    Where it is stopped early, nobody waits for what the others are doing.
    """
    number = get_context("spawn").Value("q", 0)
    with ExitStack() as stack:
        if jobs == 1:
            _records_read.begin(number)
            calls: list[Callable[[], list[Outcome]]] = [lambda: [function(task) for task in tasks]]
            executor: Executor = DaemonThreads()
        else:
            calls = [partial(_alone, function, task) for task in tasks]
            executor = stack.enter_context(processes(min(jobs, len(tasks)), _begin, (number,)))
        loop = asyncio.get_running_loop()
        working = asyncio.gather(*(loop.run_in_executor(executor, call) for call in calls))
        working.add_done_callback(_take_its_error)
        while not working.done():
            await asyncio.wait([working], timeout=LOOK_S)
            progress(number.value, total)
        return [outcome for outcomes in working.result() for outcome in outcomes]


def _take_its_error(working: "asyncio.Future[list[list[Outcome]]]") -> None:
    """Take the error of work that nobody waits for any more, or asyncio logs it with a trace."""
    if not working.cancelled():
        working.exception()


def _alone(function: Callable[[Task], Outcome], task: Task) -> list[Outcome]:
    return [function(task)]


def _begin(number: "Synchronized[int]") -> None:
    """Prepare a new process."""
    tune_garbage_collection()
    _records_read.begin(number)
