"""A former release and this one on the same topics: workers are exchanged one by one, under load.

The former release is this repository at a commit from before records had MACs, in an environment of
its own, which is made once and kept in `build`.
"""

import fcntl
import os
import subprocess
import sys
import threading
from shutil import which

import pytest

from tests.support.pipeline import PROGRAM, SETTLING
from tests.support.places import ROOT

FORMER = "b02a8a1"
"""The last commit before issue 14, whose records have no MACs."""
INSTALL_S = 600.0
GIT, TAR = which("git") or "git", which("tar") or "tar"
AT_WORK = "citizens: partitions"


@pytest.fixture(scope="session")
def former():
    """The folder of the former release, installed from its own lock."""
    folder = ROOT / "build" / f"former-{FORMER}"
    folder.parent.mkdir(exist_ok=True)
    with (folder.parent / "former.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "installed").exists():
            install(folder)
    return folder


def install(folder):
    """Unpack the commit, and install it with its own packages."""
    known = subprocess.run(
        [GIT, "cat-file", "-e", f"{FORMER}^{{commit}}"],
        cwd=ROOT,
        check=False,
        capture_output=True,
    )
    if known.returncode:
        pytest.skip(f"the clone has no commit {FORMER}; fetch its whole history")
    folder.mkdir(exist_ok=True)
    archive = subprocess.run(
        [GIT, "archive", FORMER], cwd=ROOT, check=True, capture_output=True
    ).stdout
    subprocess.run([TAR, "-x", "-C", str(folder)], input=archive, check=True)
    python, uv = folder / ".venv/bin/python", [sys.executable, "-m", "uv"]
    into = [*uv, "pip", "install", "--quiet", "--python", str(python)]
    for command in (
        [*uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder / ".venv")],
        [*into, "--require-hashes", "--requirement", "requirements.lock"],
        [*into, "--no-deps", "--no-build-isolation", "--editable", "."],
    ):
        subprocess.run(command, cwd=folder, check=True, timeout=INSTALL_S)
    (folder / "installed").touch()


class Fleet:
    """Two workers, each of one of the releases, with their own disks, which they keep."""

    def __init__(self, pipeline, former, folder):
        self._pipeline, self._former, self._folder = pipeline, former, folder
        self._workers = {}

    def start(self, number, release):
        """Start a worker of a release on a disk, and wait until it is at work."""
        begun = self.log(number, release).count(AT_WORK)
        log = (self._folder / f"{number}-{release}.log").open("ab")
        state = {"REFUSION_STATE_DIR": str(self._folder / f"state-{number}")}
        if release == "present":
            self._workers[number] = self._pipeline.start(*SETTLING, log=log, **state)
        else:
            command = [str(self._former / ".venv/bin/python"), "-P", "-m", "streams.worker.app"]
            state |= {"PYTHONPATH": str(self._former)}
            self._workers[number] = self._pipeline.started([*command, *SETTLING], log, state)
        self._pipeline.wait_until(lambda: self.log(number, release).count(AT_WORK) > begun)

    def exchange(self, number, release):
        """Stop a worker in good order, and start another release on its disk."""
        self._pipeline.stop(self._workers[number])
        self.start(number, release)

    def log(self, number, release):
        path = self._folder / f"{number}-{release}.log"
        return path.read_text() if path.exists() else ""

    def stop(self, *numbers):
        """Stop workers in good order."""
        for number in numbers:
            self._pipeline.stop(self._workers[number])


class Feed:
    """Publishes from a thread until it is stopped."""

    def __init__(self, pipeline, lines):
        self._enough = threading.Event()
        self._thread = threading.Thread(
            target=pipeline.feed, args=(lines, self._enough.is_set), daemon=True
        )

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._enough.set()
        self._thread.join()


def program(pipeline, *arguments):
    given = {
        name: value
        for name, (value, origin) in pipeline.settings.values.items()
        if origin == "environment"
    }
    return subprocess.run(
        [PROGRAM, *arguments],
        env={**os.environ, **given},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def fleet(pipeline, former, tmp_path):
    return Fleet(pipeline, former, tmp_path)


@pytest.mark.long
def test_workers_are_exchanged_one_by_one_under_load_forth_and_back(pipeline, fleet, lives):
    fleet.start(1, "former")
    fleet.start(2, "former")
    pipeline.publish(lives[0])
    pipeline.wait_until_settled()
    with Feed(pipeline, lives[1]):
        fleet.exchange(1, "present")
        fleet.exchange(2, "present")
    pipeline.publish(lives[2])
    pipeline.wait_until_settled()
    with Feed(pipeline, lives[3]):
        fleet.exchange(1, "former")
        fleet.exchange(2, "former")
        fleet.exchange(1, "present")
        fleet.exchange(2, "present")
    for portion in lives:
        pipeline.publish(portion)
    pipeline.wait_until_settled()
    fleet.stop(1, 2)
    postings = pipeline.audit()
    assert sum(map(len, postings.values())) > 500
    told = program(pipeline, "verify", "--deep", "--fold", "--json")
    assert told.returncode == 0, told.stdout[-2_000:]


@pytest.mark.long
def test_keys_are_stated_only_where_no_worker_of_before_is_at_work(pipeline, fleet, lives):
    """A worker of before would take in what is not believed."""
    fleet.start(1, "former")
    fleet.start(2, "present")
    pipeline.publish(lives[0])
    pipeline.wait_until_settled()
    refused = program(pipeline, "keys", "state", "--apply")
    assert refused.returncode == 2
    assert "1 workers of a version without MACs are at work on intake" in refused.stderr
    assert refused.stderr.count("\n") == 1
    fleet.exchange(1, "present")
    assert program(pipeline, "keys", "state", "--apply").returncode == 0
    pipeline.publish(lives[1])
    pipeline.wait_until_settled()
    fleet.stop(1, 2)
