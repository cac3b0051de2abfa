"""Keeps what the program writes from other users of the machine."""

import os
from typing import Final

OTHERS: Final = 0o077
"""Rights that a new file or folder does not give: any to the group or to others."""


def keep_files_private() -> None:
    """Let files and folders that are made from now on be readable by this user alone.

    State, ledger, rejects and run files have pseudonyms, benefits, and CPR numbers in part. The
    user's own umask may be as open as 022.
    """
    os.umask(OTHERS)
