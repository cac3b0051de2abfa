"""Amounts of money as people read them."""

from typing import Final

MINUS: Final = "−"
"""The typographic minus sign, for tables that are only read."""


def kroner(ore: int, *, minus: str = "-", plus: str = "") -> str:
    """Write an amount in øre as kroner with two decimals; nothing is rounded.

    >>> kroner(123456789), kroner(-5), kroner(100, plus="+")
    ('1,234,567.89', '-0.05', '+1.00')
    """
    whole, rest = divmod(abs(ore), 100)
    sign = minus if ore < 0 else plus if ore else ""
    return f"{sign}{whole:,}.{rest:02d}"
