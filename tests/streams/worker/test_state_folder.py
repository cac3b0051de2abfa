"""State folders: one process each, numbered, with a name that outlives a crash."""

from streams.worker.state_folder import take


def test_two_processes_have_two_folders(tmp_path):
    first, second = take(tmp_path), take(tmp_path)
    assert (first.path, second.path) == (tmp_path / "0", tmp_path / "1")
    assert first.worker_id != second.worker_id


def test_who_comes_after_a_crash_has_the_old_folder_and_name(tmp_path):
    crashed = take(tmp_path)
    name = crashed.worker_id
    del crashed  # the lock goes with the process
    assert take(tmp_path).worker_id == name
