"""A signal ends a program: its own words are the last that it says."""

import subprocess
import sys

import pytest

PROGRAM = """
import os, signal, sys
from streams.kit.stopping import Stopped, unwind_on_signals

async def interrupted():
    pass

def begun():
    try:
        yield
    finally:
        raise RuntimeError("There is no current event loop")

unwind_on_signals()
try:
    left_undone, half_done = interrupted(), begun()
    next(half_done)
    os.kill(os.getpid(), signal.Signals[sys.argv[1]])
except Stopped as stopped:
    print("stopped", file=sys.stderr)
    sys.exit(stopped.status)
"""


@pytest.mark.parametrize(("name", "status"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_what_a_signal_interrupts_is_not_told_as_a_mistake(name, status):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, name], capture_output=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (status, b"stopped\n")
