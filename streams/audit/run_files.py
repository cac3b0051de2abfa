"""The run files in a folder, read for `refusion verify --files`: each line goes to the partition of its citizen.

Of CPR numbers only pseudonyms are kept, in temporary files beside the partitions that they are held
against.
"""

import csv
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

import orjson

from projections.audit.records import Found, Violation, as_bad
from projections.audit.run_files import (
    SPECIFICATION,
    Key,
    Line,
    Money,
    RunFile,
    RunRows,
    add_all,
    left_out,
    read_lines,
    run_file,
    wrong_in,
)
from projections.runs.files import Names
from streams.engine.ports import Record
from streams.kit.errors import UserError
from streams.kit.spool import Scattered, records_in
from streams.wire.journal import partition_of, source_offset

NOWHERE: Final = -1
"""The partition of what is of none."""
LINE_BYTES: Final = 200
CITIZEN: Final = 2
"""Where in the key of a line."""


class Listed(NamedTuple):
    """A run's lines by partition, in a folder; and the municipalities whose files were read."""

    run: int
    folder: Path
    municipalities: frozenset[str]

    def lines(self, partition: int) -> Iterator[tuple[str, Line]]:
        """Each with the name of its file."""
        for name, *line in records_in(self.folder / f"{self.run}-{partition}"):
            yield name, Line(*line)

    @property
    def is_whole(self) -> bool:
        """Whether these are a whole run's: a single municipality's may have been asked for by itself."""
        return len(self.municipalities) > 1


@dataclass
class RunFiles:
    """All that was read. `accounts` by run: the lines of `sumposteringer` with their files."""

    runs: dict[int, Listed] = field(default_factory=dict)
    accounts: dict[int, dict[Key, tuple[str, Line]]] = field(default_factory=dict)
    files: int = 0
    lines: int = 0


def read_files(
    folder: Path, into: Path, partitions: int, citizen_of: Callable[[str], str], found: Found
) -> RunFiles:
    """Read the files of a folder. Raises UserError where there are none."""
    read, by_run = RunFiles(), _by_run(folder)
    if not by_run:
        raise UserError(
            f"{folder} holds no file yr-ydelsesrefusion-beregning-….csv; give the folder of an export"
        )
    for run, files in sorted(by_run.items()):
        with ExitStack() as stack:
            scattered = Scattered(stack, into, str(run), partitions)
            for path, file in files:
                for line in _lines_of(path, file, citizen_of, found):
                    read.lines += 1
                    if file.kind == SPECIFICATION:
                        at = partition_of(str(line.key[CITIZEN]).encode(), partitions)
                        scattered.put(at, (path.name, *line), LINE_BYTES)
                    else:
                        read.accounts.setdefault(run, {})[line.key] = (path.name, line)
        read.files += len(files)
        listed = frozenset(file.municipality for _, file in files if file.kind == SPECIFICATION)
        read.runs[run] = Listed(run, into, listed)
    return read


def _by_run(folder: Path) -> dict[int, list[tuple[Path, RunFile]]]:
    found: dict[int, list[tuple[Path, RunFile]]] = {}
    for path in sorted(folder.iterdir()):
        if file := run_file(path.name):
            found.setdefault(file.run, []).append((path, file))
    return found


def _lines_of(
    path: Path, file: RunFile, citizen_of: Callable[[str], str], found: Found
) -> Iterator[Line]:
    try:
        with path.open(encoding="utf-8", newline="") as text:
            for line in read_lines(file, csv.reader(text, delimiter=";"), citizen_of):
                if isinstance(line, Line):
                    yield line
                else:
                    number, error = line
                    found.add(Violation("files", path.name, NOWHERE, number, error.text))
    except (UnicodeDecodeError, csv.Error):
        found.add(Violation("files", path.name, NOWHERE, NOWHERE, "it is no table in UTF-8"))


# --- beside the postings
# ----------------------------------------------------------------------------


@dataclass
class FilesAudit:
    """The files beside one partition's postings. `accounts` and the `unlisted` municipalities have their run each."""

    topic: str
    partition: int
    settled_to: int
    names: Names
    found: Found = field(default_factory=Found)
    accounts: dict[int, dict[Key, Money]] = field(default_factory=dict)
    unlisted: set[tuple[int, str]] = field(default_factory=set)

    async def look(self, postings: AsyncIterator[Record], runs: dict[int, Listed]) -> None:
        """Go through the postings; at each marker the rows since the one before are those of its run."""
        rows = RunRows(self.names)
        async for record in postings:
            if source_offset(record.headers) >= self.settled_to:
                break
            try:
                message = orjson.loads(record.value or b"")
                if record.key:
                    rows.add(record.offset, message)
                    continue
                run = message["run"]
            except Exception as error:  # noqa: BLE001 - all but defects of ours; the scan names it
                as_bad(error)
                continue
            if run in runs:
                self._compare(runs[run], rows)
            rows = RunRows(self.names)

    def _compare(self, listed: Listed, rows: RunRows) -> None:
        self.accounts[listed.run] = rows.accounts
        for name, line in listed.lines(self.partition):
            if wrong := wrong_in(line, rows.lines):
                text = f"citizen {line.key[CITIZEN]}: {wrong}"
                self.found.add(Violation("files", name, self.partition, line.number, text))
        for key in left_out(rows.lines):
            municipality, week, citizen, benefit, *_ = key
            if municipality in listed.municipalities:
                text = f"citizen {citizen}, {benefit}, week of {week}: no line in the file of {municipality} for run"
                place = self.topic, self.partition, rows.places[key]
                self.found.add(Violation("files", *place, f"{text} {listed.run}"))
            elif listed.is_whole:
                self.unlisted.add((listed.run, str(municipality)))


def compare_accounts(read: RunFiles, audits: list[FilesAudit], found: Found) -> None:
    """What no partition can say alone: `sumposteringer`, files that are missing, and runs that were never closed."""
    for run in read.runs:
        parts = [audit.accounts[run] for audit in audits if run in audit.accounts]
        if len(parts) < len(audits):
            text = (
                f"run {run} is not closed in {len(audits) - len(parts)} partitions of the postings"
            )
            found.add(Violation("files", f"run {run}", NOWHERE, NOWHERE, text))
            continue
        due: dict[Key, Money] = {}
        for part in parts:
            add_all(due, part)
        with_sums = {key[0] for key in read.accounts.get(run, {})}
        for name, line in read.accounts.get(run, {}).values():
            if wrong := wrong_in(line, due):
                found.add(Violation("files", name, NOWHERE, line.number, wrong))
        for key in left_out(due):
            if key[0] in with_sums:
                municipality, account, benefit, month, *_ = key
                text = f"account {account or '-'}, {benefit}, {month}: no line in `sumposteringer` of {municipality}"
                found.add(Violation("files", f"run {run}", NOWHERE, NOWHERE, text))
        for missing in sorted(
            {code for audit in audits for at, code in audit.unlisted if at == run}
        ):
            text = f"municipality {missing} has rows in the run and no file, which others have"
            found.add(Violation("files", f"run {run}", NOWHERE, NOWHERE, text))
