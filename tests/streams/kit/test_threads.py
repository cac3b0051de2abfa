"""Threads and processes beside a program do not outlive it, and do not hold it."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures.process import BrokenProcessPool
from io import BytesIO
from multiprocessing.connection import Connection

import pytest

from streams.kit.errors import UserError
from streams.kit.processes import processes
from streams.kit.tasks import run_tasks
from streams.kit.threads import DaemonThread, DaemonThreads
from streams.simulation import arrival
from streams.simulation.options import SimulationOptions
from tests.support.places import ROOT
from tests.support.silent_peers import peer, silent

LONG_S = 1_000
CHILD_S = 60.0

HANGING = """
import sys, time
from streams.kit.threads import {kind}, leave
{executor}.submit(time.sleep, 1000)
time.sleep(0.2)
print("written")
leave(7)
"""
LEDGER = """
import asyncio, sys
from streams.kit.threads import leave
from streams.ledger.writer import LedgerWriter
async def work():
    writer = LedgerWriter("s3://bucket/ledger", "postings", 4)
    await asyncio.wait_for(writer.progress(0, "x"), 1)
try:
    asyncio.run(work())
except TimeoutError:
    print("written")
leave(7)
"""


@pytest.mark.parametrize(
    ("kind", "executor"),
    [("DaemonThreads", "DaemonThreads()"), ("DaemonThread", "DaemonThread('x')")],
)
def test_a_call_that_hangs_holds_no_process_and_its_status_is_kept(kind, executor):
    program = HANGING.format(kind=kind, executor=executor)
    assert ended(program) == (7, "written\n")


def test_an_object_store_that_is_silent_holds_no_worker():
    with peer(silent) as port:
        given = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y", "AWS_REGION": "eu-north-1",
        }  # fmt: skip
        assert ended(LEDGER, **given) == (7, "written\n")


def ended(program, **given):
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT, env=given, timeout=CHILD_S, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout


def test_calls_in_one_thread_come_one_after_the_other_and_their_errors_back():
    thread, gate, seen = DaemonThread("x"), threading.Event(), list[int]()
    thread.submit(gate.wait, CHILD_S)
    thread.submit(seen.append, 1)
    failing = thread.submit(divmod, 1, 0)
    last = thread.submit(seen.append, 2)
    assert seen == []
    gate.set()
    with pytest.raises(ZeroDivisionError):
        failing.result(CHILD_S)
    last.result(CHILD_S)
    assert seen == [1, 2]


def test_a_call_that_is_cancelled_before_its_turn_is_not_made():
    thread, gate, seen = DaemonThread("x"), threading.Event(), list[str]()
    first = thread.submit(gate.wait, CHILD_S)
    second = thread.submit(seen.append, "cancelled")
    assert second.cancel()
    gate.set()
    assert first.result(CHILD_S)
    thread.submit(seen.append, "next").result(CHILD_S)
    assert seen == ["next"]


def test_threads_of_their_own_do_not_wait_for_each_other():
    threads, gate = DaemonThreads(), threading.Event()
    first = threads.submit(gate.wait, CHILD_S)
    threads.submit(gate.set).result(CHILD_S)
    assert first.result(CHILD_S)


def interrupted():
    with processes(1) as pool:
        pool.submit(time.sleep, LONG_S)
        raise KeyboardInterrupt


def test_processes_end_with_the_command_that_is_stopped():
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert time.monotonic() - began < CHILD_S


def die_amid_the_answer():
    def half(connection, answer):
        os.write(connection.fileno(), answer[: len(answer) // 2])
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(Connection, "_send", half)  # noqa: B010 - no name that the types know
    return b"x" * 1_000_000


@pytest.mark.parametrize("others", [0, 1])
def test_a_process_that_is_killed_amid_its_answer_holds_nobody(others):
    with processes(1 + others) as pool:
        given = [pool.submit(time.sleep, LONG_S) for _ in range(others)]
        given.append(pool.submit(die_amid_the_answer))
        errors = [type(each.exception(CHILD_S)) for each in given]
    assert errors == [BrokenProcessPool] * (1 + others)


def be_killed(_task):
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_command_whose_process_is_killed_says_so_in_a_sentence():
    with pytest.raises(
        UserError, match=r"ended from outside, perhaps for want of memory; .*--jobs"
    ):
        asyncio.run(run_tasks(be_killed, [1, 2], 2, lambda *_: None, 0))


def test_so_does_a_population_that_is_made_by_several(monkeypatch):
    monkeypatch.setattr(arrival, "_spill", be_killed)
    options = SimulationOptions(8, 24276, 24277, seed=1, jobs=2)
    with pytest.raises(UserError, match=r"ended from outside, .*not whole: simulate it again"):
        arrival.simulate(options, BytesIO())


def test_the_pipe_of_a_pool_that_breaks_is_closed_once(monkeypatch):
    """The library closes it too, while the look at the pool is not done with that yet."""

    answers = []

    def slowly(connection):
        os.close(connection.fileno())
        time.sleep(1.0 if connection in answers else 0)

    monkeypatch.setattr(Connection, "_close", slowly)
    with processes(1) as pool:
        answers.append(pool._result_queue._writer)  # type: ignore[attr-defined]
        error = pool.submit(die_amid_the_answer).exception(CHILD_S)
    assert isinstance(error, BrokenProcessPool)


RELEASED = threading.Event()


def wait(_task):
    RELEASED.wait(LONG_S)


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_audit_that_is_stopped_waits_for_none_of_its_tasks(jobs):
    async def stopped():
        await asyncio.wait_for(run_tasks(wait, [1, 2], jobs, lambda *_: None, 0), 0.5)

    began = time.monotonic()
    with pytest.raises(TimeoutError):
        asyncio.run(stopped())
    assert time.monotonic() - began < CHILD_S
    RELEASED.set()  # no thread of ours is left in the process of the tests
