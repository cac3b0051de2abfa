"""DuckDB as the marts have it: what becomes of a signal within a question."""

import subprocess
import sys

import pytest

PROGRAM = """
import os, signal, sys, threading
from streams.kit.stopping import Stopped, unwind_on_signals
from streams.lis.engine import Share, engine

unwind_on_signals()
try:
    with engine(Share(memory_mb=100, threads=1, at_once=1)) as connection:
        threading.Timer(0.3, os.kill, (os.getpid(), signal.Signals[sys.argv[1]])).start()
        connection.execute("SELECT sum(a.i * b.i) FROM range(100000) a(i), range(100000) b(i)")
except Stopped as stopped:
    sys.exit(stopped.status)
"""


@pytest.mark.parametrize(("name", "status"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_in_a_question_stops_the_program_and_is_no_defect(name, status):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, name], capture_output=True, check=False, timeout=120
    )
    assert (done.returncode, done.stderr) == (status, b"")
