"""Gives an answer as a file: the same bytes as `refusion lis` writes for the same question."""

from io import StringIO
from typing import Final

import orjson

from projections.lis.answers import Answer, as_object, write_csv
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
