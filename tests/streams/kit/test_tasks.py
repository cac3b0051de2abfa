"""Work that a look over the topics shares out: what is told when it ends early."""

import asyncio
import gc
import threading

import pytest

from streams.audit.verify import VerifyRequest, _jobs
from streams.kit.cores import cores
from streams.kit.processes import FEW_RECORDS, jobs_for
from streams.kit.tasks import run_tasks


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


def test_few_records_wait_for_no_other_process():
    assert jobs_for(FEW_RECORDS - 1) == 1
    assert jobs_for(FEW_RECORDS) == cores()
    deep = VerifyRequest(sample_percent=10, jobs=0)
    assert _jobs(deep, FEW_RECORDS - 1) == cores()
    assert [_jobs(VerifyRequest(jobs=jobs), 1) for jobs in (0, 3)] == [1, 3]
