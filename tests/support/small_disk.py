"""A real file system of a few megabytes, for what must hold when a disk is full.

Root mounts it. For others the test runs again in a child process, in a user namespace where it may
mount (`unshare -Urm`). Where neither is to be had a test says so and is skipped; `.ci/run` sets
`REFUSION_TEST_ALL`, and then it fails.
"""

import functools
import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager

import pytest

CHILD_S = 1800.0


def _run(*command, **given):
    return subprocess.run(command, check=False, capture_output=True, text=True, **given)


def on_a_small_disk(test):
    """Run a test where `small_disk` may mount; a test of this kind has fixtures alone."""

    @functools.wraps(test)
    def run(**fixtures):
        if _may_mount(["unshare", "-m"]) and os.geteuid() == 0:
            test(**fixtures)
        elif _may_mount(["unshare", "-Urm"]):
            child = _in_a_namespace(os.environ["PYTEST_CURRENT_TEST"].rpartition(" ")[0])
            assert child.returncode == 0, child.stdout + child.stderr
        else:
            why = "a small file system can be mounted neither by us nor in a user namespace"
            if os.environ.get("REFUSION_TEST_ALL"):
                pytest.fail(why)
            pytest.skip(why)

    return run


def _in_a_namespace(name):
    """Run one test where it is root, with a temporary folder of its own.

    Without it pytest takes `/tmp/pytest-of-root`, which may be that of the machine's real root.
    """
    with tempfile.TemporaryDirectory() as folder:
        again = [sys.executable, "-m", "pytest", "-q", "-n", "0", f"--basetemp={folder}/t", name]
        return _run("unshare", "-Urm", *again, timeout=CHILD_S)


@functools.cache
def _tried(command):
    try:
        return _run(*command, "mount", "-t", "tmpfs", "tmpfs", "/mnt").returncode == 0
    except FileNotFoundError:
        return False


def _may_mount(namespace):
    """Tell if a mount succeeds in a namespace of its own, with which it goes away again."""
    return _tried(tuple(namespace))


class SmallDisk:
    """A mounted file system."""

    def __init__(self, folder):
        self.folder = folder

    def enlarge(self, size):
        """Make room, as an operator does."""
        done = _run("mount", "-o", f"remount,size={size}", str(self.folder))
        assert done.returncode == 0, done.stderr


@contextmanager
def small_disk(folder, size):
    """Mount a file system of a size, such as "3m", on a new folder for the length of a block."""
    folder.mkdir(parents=True)
    done = _run("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder))
    assert done.returncode == 0, done.stderr
    try:
        yield SmallDisk(folder)
    finally:
        _run("umount", "-l", str(folder))
