"""Writes the access log: one line before each time that somebody has CPR numbers unsealed.

    {"at": "2026-11-22T12:00:00Z", "user": "anna", "purpose": "export", "run": 82,
     "municipality": "730", "persons": 41}

The log names no citizen. It is `access-log.jsonl` in the state folder, and lines are only ever
appended. It is a copy beside the acts in the topic `access` (`streams.acts`), which its own users
cannot change.
"""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import orjson

from streams.kit.operating_user import operating_user

NAME: Final = "access-log.jsonl"


def log_access(state_dir: Path, purpose: str, **details: str | int) -> None:
    """Append a line to the access log, and return when it is on disk; OSError where it cannot be.

    `details` tell what is unsealed, for example the run and the number of persons.
    """
    at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    line = orjson.dumps({"at": at, "user": operating_user().user, "purpose": purpose, **details})
    state_dir.mkdir(parents=True, exist_ok=True)
    file = os.open(state_dir / NAME, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, line + b"\n")  # one write: lines of several processes do not mix
        os.fsync(file)
    finally:
        os.close(file)
