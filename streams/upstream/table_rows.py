"""Reads the rows of a table: CSV with a header line, JSON Lines, or one JSON array."""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import IO, Any, Final, NamedTuple

from streams.kit.errors import UserError
from streams.upstream.column_map import MappedColumn, TableMapping
from streams.upstream.refund_lines import Refused

LONGEST_ROW: Final = 1 << 20
MOST_BYTES: Final = 1 << 28
"""Bytes of the largest JSON array, which is read whole; JSON Lines have no bound."""
_SURROGATES: Final = range(0xDC80, 0xDD00)


class MappedRow(NamedTuple):
    """A row by its columns, with its number, the header line being 1; or why it is none."""

    number: int
    cells: Mapping[str, Any]
    refused: Refused | None = None


def rows_of(file: IO[bytes], mapping: TableMapping) -> Iterator[MappedRow]:
    """Yield the rows of a file. Raises UserError where the whole table is not as mapped."""
    return _csv_rows(file, mapping) if mapping.format == "csv" else _json_rows(file, mapping)


# --- CSV ------------------------------------------------------------------------------------------


def _csv_rows(file: IO[bytes], mapping: TableMapping) -> Iterator[MappedRow]:
    encoding = "utf-8-sig" if mapping.encoding == "utf-8" else mapping.encoding
    text = io.TextIOWrapper(file, encoding, errors="surrogateescape", newline="")
    try:
        yield from _csv_cells(_bounded(text), mapping)
    finally:
        with suppress(ValueError):  # whoever reads stopped early and has closed the file
            text.detach()


def _bounded(text: io.TextIOWrapper) -> Iterator[str]:
    """Yield the lines of a table, none of which is endless."""
    while line := text.readline(LONGEST_ROW):
        if len(line) == LONGEST_ROW:
            raise UserError("a line of the table is over 1 MiB; it may have other line ends")
        yield line


def _csv_cells(lines: Iterator[str], mapping: TableMapping) -> Iterator[MappedRow]:
    header: list[str] | None = None
    rows = csv.reader(lines, delimiter=mapping.delimiter, strict=True)
    while True:
        number = rows.line_num + 1
        try:
            cells = next(rows)
        except StopIteration:
            return
        except csv.Error:
            yield _no_row(number, "its quotes do not close, or a cell is too long")
            continue
        if not cells:
            continue
        if header is None:
            header = [name.strip() for name in cells]
            _check_header(header, mapping)
        elif len(cells) != len(header):
            yield _no_row(number, f"it has {len(cells)} cells, the header line {len(header)}")
        elif any(ord(letter) in _SURROGATES for cell in cells for letter in cell):
            yield _no_row(number, f"it is not in {mapping.encoding}; set `encoding`")
        else:
            yield MappedRow(number, dict(zip(header, cells, strict=True)))


def _check_header(header: Sequence[str], mapping: TableMapping) -> None:
    for each in mapping.columns:
        if (times := header.count(each.column)) != 1:
            what = "no column" if not times else f"{times} columns"
            raise UserError(
                f"{mapping.name}, line {each.line}: the table has {what} `{each.column}`; its first"
                " line names the columns, with the delimiter that the mapping says"
            )


# --- JSON -----------------------------------------------------------------------------------------


def _json_rows(file: IO[bytes], mapping: TableMapping) -> Iterator[MappedRow]:
    if mapping.encoding != "utf-8":
        raise UserError(f"{mapping.name}: JSON is in UTF-8; leave `encoding` out")
    first = file.readline(LONGEST_ROW)
    if first.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"["):
        yield from _array_rows(first, file)
        return
    number, line = 1, first.removeprefix(b"\xef\xbb\xbf")
    while line:
        if len(line) == LONGEST_ROW:
            raise UserError("a line of the table is over 1 MiB; it may have other line ends")
        if line.strip():
            yield _json_row(number, line)
        number, line = number + 1, file.readline(LONGEST_ROW)


def _array_rows(first: bytes, file: IO[bytes]) -> Iterator[MappedRow]:
    text = first + file.read(MOST_BYTES)
    if len(text) > MOST_BYTES:
        raise UserError("the JSON array is over 256 MiB; write it as JSON Lines")
    try:
        rows = _loads(text)
    except (ValueError, RecursionError):
        raise UserError("the table begins as a JSON array and is none; correct it") from None
    for number, row in enumerate(rows, 1):
        yield MappedRow(number, row) if isinstance(row, dict) else _no_row(number, _NO_OBJECT)


def _json_row(number: int, line: bytes) -> MappedRow:
    try:
        row = _loads(line)
    except (ValueError, RecursionError):
        return _no_row(number, _NO_OBJECT)
    return MappedRow(number, row) if isinstance(row, dict) else _no_row(number, _NO_OBJECT)


_NO_OBJECT: Final = "it is no JSON object in UTF-8 whose keys differ"


def _loads(text: bytes) -> Any:
    return json.loads(
        text.decode("utf-8-sig"),
        parse_float=Decimal,
        parse_constant=_no_number,
        object_pairs_hook=_differing,
    )


def _no_number(_name: str) -> Any:
    raise ValueError("no number of JSON")


def _differing(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key that comes twice")
    return found


def cell_of(row: MappedRow, column: MappedColumn) -> Any:
    """Give the cell of a column; None where JSON leaves it out. `a.b` is a key inside an object."""
    if column.column in row.cells:
        return row.cells[column.column]
    cell: Any = row.cells
    for key in column.column.split("."):
        cell = cell.get(key) if isinstance(cell, dict) else None
    return cell


def _no_row(number: int, sentence: str) -> MappedRow:
    return MappedRow(number, {}, Refused("bad_row", "", sentence))
