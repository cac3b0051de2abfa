"""Reads amounts as people write them in tables: kroner with a decimal comma."""

import re
from typing import Final

AMOUNT: Final = re.compile(r"-?\d{1,3}(?:\.\d{3}){0,4}(?:,\d{1,2})?|-?\d{1,15}(?:,\d{1,2})?")
"""The form of an amount, such as 1.234,50."""


def ore_of(amount: str) -> int:
    """Turn kroner with a decimal comma into øre.

    >>> ore_of("1.234,5"), ore_of("-0,05"), ore_of("7")
    (123450, -5, 700)
    """
    whole, _, rest = amount.replace(".", "").lstrip("-").partition(",")
    ore = int(whole) * 100 + int(rest.ljust(2, "0") or 0)
    return -ore if amount.startswith("-") else ore
