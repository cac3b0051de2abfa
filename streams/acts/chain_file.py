"""Keeps the end of a writer's chain in the state folder, locked while a record is written.

    1. Before a record is sent, the file says which one: `sent`, beside the last `written` one.
    2. After its acknowledgement, it is the last one.

A writer that dies in between, or whose record was neither acknowledged nor refused, leaves `sent`;
the next one looks in the topic what became of it. A file that is gone, or of another host (the
folder was copied), begins another chain.
"""

import asyncio
import fcntl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from errno import EACCES, EPERM, EROFS
from pathlib import Path
from typing import IO, Any, Final
from uuid import uuid4

import orjson

from streams.acts.chain import ChainHead
from streams.acts.topic import ActError
from streams.kit.operating_user import OperatingUser

FOLDER: Final = "access-chains"
LOOK_S: Final = 0.02
"""Seconds between two attempts to get a chain that another process, or task, is writing to."""
LONGEST_WAIT_S: Final = 60.0
"""Seconds after which a chain is not waited for any more: a record is written within one or two."""
_LETTERS: Final = str.maketrans("0123456789", "ghijkmnpqr")


def new_id() -> str:
    """Make an id of letters, so that nobody takes a part of it for a CPR."""
    return uuid4().hex[:16].translate(_LETTERS)


class ChainFile:
    """The end of a chain on disk; `former` is the chain of the topic that was there before.

    Without a path it is kept nowhere, and ends with this process.
    """

    def __init__(self, path: Path | None, user: OperatingUser, identity: str) -> None:
        self._path = path
        self._host = user.host
        self._identity = identity
        self.written = ChainHead(f"{user.host}/{user.user}/{new_id()}")
        self.sent: ChainHead | None = None
        self.former: ChainHead | None = None
        kept = None if path is None else _kept(path)
        if kept is None or kept["host"] != user.host:
            return
        if kept["identity"] != identity:
            self.former = ChainHead(*kept["written"])
            return
        self.written = ChainHead(*kept["written"])
        self.sent = ChainHead(*kept["sent"]) if kept["sent"] else None

    @property
    def is_new(self) -> bool:
        """True if no record of this chain was written yet."""
        return not self.written.number

    def keep(self, written: ChainHead, sent: ChainHead | None = None) -> None:
        """Write the file."""
        self.written, self.sent = written, sent
        if self._path is None:
            return
        heads = {"written": list(written), "sent": sent and list(sent)}
        state = {"host": self._host, "identity": self._identity} | heads
        draft = self._path.with_suffix(".new")
        draft.write_bytes(orjson.dumps(state))
        draft.replace(self._path)


def _kept(path: Path) -> dict[str, Any] | None:
    """Read the file; None where there is none, or none that can be read."""
    try:
        kept = orjson.loads(path.read_bytes())
        return kept if kept.keys() >= {"host", "identity", "written", "sent"} else None
    except (OSError, ValueError, AttributeError):
        return None


@asynccontextmanager
async def chain_file(
    state_dir: Path, topic: str, user: OperatingUser, identity: str
) -> AsyncIterator[ChainFile]:
    """Open the chain of a user for the length of a block, in which nobody else has it.

    A user who may not write to the state folder, which is another user's, gets a chain of its own
    for each record.

    Raises ActError where another process does not let go of the chain.
    """
    folder, name = state_dir / FOLDER, f"{topic}-{user.uid}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / f"{name}.lock").open("wb")
    except OSError as error:
        if error.errno not in {EACCES, EPERM, EROFS}:
            raise
        yield ChainFile(None, user, identity)
        return
    with lock:
        waits_until = time.monotonic() + LONGEST_WAIT_S
        while not _locked(lock):
            if time.monotonic() > waits_until:
                raise ActError(
                    f"another process of {user.user} has held {folder / name}.lock for a minute, so"
                    " nothing can be recorded, and nothing was done: find the process with"
                    f" `fuser {folder / name}.lock`, end it if it hangs, and try again"
                )
            await asyncio.sleep(LOOK_S)
        yield ChainFile(folder / f"{name}.json", user, identity)


def _locked(lock: IO[bytes]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
