"""Finds the files of a run to deliver, and keeps the receipts of those that were delivered.

Receipts are lines in a file of REFUSION_OPERATIONS_DIR, which is the state folder where it is not
set. The file is locked while lines are read or added, and never while a server is waited for. A
server has one delivery at a time, whose lock is its own.
"""

import fcntl
import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

import orjson

from streams.kit.errors import UserError
from streams.ledger.draft import unfinished

RECEIPTS: Final = "receipts.jsonl"


class DeliveryError(UserError):
    """Files cannot be delivered; the message says which and what to do."""


class ExportedFile(NamedTuple):
    """A file that `refusion export` wrote, to be delivered."""

    path: Path
    municipality: str
    size: int
    sha256: str


def exported_files(folder: Path, run: int, municipality: str | None) -> list[ExportedFile]:
    """Find the exported files of a run, ordered by name.

    Raises DeliveryError if there are none, or if an export has not moved all of them yet.
    """
    if unfinished(folder, f"run-{run:04d}"):
        raise DeliveryError(
            f"the export of run {run} to {folder} is not finished; wait for it, or export again if"
            " it was stopped"
        )
    form = re.compile(
        rf"yr-ydelsesrefusion-[a-z]+-(\d{{3}})-{run:04d}-\d{{4}}-\d\d-\d\d\.(?:csv|parquet)"
    )
    files = [
        _exported_file(path, match[1])
        for path in sorted(folder.glob("*"))
        if (match := form.fullmatch(path.name)) and municipality in (None, match[1])
    ]
    if not files:
        raise DeliveryError(
            f"{folder} has no files of run {run}; make them with `refusion export --run {run}`"
        )
    return files


def _exported_file(path: Path, municipality: str) -> ExportedFile:
    with path.open("rb") as file:
        return ExportedFile(
            path, municipality, path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()
        )


class Receipts:
    """The delivered files by address and name: a file with one line each, only appended to."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with _locked(path):
            lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
            whole = [line for line in lines if line.endswith(b"\n")]  # the last may be cut off
            if len(whole) < len(lines):
                with path.open("r+b") as file:
                    file.truncate(sum(map(len, whole)))
        receipts = [orjson.loads(line) for line in whole]
        self._known = {(receipt["to"], receipt["file"]): receipt["sha256"] for receipt in receipts}

    def of(self, to: str, name: str) -> str | None:
        """The SHA-256 of the file that was delivered under a name, None if none was."""
        return self._known.get((to, name))

    def add(self, to: str, file: ExportedFile, host_key: str) -> None:
        """Add a line; it is on disk when this returns. `host_key` is the server's fingerprint."""
        at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        receipt = {
            "at": at,
            "to": to,
            "file": file.path.name,
            "bytes": file.size,
            "sha256": file.sha256,
            "host_key": host_key,
        }
        with _locked(self._path), self._path.open("ab") as receipts:
            receipts.write(orjson.dumps(receipt) + b"\n")
            receipts.flush()
            os.fsync(receipts.fileno())
        self._known[to, file.path.name] = file.sha256


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Wait until nobody else reads or adds receipts, which takes milliseconds."""
    with path.with_name(f"{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def receipts_in(operations_dir: Path, server: str = "") -> Iterator[Receipts]:
    """Open the receipts for a delivery to a server.

    Raises DeliveryError while another delivery to it is at work.
    """
    operations_dir.mkdir(parents=True, exist_ok=True)
    name = hashlib.sha256(server.encode()).hexdigest()[:16]
    with (operations_dir / f"delivery-{name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DeliveryError(
                f"another delivery is at work with the same server; wait for it (it has a lock in"
                f" {operations_dir})"
            ) from None
        yield Receipts(operations_dir / RECEIPTS)
