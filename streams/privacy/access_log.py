"""The access log: a line for each time that somebody had CPR numbers unsealed, written before it happens.

    {"at": "2026-11-22T12:00:00Z", "user": "anna", "purpose": "export", "run": 82, "municipality":
    "730", "persons": 41}

It tells of no citizen. It stands in the state folder as `access-log.jsonl` and is only ever appended to; to keep it
safe from its own users is for the machine's log collection.
"""

import getpass
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import orjson

NAME: Final = "access-log.jsonl"


def log_access(state_dir: Path, purpose: str, **what: str | int) -> None:
    """Add a line; it is on disk when this returns, and OSError where it cannot be."""
    at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    line = orjson.dumps({"at": at, "user": getpass.getuser(), "purpose": purpose, **what}) + b"\n"
    state_dir.mkdir(parents=True, exist_ok=True)
    file = os.open(state_dir / NAME, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, line)  # one write: lines of several processes do not mix
        os.fsync(file)
    finally:
        os.close(file)
