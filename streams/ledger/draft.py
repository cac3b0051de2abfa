"""The draft of an export: a folder whose files get their place when all of the run is whole.

The draft is a hidden folder in the folder of the files, which only its owner can read. Its files
are moved up at the end, one after the other, and it is removed last. So a draft that is there
means an export that is not finished: `refusion deliver` asks `unfinished` first. A draft that a
killed export has left stays, without its files, until an export of the same, or of the whole run,
ends well: some of the files may have been moved.
"""

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
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
def draft_in(
    folder: Path, scope: str, at_the_end: Callable[[Path], None] = lambda _: None
) -> Iterator[Path]:
    """Yield a draft for the files of a scope; they are moved to `folder` if the block ends well.

    `at_the_end` is called with the draft when all of them have their place, and nobody may deliver
    them yet.

    Raises ExportError while another process exports the same scope to the same folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f".{scope}.draft"
    was_left = draft.exists()
    draft.mkdir(mode=OWNER_ALONE, exist_ok=True)
    with _opened(draft) as lock:
        _lock(lock, folder)
        draft.chmod(OWNER_ALONE)
        _remove(draft.iterdir())
        try:
            yield draft
        except BaseException:
            with suppress(OSError):
                _remove(draft.iterdir())
                if not was_left:
                    draft.rmdir()
            raise
        with _opened(folder) as alone:
            fcntl.flock(alone, fcntl.LOCK_EX)  # files of a run, or of one municipality of it
            for path in sorted(draft.iterdir()):
                path.replace(folder / path.name)
            at_the_end(draft)
        _remove_left(folder, scope)
        draft.rmdir()


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


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    """Open a folder, so that it can be locked; the lock goes at the end of the block."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield number
    finally:
        os.close(number)


def _lock(lock: int, folder: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ExportError(f"another export of this run writes to {folder}; wait for it") from None


def _remove_left(folder: Path, scope: str) -> None:
    """Remove drafts that killed exports of a part of the scope have left: all of it is in place."""
    for draft in folder.glob(f".{scope}-*.draft"):
        with suppress(ExportError, FileNotFoundError), _opened(draft) as lock:
            _lock(lock, folder)
            _remove(draft.iterdir())
            draft.rmdir()


def _remove(paths: Iterator[Path]) -> None:
    """Remove the files of an export that was killed, or that failed."""
    for path in paths:
        path.unlink()
