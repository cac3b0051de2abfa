"""Reads tables (CSV with semicolons) a line at a time.

A cell of ours never holds a line end. So a quote that is not closed on its line is a mistake of
that line, and must not swallow the lines after it, as it does where a reader is given all of them.
"""

import csv


def cells_of(line: str) -> list[str] | None:
    """Split a line into cells; None where its quotes are not closed, or a cell is endless.

    >>> cells_of('1;"a;b";2')
    ['1', 'a;b', '2']
    >>> cells_of('1;"a;b') is None
    True
    """
    try:
        return next(csv.reader([line], delimiter=";", strict=True), [])
    except csv.Error:
        return None
