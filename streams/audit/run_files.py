"""Reads the run files in a folder (`refusion verify --files`) and holds them against the postings.

Each line goes to the partition of its citizen. Of CPR numbers only pseudonyms are kept, in
temporary files beside the partitions that they are held against.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

import orjson

from projections.audit.run_files import (
    SPECIFICATION,
    FileLine,
    LineKey,
    MoneyOre,
    RunFile,
    RunRows,
    add_all,
    left_out,
    read_lines,
    run_file,
    wrong_in,
)
from projections.audit.violations import Violation, Violations, as_bad
from projections.runs.files import Names
from streams.engine.ports import Record
from streams.kit.errors import UserError
from streams.kit.spool import Scattered, records_in
from streams.kit.table_lines import cells_of
from streams.wire.cloudevents import source_offset
from streams.wire.partitioner import partition_of

NOWHERE: Final = -1
"""Partition of a violation that is in no partition."""
LINE_BYTES: Final = 200
"""About the size of a line."""
CITIZEN: Final = 2
"""Position of the citizen in the key of a line of `beregning`."""


class RunLines(NamedTuple):
    """One run's lines by partition, in a folder; and the municipalities whose files were read."""

    run: int
    folder: Path
    municipalities: frozenset[str]

    def lines(self, partition: int) -> Iterator[tuple[str, FileLine]]:
        """The lines of a partition's citizens, each with the name of its file."""
        for name, *line in records_in(self.folder / f"{self.run}-{partition}"):
            yield name, FileLine(*line)

    @property
    def is_whole(self) -> bool:
        """True for a whole run's files: somebody may ask for a single municipality's alone."""
        return len(self.municipalities) > 1


@dataclass
class RunFiles:
    """All that was read. `accounts` by run: the lines of `sumposteringer` with their files."""

    runs: dict[int, RunLines] = field(default_factory=dict)
    accounts: dict[int, dict[LineKey, tuple[str, FileLine]]] = field(default_factory=dict)
    files: int = 0
    lines: int = 0


def read_files(
    folder: Path,
    into: Path,
    partitions: int,
    citizen_of: Callable[[str], str | None],
    violations: Violations,
) -> RunFiles:
    """Read the files of a folder. Raises UserError where there are none."""
    read, by_run = RunFiles(), _by_run(folder)
    if not by_run:
        raise UserError(
            f"{folder} holds no file yr-ydelsesrefusion-beregning-….csv; give the folder of an"
            " export"
        )
    for run, files in sorted(by_run.items()):
        with ExitStack() as stack:
            scattered = Scattered(stack, into, str(run), partitions)
            for path, file in files:
                for line in _lines_of(path, file, citizen_of, violations):
                    read.lines += 1
                    if file.kind == SPECIFICATION:
                        at = partition_of(str(line.key[CITIZEN]).encode(), partitions)
                        scattered.put(at, (path.name, *line), LINE_BYTES)
                    else:
                        read.accounts.setdefault(run, {})[line.key] = (path.name, line)
        read.files += len(files)
        municipalities = {file.municipality for _, file in files if file.kind == SPECIFICATION}
        read.runs[run] = RunLines(run, into, frozenset(municipalities))
    return read


def _by_run(folder: Path) -> dict[int, list[tuple[Path, RunFile]]]:
    by_run: dict[int, list[tuple[Path, RunFile]]] = {}
    for path in sorted(folder.iterdir()):
        if file := run_file(path.name):
            by_run.setdefault(file.run, []).append((path, file))
    return by_run


def _lines_of(
    path: Path, file: RunFile, citizen_of: Callable[[str], str | None], violations: Violations
) -> Iterator[FileLine]:
    try:
        with path.open(encoding="utf-8", newline="\n") as text:
            rows = (cells_of(line.rstrip("\r\n")) or [] for line in text)
            for line in read_lines(file, rows, citizen_of):
                if isinstance(line, FileLine):
                    yield line
                else:
                    number, error = line
                    violations.add(Violation("files", path.name, NOWHERE, number, error.text))
    except UnicodeDecodeError:
        text_said = "it is no table in UTF-8"
        violations.add(Violation("files", path.name, NOWHERE, NOWHERE, text_said))


# --- beside the postings --------------------------------------------------------------------------


@dataclass
class FilesAudit:
    """The files held against one partition's postings.

    `accounts` are the sums by run of what `sumposteringer` must say. `unlisted` are municipalities
    that have rows in a run and no file.
    """

    topic: str
    partition: int
    settled_to: int
    names: Names
    violations: Violations = field(default_factory=Violations)
    accounts: dict[int, dict[LineKey, MoneyOre]] = field(default_factory=dict)
    unlisted: set[tuple[int, str]] = field(default_factory=set)

    async def compare(self, postings: AsyncIterator[Record], runs: dict[int, RunLines]) -> None:
        """Go through the postings; the rows between two markers are those of the later's run."""
        rows = RunRows(self.names)
        async for record in postings:
            if source_offset(record.headers) >= self.settled_to:
                continue
            try:
                message = orjson.loads(record.value or b"")
                if record.key:
                    rows.add(record.offset, message)
                    continue
                run = message["run"]
            except Exception as error:  # noqa: BLE001 - as_bad raises defects of ours again
                as_bad(error)
                continue  # the scan of the postings names it
            if run in runs:
                self._compare_run(runs[run], rows)
            rows = RunRows(self.names)

    def _compare_run(self, run_lines: RunLines, rows: RunRows) -> None:
        self.accounts[run_lines.run] = rows.accounts
        for name, line in run_lines.lines(self.partition):
            if wrong := wrong_in(line, rows.lines):
                text = f"citizen {line.key[CITIZEN]}: {wrong}"
                self.violations.add(Violation("files", name, self.partition, line.number, text))
        for key in left_out(rows.lines):
            municipality, week, citizen, benefit, *_ = key
            if municipality in run_lines.municipalities:
                text = (
                    f"citizen {citizen}, {benefit}, week of {week}: no line in the file of"
                    f" {municipality} for run {run_lines.run}"
                )
                place = self.topic, self.partition, rows.places[key]
                self.violations.add(Violation("files", *place, text))
            elif run_lines.is_whole:
                self.unlisted.add((run_lines.run, str(municipality)))


def compare_accounts(read: RunFiles, audits: list[FilesAudit], violations: Violations) -> None:
    """Compare what no partition can alone: `sumposteringer`, missing files, runs never closed."""
    for run in read.runs:
        for name, line_number, text in _wrong_in_run(run, read, audits):
            violations.add(Violation("files", name, NOWHERE, line_number, text))


def _wrong_in_run(
    run: int, read: RunFiles, audits: list[FilesAudit]
) -> Iterator[tuple[str, int, str]]:
    """File, line number and sentence for each thing that is wrong with a run as a whole."""
    closed = [audit.accounts[run] for audit in audits if run in audit.accounts]
    whole_run = f"run {run}"
    if len(closed) < len(audits):
        open_in = len(audits) - len(closed)
        text = f"{whole_run} is not closed in {open_in} partitions of the postings"
        yield whole_run, NOWHERE, text
        return
    due: dict[LineKey, MoneyOre] = {}
    for accounts in closed:
        add_all(due, accounts)
    lines = read.accounts.get(run, {})
    with_sums = {municipality for municipality, *_ in lines}
    for name, line in lines.values():
        if wrong := wrong_in(line, due):
            yield name, line.number, wrong
    for municipality, account, benefit, month, *_ in left_out(due):
        if municipality in with_sums:
            text = (
                f"account {account or '-'}, {benefit}, {month}: no line in `sumposteringer` of"
                f" {municipality}"
            )
            yield whole_run, NOWHERE, text
    for missing in sorted({code for audit in audits for at, code in audit.unlisted if at == run}):
        text = f"municipality {missing} has rows in the run and no file, which others have"
        yield whole_run, NOWHERE, text
