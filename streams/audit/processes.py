"""Does tasks in several processes, and tells now and then how many records they have read."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from multiprocessing.context import SpawnContext
from typing import TYPE_CHECKING, Final, TypeVar

from streams.kit.tuning import tune_garbage_collection

if TYPE_CHECKING:
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
    """Do the tasks in up to `jobs` processes; 1 is a thread of this one. Outcomes are in order."""
    context = get_context("spawn")
    number = context.Value("q", 0)
    working = asyncio.create_task(asyncio.to_thread(_work, function, tasks, jobs, context, number))
    while not working.done():
        await asyncio.wait([working], timeout=LOOK_S)
        progress(number.value, total)
    return working.result()


def _work(
    function: Callable[[Task], Outcome],
    tasks: Sequence[Task],
    jobs: int,
    context: SpawnContext,
    number: "Synchronized[int]",
) -> list[Outcome]:
    if jobs == 1:
        _records_read.begin(number)
        return [function(task) for task in tasks]
    with ProcessPoolExecutor(min(jobs, len(tasks)), context, _begin, (number,)) as pool:
        return list(pool.map(function, tasks))


def _begin(number: "Synchronized[int]") -> None:
    """Prepare a new process."""
    tune_garbage_collection()
    _records_read.begin(number)
