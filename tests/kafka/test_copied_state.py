"""A state folder is copied while its worker lives: nobody throws anybody out in turns."""

from shutil import copytree

import pytest

from streams.worker import state_folder
from tests.support.pipeline import shares


@pytest.mark.long
def test_of_two_workers_with_one_name_the_older_ends_and_says_why(pipeline, lives, tmp_path):
    """A clone of a machine, with all that tells a copy from the original alike."""
    log = tmp_path / "first.log"
    with log.open("wb") as file:
        first = pipeline.start(log=file)
    pipeline.publish(lives[0])
    pipeline.wait_until_settled()
    copy = copy_of(pipeline.settings.state_dir, tmp_path)
    (copy / "0" / "home").write_text(state_folder._home_of(copy / "0" / "worker-id"))

    second = pipeline.start(REFUSION_STATE_DIR=str(copy))
    pipeline.wait_until(lambda: first.poll() is not None)
    assert first.returncode == 2
    assert "another worker has taken this one's place in group" in log.read_text()
    pipeline.publish([line for portion in lives[1:] for line in portion])
    pipeline.wait_until_settled()
    assert second.poll() is None
    pipeline.stop(second)
    pipeline.audit()


@pytest.mark.long
def test_a_worker_with_a_copied_folder_works_beside_the_first(pipeline, lives, tmp_path):
    logs = [tmp_path / "first.log", tmp_path / "second.log"]
    with logs[0].open("wb") as file:
        first = pipeline.start(log=file)
    pipeline.publish(lives[0])
    pipeline.wait_until_settled()
    copy = copy_of(pipeline.settings.state_dir, tmp_path)
    with logs[1].open("wb") as file:
        second = pipeline.start(log=file, REFUSION_STATE_DIR=str(copy))
    pipeline.wait_until(lambda: any(len(share) == 2 for share in shares(logs[1], "citizens")))
    pipeline.publish([line for portion in lives[1:] for line in portion])
    pipeline.wait_until_settled()
    for worker in (first, second):
        assert worker.poll() is None
        pipeline.stop(worker)
    assert all(len(shares(log, "citizens")) <= 3 for log in logs)
    assert "the state folder is a copy" in logs[1].read_text()
    pipeline.audit()


def copy_of(folder, tmp_path):
    """Copy a folder whose files may come and go meanwhile."""
    copy = tmp_path / "copy"
    copytree(
        folder, copy, ignore=lambda _folder, names: [name for name in names if "citizens" in name]
    )
    return copy
