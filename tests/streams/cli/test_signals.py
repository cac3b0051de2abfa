"""The program is stopped, or killed: it leaves neither folders nor processes."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.streams.cli.test_cli import DEMO, PROGRAM, many_payments
from tests.support.processes import children_of, gone

SETTLE_ALONE, SETTLE = ["settle", "--jobs", "1"], ["settle", "--jobs", "2"]
SIMULATE_LONG = [
    "simulate",
    "--citizens",
    "200000",
    "--months",
    "2020-01..2024-12",
    "--seed",
    "1",
    "--jobs",
    "2",
]


def is_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def at_work(temporary: Path, arguments: list[str]) -> bool:
    """Tell if each process has a file of its own below the temporary folder."""
    pattern = "*/*/CURRENT" if "settle" in arguments else "*/*-*"
    return len(list(temporary.glob(pattern))) >= int(arguments[-1])


def working(temporary: Path, arguments: list[str]) -> subprocess.Popen[bytes]:
    """Start a command and wait until all its processes are at work."""
    temporary.mkdir()
    process = subprocess.Popen(
        [PROGRAM, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=DEMO | {"TMPDIR": str(temporary)},
        start_new_session=True,
    )
    assert process.stdin is not None
    if "settle" in arguments:
        process.stdin.write(many_payments(5_000))  # a block and more; then it waits
        process.stdin.flush()
    until(lambda: at_work(temporary, arguments))
    return process


@pytest.mark.parametrize(
    ("arguments", "number", "to_group"),
    [
        pytest.param(SETTLE_ALONE, signal.SIGINT, True, id="alone, Ctrl-C"),
        pytest.param(SETTLE_ALONE, signal.SIGTERM, False, id="alone, SIGTERM"),
        pytest.param(SETTLE, signal.SIGINT, True, id="two processes, Ctrl-C"),
        pytest.param(
            SETTLE, signal.SIGTERM, True, id="two processes, SIGTERM to all", marks=pytest.mark.long
        ),
        pytest.param(SETTLE, signal.SIGTERM, False, id="two processes, SIGTERM"),
        pytest.param(
            SETTLE, signal.SIGHUP, False, id="two processes, SIGHUP", marks=pytest.mark.long
        ),
        pytest.param(SIMULATE_LONG, signal.SIGINT, True, id="simulate, Ctrl-C"),
    ],
)
def test_a_signal_leaves_neither_folders_nor_processes(tmp_path, arguments, number, to_group):
    temporary = tmp_path / "temporary"
    process = working(temporary, arguments)
    (os.killpg if to_group else os.kill)(process.pid, number)
    assert process.wait(30) == 128 + number
    until(lambda: not is_alive(process.pid), 5)
    assert list(temporary.iterdir()) == []
    _, said = process.communicate()
    assert said == b"refusion: stopped, nothing is left behind\n"


@pytest.mark.parametrize("arguments", [SETTLE, SIMULATE_LONG], ids=["settle", "simulate"])
def test_a_command_that_is_killed_leaves_no_process(tmp_path, arguments):
    process = working(tmp_path / "temporary", arguments)
    children = children_of(process.pid)
    assert len(children) >= 2
    process.kill()
    assert gone(*children)
    process.communicate()
