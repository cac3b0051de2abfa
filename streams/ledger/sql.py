"""Writes values into SQL for the ledger, whatever signs they have.

The engine inside deltalake takes no parameters, so a value becomes a literal here and nowhere else.
"""

from collections.abc import Iterable


def sql_text(value: str) -> str:
    """Write a text as a literal: a quote in it is doubled, no other sign means anything.

    >>> sql_text("x' OR 'a'='a")
    "'x'' OR ''a''=''a'"
    """
    return "'" + value.replace("'", "''") + "'"


def sql_texts(values: Iterable[str]) -> str:
    """Write texts as a list for `IN`.

    >>> sql_texts(["730", "751"])
    "('730', '751')"
    """
    return f"({', '.join(map(sql_text, values))})"
