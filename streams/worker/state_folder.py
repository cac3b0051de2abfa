"""A state folder for each worker process: numbered, locked as long as the process lives.

A process takes the first number that is free, so after a crash the next one has the old disk
and the old name in the consumer group. A stopped process (SIGSTOP) keeps its folder for as long
as it lives: the state inside can be open only once.

    <state dir>/0/lock         locked by its process
    <state dir>/0/worker-id    made once, and again where the folder is a copy
    <state dir>/0/home         the machine and file system where worker-id was made
    <state dir>/0/citizens-7   a partition's state
"""

import errno
import fcntl
import logging
import time
import uuid
from pathlib import Path
from typing import IO, Final

from streams.kit.errors import UserError

MOST: Final = 1_000
MACHINE_ID: Final = Path("/etc/machine-id")
FULL: Final = (errno.ENOSPC, errno.EDQUOT)
ROOM_S: Final = 2.0
"""Seconds between two looks whether a full disk has room."""

log = logging.getLogger("refusion")


class StateFolderError(UserError):
    """A process can have no state folder, whenever it starts again."""


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
    """Take the first free folder below the state folder; wait where the disk is full.

    Raises:
        StateFolderError: none can be had, and no waiting mends that.
    """
    is_said = False
    while True:
        try:
            return _first_free(state_dir)
        except OSError as error:
            if error.errno not in FULL:
                raise StateFolderError(
                    f"no state can be kept in {state_dir} ({error.strerror or error}); set"
                    " REFUSION_STATE_DIR to a folder that this user may write in"
                ) from error
            if not is_said:
                log.warning("waits for room in %s (%s)", state_dir, error.strerror)
                is_said = True
        time.sleep(ROOM_S)


def _first_free(state_dir: Path) -> StateFolder:
    for number in range(MOST):
        path = state_dir / str(number)
        path.mkdir(parents=True, exist_ok=True)
        lock = (path / "lock").open("wb")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _name(path / "worker-id")
        except BlockingIOError:
            lock.close()
            continue
        except OSError:
            lock.close()
            raise
        return StateFolder(path, lock)
    raise OSError(f"all {MOST} folders in it are taken")


def _name(file: Path) -> None:
    """Make the name, unless there is one that was made here.

    The name of a copied folder is that of another worker, which may live: two with one name would
    throw each other out of their group. State in a copy is as good as any: it is checked.
    """
    home = file.with_name("home")
    if file.exists() and home.exists() and home.read_text() != _home_of(file):
        log.warning(
            "%s: the state folder is a copy, its worker gets a name of its own", file.parent
        )
        file.unlink()
    if not file.exists():
        _write(file, uuid.uuid4().hex)
    if not home.exists() or home.read_text() != _home_of(file):
        _write(home, _home_of(file))


def _home_of(file: Path) -> str:
    """Return what a copy of a file has otherwise: machine, or number in the file system.

    Not a host's name, which a container has anew each time. A clone of a machine may have both
    alike: then the group tells (`streams.kafka.members`).
    """
    machine = MACHINE_ID.read_text().strip() if MACHINE_ID.exists() else ""
    return f"{machine} {file.stat().st_ino}"


def _write(file: Path, text: str) -> None:
    """Write a file whole: a crash leaves the former one, or none."""
    draft = file.with_suffix(".new")
    draft.write_text(text)
    draft.replace(file)
