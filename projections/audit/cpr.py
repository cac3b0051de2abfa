"""Looks for CPR numbers in texts in which none may be.

Formats are checked so narrowly that a CPR number can hide only in a text that somebody else wrote,
the report's id; there, and in every record that is not as it should be, it is looked for. The
pattern for ten digits is handed in: no module of the projections has one.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

_SHAPED: Final = re.compile(
    rb'k[0-9a-f]{8}\.[\w-]+|(?<![0-9a-f])[0-9a-f]{24,}|"\w*_ore"\s*:\s*-?\d+'
)
"""Matches seals, digests and amounts: they are no CPR numbers, however their digits fall."""
_MONTH_DAYS: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_FICTIVE_DAY: Final = 60
"""Added to the day in the CPR numbers of persons who do not exist."""


class CprSearch:
    """Looks for CPR numbers; `digits_in` finds all ten digits that are written as one."""

    def __init__(self, digits_in: Callable[[bytes], Iterable[str]]) -> None:
        self.digits_in = digits_in

    def candidates(self, text: bytes) -> Iterator[str]:
        """Find ten digits that begin with a possible date, outside seals, digests and amounts."""
        if any(self.digits_in(text)):  # nearly never
            yield from filter(_begins_with_a_date, self.digits_in(_SHAPED.sub(b" ", text)))

    def finds(self, *texts: bytes) -> bool:
        """Tell whether one of the texts holds what looks like a CPR number."""
        return any(any(self.candidates(text)) for text in texts)


def _begins_with_a_date(digits: str) -> bool:
    day_of_month, month = int(digits[:2]), int(digits[2:4])
    if day_of_month > _FICTIVE_DAY:
        day_of_month -= _FICTIVE_DAY
    return 1 <= month <= len(_MONTH_DAYS) and 1 <= day_of_month <= _MONTH_DAYS[month - 1]
