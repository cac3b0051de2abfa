"""State folders: one process each, numbered, with a name that outlives a crash."""

import errno
import logging
import os
import subprocess
import sys
from pathlib import Path
from shutil import copytree

import pytest

from streams.worker import state_folder
from streams.worker.state_folder import StateFolderError, take

PROGRAM = Path(sys.executable).parent / "refusion"


def test_two_processes_have_two_folders(tmp_path):
    first, second = take(tmp_path), take(tmp_path)
    assert (first.path, second.path) == (tmp_path / "0", tmp_path / "1")
    assert first.worker_id != second.worker_id


def test_who_comes_after_a_crash_has_the_old_folder_and_name(tmp_path):
    crashed = take(tmp_path)
    name = crashed.worker_id
    del crashed  # the lock goes with the process
    assert take(tmp_path).worker_id == name


def test_the_worker_of_a_copied_folder_has_a_name_of_its_own(tmp_path, caplog):
    """Two with one name would throw each other out of their group, once a second."""
    living = take(tmp_path / "first")
    copytree(tmp_path / "first", tmp_path / "copy")
    with caplog.at_level(logging.WARNING):
        copy = take(tmp_path / "copy")
    assert copy.worker_id != living.worker_id
    assert "the state folder is a copy" in caplog.text
    name = copy.worker_id
    del copy
    assert take(tmp_path / "copy").worker_id == name


def test_the_worker_of_a_folder_on_another_machine_has_a_name_of_its_own(tmp_path, monkeypatch):
    first = take(tmp_path)
    name = first.worker_id
    del first
    machine = tmp_path / "machine-id"
    machine.write_text("another\n")
    monkeypatch.setattr(state_folder, "MACHINE_ID", machine)
    assert take(tmp_path).worker_id != name


@pytest.mark.parametrize("moved", [True, False])
def test_a_folder_that_was_moved_or_is_of_a_former_version_keeps_its_name(tmp_path, moved):
    first = take(tmp_path / "first")
    name, path = first.worker_id, first.path
    del first
    if moved:
        (tmp_path / "first").rename(tmp_path / "second")
    else:
        (path / "home").unlink()
    assert take(tmp_path / ("second" if moved else "first")).worker_id == name


def test_where_no_state_can_be_kept_a_sentence_says_what_to_set(tmp_path):
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(StateFolderError, match=r"Not a directory\); set REFUSION_STATE_DIR"):
        take(file)


def test_a_full_disk_is_waited_for_and_said_once(tmp_path, monkeypatch, caplog):
    full = [OSError(errno.ENOSPC, "No space left on device")] * 3
    named = state_folder._name

    def name(file):
        if full:
            raise full.pop()
        named(file)

    monkeypatch.setattr(state_folder, "_name", name)
    monkeypatch.setattr(state_folder, "ROOM_S", 0.0)
    assert take(tmp_path).path == tmp_path / "0"
    assert [record.message for record in caplog.records] == [
        f"waits for room in {tmp_path} (No space left on device)"
    ]


def test_children_whose_state_can_be_kept_nowhere_are_not_started_for_ever(tmp_path):
    (tmp_path / "file").touch()
    given = {
        "PATH": os.environ["PATH"],
        "REFUSION_DEMO": "1",
        "REFUSION_BOOTSTRAP": "127.0.0.1:1",
        "REFUSION_STATE_DIR": str(tmp_path / "file"),
    }
    done = subprocess.run(
        [PROGRAM, "worker", "--processes", "2"],
        env=given, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "set REFUSION_STATE_DIR to a folder" in done.stderr
