"""The draft of an export: a folder whose files get their place when all of the run is whole.

The draft is a hidden folder in the folder of the files, which only its owner can read. Its files
are moved up at the end, one after the other, and it is removed last. So a draft that is there
means an export that is not finished: `refusion deliver` asks `unfinished` first. A draft that a
killed export has left is thrown away by the next one.
"""

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

from streams.engine.fault_points import reached
from streams.ledger.cuts import ExportError

OWNER_ALONE: Final = 0o700
"""Mode of the draft, and of its files without execution: they hold CPR numbers."""
OF_THE_DISK: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""Errors of a disk that is full, a quota that is used up, a file that is too large, a bad disk."""
NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL


@contextmanager
def draft_in(folder: Path, scope: str) -> Iterator[Path]:
    """Yield a draft for the files of a scope; they are moved to `folder` if the block ends well.

    Raises ExportError while another process exports the same scope to the same folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f".{scope}.draft"
    draft.mkdir(mode=OWNER_ALONE, exist_ok=True)
    lock = os.open(draft, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _lock(lock, folder)
        draft.chmod(OWNER_ALONE)
        _remove(draft.iterdir())
        try:
            yield draft
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        for path in sorted(draft.iterdir()):
            path.replace(folder / path.name)
        draft.rmdir()
    finally:
        os.close(lock)


def unfinished(folder: Path, run_scope: str) -> bool:
    """True while an export of a run, or of one municipality of it, has not moved all its files."""
    return any(folder.glob(f".{run_scope}*.draft"))


@contextmanager
def whole_file(path: Path, mode: str = "t") -> Iterator[IO[Any]]:
    """Open a new file of a draft, all of which is on disk at the end."""
    text = {} if mode == "b" else {"encoding": "utf-8", "newline": ""}
    descriptor = os.open(path, NEW, OWNER_ALONE & 0o666)
    opened = os.fdopen(descriptor, f"w{mode}", **text)  # type: ignore[call-overload]  # they fit
    with _named(path), opened as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
    reached("export", "before_commit")


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Name the file in an error of its disk; the system tells no name where a file is written."""
    try:
        yield
    except OSError as error:
        if error.errno in OF_THE_DISK and error.filename is None:
            error.filename = str(path)
        raise


def _lock(lock: int, folder: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ExportError(f"another export of this run writes to {folder}; wait for it") from None


def _remove(paths: Iterator[Path]) -> None:
    """Remove the files that a killed export has left."""
    for path in paths:
        path.unlink()
