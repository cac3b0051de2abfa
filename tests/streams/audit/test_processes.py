"""Work that a look over the topics shares out: what is told when it ends early."""

import asyncio
import gc
import threading

import pytest

from streams.audit.processes import run_tasks


def test_an_error_of_work_that_nobody_waits_for_any_more_is_not_logged_with_a_trace():
    told: list[object] = []
    stopped = threading.Event()

    def fails_late(_task: int) -> int:
        stopped.wait(30)
        raise ValueError("late")

    async def stop_early() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _loop, context: told.append(context))
        work = asyncio.ensure_future(run_tasks(fails_late, [1], 1, lambda _done, _total: None, 1))
        await asyncio.sleep(0.05)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        stopped.set()
        for _ in range(100):
            await asyncio.sleep(0.01)
        del work
        gc.collect()

    asyncio.run(stop_early())
    assert told == []
