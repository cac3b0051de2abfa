"""Adds up a run by municipality: in the ledger, and in the files that were exported."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from projections.audit.run_files import FileLine, read_lines, run_file
from projections.ledger.entries import ROW_KINDS
from projections.lis.statements import MUNICIPALITY
from streams.dossier.run_part import PackageError, Sums
from streams.dossier.zip_file import digest_of
from streams.kit.table_lines import cells_of
from streams.ledger.cuts import cuts_of, entries_of
from streams.ledger.sql import sql_texts
from streams.ledger.table import LedgerTable

NOBODY: Final = "?"
"""Stands for every citizen: the sums of a file do not need to know who it is about."""


class ExportedSums(NamedTuple):
    """The files of a run: name, SHA-256 and lines of each, and sums by kind and municipality."""

    files: list[tuple[str, str, int]]
    sums: Mapping[str, dict[str, Sums]]


def ledger_sums(uri: str, run: int) -> dict[str, Sums]:
    """Add up a run in the ledger. Raises UserError where it is not there."""
    ledger = LedgerTable.open(uri)
    where = f"{entries_of(cuts_of(ledger, run))} AND kind IN {sql_texts(ROW_KINDS)}"
    rows = ledger.rows(
        f"SELECT {MUNICIPALITY} AS place, count(*), sum(amount_ore), sum(refusion_ore),"  # noqa: S608 - our own names and numbers
        f" sum(medfinansiering_ore) FROM ledger WHERE {where} GROUP BY place"
    )
    return {place or "": [*map(int, sums)] for place, *sums in rows}


def exported_sums(folder: Path, run: int) -> ExportedSums:
    """Add up the files of a run in a folder. Raises PackageError where there are none."""
    files = []
    sums: dict[str, dict[str, Sums]] = {"beregning": {}, "sumposteringer": {}}
    for path in sorted(folder.iterdir()):
        file = run_file(path.name)
        if file is None or file.run != run:
            continue
        content = path.read_bytes()
        rows = [cells_of(line) or [] for line in content.decode("utf-8", "replace").splitlines()]
        lines = [*read_lines(file, rows, lambda _cpr: NOBODY)]
        of_kind = sums[file.kind].setdefault(file.municipality, [0, 0, 0, 0])
        for line in lines:
            if not isinstance(line, FileLine):
                raise PackageError(f"{path}: line {line[0]} is no line of such a file")
            _, amount_ore, refusion_ore, medfinansiering_ore = line.money
            for at, number in enumerate((1, amount_ore, refusion_ore, medfinansiering_ore)):
                of_kind[at] += number
        files.append((path.name, digest_of(content), len(lines)))
    if not files:
        raise PackageError(
            f"{folder} has no files of run {run}; make them with `refusion export --run {run}`"
        )
    return ExportedSums(files, sums)
