"""Keeps how a command ended last on this machine, for `refusion status` and the site."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson

FOLDER: Final = "last-outcomes"
RUN_CLOSE: Final = "run-close"
"""The name of the outcome of closing a run, which may have been held."""
BACKUP_VERIFY: Final = "backup-verify"
"""The name of the outcome of proving a backup; its `result` is whole, broken or unsigned."""


def keep_outcome(operations_dir: Path, name: str, outcome: Mapping[str, Any]) -> None:
    """Keep an outcome with the time; where the folder cannot be written to, nothing is kept."""
    at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    path = operations_dir / FOLDER / f"{name}.json"
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".new")
        draft.write_bytes(orjson.dumps({"at": at, **outcome}))
        draft.replace(path)


@contextmanager
def outcome_kept(
    operations_dir: Path, name: str, about: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """Keep the outcome of a block, also of one that fails: it is not fine unless it says so."""
    outcome: dict[str, Any] = {"fine": False, **about}
    try:
        yield outcome
    finally:
        keep_outcome(operations_dir, name, outcome)


def last_outcome(operations_dir: Path, name: str) -> dict[str, Any] | None:
    """Return the outcome that was kept last; None where there is none that can be read."""
    try:
        outcome = orjson.loads((operations_dir / FOLDER / f"{name}.json").read_bytes())
        datetime.fromisoformat(outcome["at"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return dict(outcome)
