"""Reads amounts as people write them in tables, and rounds them as sentences and pictures do."""

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


def whole_kroner(ore: int) -> int:
    """Round an amount to whole kroner, half away from zero.

    >>> whole_kroner(-77_350_13), whole_kroner(-50), whole_kroner(49), whole_kroner(895_999)
    (-77350, -1, 0, 8960)
    """
    whole = (abs(ore) + 50) // 100
    return -whole if ore < 0 else whole
