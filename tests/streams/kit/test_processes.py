"""The processes of a command are as the machine and its terminal see them."""

import ctypes
import os
import resource
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from streams.kit.processes import pool_of, processes
from tests.support.places import ROOT
from tests.support.processes import gone

CHILD_S = 120.0
PR_GET_DUMPABLE = 3
COMMAND = """
import os, time
from streams.kit.processes import processes
from streams.kit.stopping import Stopped, unwind_on_signals
unwind_on_signals()
try:
    with processes(2) as pool:
        working = [pool.submit(time.sleep, 1000) for _ in range(2)]
        while not all(each.running() for each in working):
            time.sleep(0.01)
        print(*pool._processes, flush=True)
        working[0].result()
except Stopped as stopped:
    print("stopped", flush=True)
    raise SystemExit(stopped.status)
"""


@contextmanager
def command():
    """Start a command that has two processes; yields it and the numbers of these."""
    with subprocess.Popen(
        [sys.executable, "-c", COMMAND],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as running:
        assert running.stdout is not None
        yield running, [int(number) for number in running.stdout.readline().split()]


def test_a_command_that_is_killed_leaves_no_process():
    with command() as (running, children):
        assert len(children) == 2
        running.kill()
        assert gone(*children)


@pytest.mark.parametrize("begun", [0.0, 2.0], ids=["while they start", "at work"])
def test_a_signal_of_the_terminal_is_answered_by_the_command_alone(begun):
    """The processes tell of none with a trace, also where they have not come to their work yet."""
    with command() as (running, children):
        time.sleep(begun)
        asked = time.monotonic()
        os.killpg(running.pid, signal.SIGINT)
        said, complaints = running.communicate(timeout=CHILD_S)
        assert (running.returncode, said, complaints) == (128 + signal.SIGINT, "stopped\n", "")
        assert time.monotonic() - asked < CHILD_S / 2
        assert gone(*children)


def closed_to_others():
    """Tell if nobody reads this process's memory: neither from outside nor in a core dump."""
    dumpable = ctypes.CDLL(None).prctl(PR_GET_DUMPABLE, 0, 0, 0, 0)
    return dumpable == 0 and resource.getrlimit(resource.RLIMIT_CORE)[0] == 0


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone closes a process's memory")
@pytest.mark.parametrize("method", ["spawn", None])
def test_a_process_keeps_its_memory_to_itself(method):
    """The memory has the keys that it was given, and CPR numbers."""
    with pool_of(1, method=method) as pool:
        assert pool.submit(closed_to_others).result(CHILD_S)
    with processes(1) as pool:
        assert pool.submit(closed_to_others).result(CHILD_S)
