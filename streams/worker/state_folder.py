"""A state folder for each worker process: numbered, locked as long as the process lives.

A process takes the first number that is free, so after a crash the next one has the old disk
and the old name in the consumer group. A stopped process (SIGSTOP) keeps its folder for as long
as it lives: the state inside can be open only once.

    <state dir>/0/lock         locked by its process
    <state dir>/0/worker-id    made once
    <state dir>/0/citizens-7   a partition's state
"""

import fcntl
import uuid
from pathlib import Path
from typing import IO, Final

MOST: Final = 1_000


class StateFolder:
    """A folder that is this process's own until it ends."""

    def __init__(self, path: Path, lock: IO[bytes]) -> None:
        self.path = path
        self._lock = lock  # the lock goes when this file is closed

    @property
    def number(self) -> int:
        """Its number: that of this process on its machine."""
        return int(self.path.name)

    @property
    def worker_id(self) -> str:
        """The name of whoever has this folder."""
        return (self.path / "worker-id").read_text()


def take(state_dir: Path) -> StateFolder:
    """The first free folder below the state folder; OSError where none can be had."""
    for number in range(MOST):
        path = state_dir / str(number)
        path.mkdir(parents=True, exist_ok=True)
        lock = (path / "lock").open("wb")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            continue
        _name(path / "worker-id")
        return StateFolder(path, lock)
    raise OSError(f"all {MOST} state folders are taken")


def _name(file: Path) -> None:
    """Make the name, unless there is one; a crash while it is written leaves none."""
    if not file.exists():
        draft = file.with_suffix(".new")
        draft.write_text(uuid.uuid4().hex)
        draft.replace(file)
