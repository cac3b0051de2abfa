"""Folders for what is on disk meanwhile: none stays, also of processes that were killed."""

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from streams.kit.scratch import scratch_folder

HOLD = """
import signal
from streams.kit.scratch import scratch_folder
with scratch_folder("test") as folder:
    (folder / "spilled").write_text("x")
    print(folder, flush=True)
    signal.pause()
"""


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """The place of temporary folders, empty."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def holding():
    """Start a process that holds a folder; return both."""
    process = subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_a_folder_is_empty_and_goes_with_its_block(folders):
    with scratch_folder("test") as folder:
        assert [*folder.iterdir()] == []
        assert folder.is_relative_to(folders)
    assert [*folders.iterdir()] == []


@pytest.mark.usefixtures("folders")
def test_what_a_killed_process_left_is_swept_and_what_a_living_one_has_is_not():
    killed, left = holding()
    living, held = holding()
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    try:
        assert left.exists()
        with scratch_folder("test"), scratch_folder("other"):
            assert not left.parent.exists()
            assert (held / "spilled").exists()
    finally:
        living.kill()
        living.wait()


def test_a_folder_of_somebody_else_or_of_another_make_is_left_alone(folders):
    (folders / "refusion-test-unlike").mkdir()
    elsewhere = folders / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "held").write_text("")
    (folders / "refusion-test-link").symlink_to(elsewhere)
    with scratch_folder("test"):
        pass
    assert {path.name for path in folders.iterdir()} == {
        "elsewhere", "refusion-test-link", "refusion-test-unlike",
    }  # fmt: skip
