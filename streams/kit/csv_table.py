"""Writes a small table as CSV for a spreadsheet of ours."""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from projections.lis.answers import BYTE_ORDER_MARK
from projections.runs.files import harmless


def csv_table(
    names: Sequence[str], rows: Iterable[Sequence[Any]], cell: Callable[[Any], Any] = harmless
) -> bytes:
    r"""Write a table: a byte order mark, semicolons, a header line; no cell begins a formula.

    `cell` writes a value.

    >>> csv_table(["who"], [["=1"]])
    b"\xef\xbb\xbfwho\r\n'=1\r\n"
    """
    text = io.StringIO()
    text.write(BYTE_ORDER_MARK)
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    writer.writerow(names)
    writer.writerows(map(cell, row) for row in rows)
    return text.getvalue().encode()
