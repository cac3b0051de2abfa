"""Opens a small SQLite file in the site's state folder, which nobody else can read."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

WAIT_S: Final = 10.0
"""Seconds to wait for another thread or process that has the file."""


@contextmanager
def own_file(path: Path, schema: str) -> Iterator[sqlite3.Connection]:
    """Yield the file, made where there is none, within one transaction.

    Raises OSError and sqlite3.Error.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    with closing(sqlite3.connect(path, timeout=WAIT_S)) as file:
        file.executescript(schema)
        with file:
            file.execute("BEGIN IMMEDIATE")
            yield file
