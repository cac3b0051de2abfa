"""Keeps what the program writes from other users of the machine."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

OTHERS: Final = 0o077
"""Rights that a new file or folder does not give: any to the group or to others."""


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
    with tempfile.TemporaryDirectory(prefix="refusion-copies-") as folder:
        copies = {}
        for number, (named, path) in enumerate(files.items()):
            place = Path(folder) / str(number)
            place.mkdir()
            copies[named] = Path(shutil.copyfile(path, place / path.name))
        yield copies
