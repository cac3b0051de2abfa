"""The threads of a site share a few heaps, where the C library is glibc."""

import platform
import subprocess
import sys

import pytest

from streams.kit.tuning import FEW_HEAPS

THREADS = """
import ctypes, sys, threading
from streams.kit.tuning import share_heaps
if sys.argv[1] == "shared":
    share_heaps()
all_here = threading.Barrier(8)
def work():
    held = bytearray(50_000)
    all_here.wait()
threads = [threading.Thread(target=work) for _ in range(8)]
for each in threads: each.start()
for each in threads: each.join()
ctypes.CDLL(None).malloc_stats()
"""


def heaps(how):
    """Count the heaps of a process with eight threads."""
    done = subprocess.run(
        [sys.executable, "-c", THREADS, how], check=True, capture_output=True, text=True
    )
    return done.stderr.count("Arena ")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_threads_share_heaps():
    assert heaps("own") > FEW_HEAPS
    assert heaps("shared") == FEW_HEAPS
