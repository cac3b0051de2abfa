"""Keeps what the program writes and holds in memory from other users of the machine."""

import ctypes
import os
import resource
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from streams.kit.scratch import scratch_folder

OTHERS: Final = 0o077
"""Rights that a new file or folder does not give: any to the group or to others."""
PR_SET_DUMPABLE: Final = 4
"""The request of Linux's prctl, from <linux/prctl.h>, by which a process is closed to others."""


def keep_files_private() -> None:
    """Let files and folders that are made from now on be readable by this user alone.

    State, ledger, rejects and run files have pseudonyms, benefits, and CPR numbers in part. The
    user's own umask may be as open as 022.
    """
    os.umask(OTHERS)


@contextmanager
def private_copies(files: Mapping[str, Path]) -> Iterator[dict[str, Path]]:
    """Copy files for the length of a block, so that nobody changes them while they are used.

    A copy has the name of its file.
    """
    with scratch_folder("copies") as folder:
        copies = {}
        for number, (named, path) in enumerate(files.items()):
            place = folder / str(number)
            place.mkdir()
            copies[named] = Path(shutil.copyfile(path, place / path.name))
        yield copies


def keep_memory_private() -> None:
    """Let no core dump be written, and no other process of this user read our memory.

    The memory has keys and CPR numbers. Linux alone knows the second; `/proc/<pid>/environ` is then
    closed to others too. It holds until the next program is started in this process.
    """
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
