"""The lists of rows that are in no file of a run: `left-out-run-0060.jsonl`, beside the files.

An export of the whole run has one list, an export of one municipality another one, such as
`left-out-run-0060-730.jsonl`; there is none where nothing was left out. Together they say what is
lacking in the files that are there now, so a list goes when files without gaps have got their
place, and never before: `refusion deliver` asks them what it must keep back.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import orjson

from projections.runs.left_out import LeftOut
from streams.ledger.draft import whole_file


class ExportScope(NamedTuple):
    """An export writes a run, or one municipality of it."""

    run: int
    only: str | None = None

    @property
    def name(self) -> str:
        """Return the scope's name in names of files."""
        return f"run-{self.run:04d}-{self.only}" if self.only else f"run-{self.run:04d}"

    @property
    def list_name(self) -> str:
        """Return the name of the list of what is left out."""
        return f"left-out-{self.name}.jsonl"


def write_list(draft: Path, scope: ExportScope, left_out: Iterable[LeftOut]) -> None:
    """Write the list of an export into its draft. Raises OSError."""
    lines = [orjson.dumps(each._asdict()) for each in left_out]
    if lines:
        _write(draft / scope.list_name, lines)


def outdate_lists(folder: Path, draft: Path, scope: ExportScope, *, is_listed: bool) -> None:
    """Take out of the lists what the files of an export, which are in place now, have made untrue.

    `is_listed`: the export has a list of its own, which is in place too. Raises OSError.
    """
    if not is_listed:
        (folder / scope.list_name).unlink(missing_ok=True)
    if scope.only is None:
        for path in folder.glob(f"left-out-{scope.name}-*.jsonl"):
            path.unlink(missing_ok=True)
        return
    of_run = folder / ExportScope(scope.run).list_name
    lines = of_run.read_bytes().splitlines() if of_run.exists() else []
    others = [line for line in lines if _municipality(line) != scope.only]
    if not others:
        of_run.unlink(missing_ok=True)
    elif len(others) < len(lines):
        _write(draft / of_run.name, others)
        (draft / of_run.name).replace(of_run)


def incomplete(folder: Path, run: int) -> set[str]:
    """Return the municipalities in whose files rows of a run are missing."""
    lists = folder.glob(f"left-out-{ExportScope(run).name}*.jsonl")
    return {_municipality(line) for path in lists for line in path.read_bytes().splitlines()}


def _municipality(line: bytes) -> str:
    return str(orjson.loads(line)["municipality"])


def _write(path: Path, lines: Sequence[bytes]) -> None:
    with whole_file(path, "b") as file:
        file.writelines(line + b"\n" for line in lines)
