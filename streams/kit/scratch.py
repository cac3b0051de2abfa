"""Folders for what a process puts on disk meanwhile; those of processes that were killed are swept.

Nobody can clean up after `kill -9`. So each folder is locked as long as its process lives, and
whoever makes another one of the kind deletes those that nobody holds.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

LOCK: Final = "held"
INSIDE: Final = "files"


@contextmanager
def scratch_folder(kind: str) -> Iterator[Path]:
    """Make an empty folder for the length of a block, and sweep those that were left of the kind.

    Its name begins with `refusion-` and the kind.
    """
    prefix = f"refusion-{kind}-"
    _sweep(prefix)
    # Nobody sweeps it before it is locked: it has its name from then on.
    unnamed = Path(tempfile.mkdtemp(prefix=f".{prefix}"))
    lock = os.open(unnamed / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        place = unnamed.rename(unnamed.with_name(unnamed.name[1:]))
        try:
            (place / INSIDE).mkdir()
            yield place / INSIDE
        finally:
            shutil.rmtree(place, ignore_errors=True)
    finally:
        os.close(lock)


def _sweep(prefix: str) -> None:
    """Delete the folders of a kind that no process holds."""
    for place in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        with suppress(OSError):  # another one sweeps too, or it is somebody else's
            if place.is_symlink() or place.lstat().st_uid != os.getuid():
                continue
            lock = os.open(place / LOCK, os.O_RDWR | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(place)
            finally:
                os.close(lock)
