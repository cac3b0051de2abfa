"""Each command that needs Kafka, without one: one line that says so, and no client left open."""

import os
import subprocess

import pytest

from tests.support.lines import PAYMENT, changed
from tests.support.pipeline import PROGRAM

NOWHERE = "127.0.0.1:1"
CITIZEN = "0" * 32

COMMANDS = [
    ("publish", "reports.jsonl"),
    ("opening", "load", "rows.jsonl"),
    ("run", "status"),
    ("run", "close", "--month", "2024-01"),
    ("replay", "--dry-run"),
    ("verify",),
    ("dead-letters", "list"),
    ("dead-letters", "list", "--json"),
    ("dead-letters", "show", "0/1"),
    ("dead-letters", "retry"),
    ("explain", CITIZEN, "--whole-journal"),
]


@pytest.fixture
def folder(tmp_path):
    """A folder with a file of reports and one of nothing, to work in."""
    (tmp_path / "reports.jsonl").write_bytes(changed(PAYMENT) + b"\n")
    (tmp_path / "rows.jsonl").write_bytes(b"")
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_says_one_line_and_leaves_no_client_open(command, folder):
    given = {
        "PATH": os.environ["PATH"],
        "REFUSION_BOOTSTRAP": NOWHERE,
        "REFUSION_DEMO": "1",
        "REFUSION_STATE_DIR": "state",
    }
    done = subprocess.run(
        [PROGRAM, *command], env=given, cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("refusion: ")
    assert f"no Kafka answers at {NOWHERE} (REFUSION_BOOTSTRAP)" in line
