"""Gives an answer as a file: the same bytes as `refusion lis` writes for the same question."""

import csv
from collections.abc import Iterable
from io import StringIO
from typing import Final

import orjson

from projections.lis.answers import Answer, as_object, write_csv
from projections.lis.books import COLUMNS, BookLine
from streams.lis.parquet import answer_bytes

MEDIA: Final = {
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "parquet": "application/vnd.apache.parquet",
    "pdf": "application/pdf",
}
"""The forms of an answer that are files, and their media types."""


def file_bytes(answer: Answer, form: str) -> bytes:
    """Write an answer as CSV, JSON or Parquet."""
    if form == "csv":
        written = StringIO()
        write_csv(answer, written)
        return written.getvalue().encode()
    if form == "json":
        return orjson.dumps(as_object(answer)) + b"\n"
    return answer_bytes(answer)


def written_books(lines: Iterable[BookLine]) -> str:
    """Write lines as the table that `read_books` reads."""
    table = StringIO()
    writer = csv.writer(table, delimiter=";", lineterminator="\n")
    writer.writerow(COLUMNS)
    for line in lines:
        kroner, ore = divmod(abs(line.amount_ore), 100)
        sign = "-" if line.amount_ore < 0 else ""
        writer.writerow((line.account, line.month, f"{sign}{kroner},{ore:02}"))
    return table.getvalue()
