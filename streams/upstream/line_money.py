"""The money of lines: amounts with their signs, shares of ATP, and what no report takes.

Each amount of the blankets 16001 and 16300 is somewhere: in a report, or explained. So there are
two counts that must agree: all that the blankets hold, and what became of each line.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Final

from streams.upstream.answers import Blanket
from streams.upstream.refund_lines import (
    INCOME,
    ON_LINE,
    PENSIONS,
    REFUND,
    SUBSIDY,
    WAGES,
    RefundLine,
    Refused,
    ore_of,
)

ALONE: Final = tuple(dict.fromkeys((*WAGES, *ON_LINE[1:])))
"""Fields of 16001 that may hold the amount of a line without 16300."""
_AMOUNTS: Final = {REFUND: ON_LINE, INCOME: (*ALONE, SUBSIDY)}


class LineMoney:
    """Reads the money of lines, by the signs of fields and the field that holds the ATP."""

    def __init__(self, signs: Mapping[int, int], atp_field: int) -> None:
        self._signs = signs
        self._atp_field = atp_field
        self._fields = _AMOUNTS | {INCOME: (*_AMOUNTS[INCOME], *PENSIONS, atp_field)}

    def held(self, blankets: list[Blanket], told: Counter[str]) -> Counter[str]:
        """Add up all money that blankets hold, by field; count what is no amount."""
        found: Counter[str] = Counter()
        for blanket in (each for top in blankets for each in top.all()):
            fields = self._fields.get(blanket.number, ())
            for field, text in blanket.fields:
                if field in fields and text:
                    try:
                        found[f"{field:03d}"] += ore_of(text) * self._signs.get(field, 1)
                    except Refused:
                        told["unreadable_amounts"] += 1
        return found

    def amount(self, line: RefundLine) -> int:
        """Give the amount of a line, signed. Raises Refused."""
        found = self._amounts(line)
        if len(found) == 1:
            return found[0]
        reason = "ambiguous_amount" if found else "no_amount"
        words = "more than one field with money" if found else "no field with money"
        raise Refused(reason, "amount_ore", f"the line has {words}")

    def _amounts(self, line: RefundLine) -> list[int]:
        if line.line is None:
            return self._exact(line.income, ALONE)
        found = self._exact(line.line, ON_LINE)
        return found or (self._exact(line.income, (SUBSIDY,)) if takes_subsidy(line) else [])

    def sums(self, line: RefundLine, fields: tuple[int, ...]) -> int | None:
        """Add up fields of a line's 16001; None where it has none of them. Raises Refused."""
        found = self._exact(line.income, fields)
        return sum(found) if found else None

    def _exact(self, blanket: Blanket | None, fields: tuple[int, ...]) -> list[int]:
        if blanket is None:
            return []
        return [
            ore_of(text) * self._signs.get(field, 1)
            for field, text in blanket.fields
            if field in fields and text
        ]

    def _readable(self, blanket: Blanket | None, fields: tuple[int, ...]) -> Iterator[int]:
        """Yield the amounts of fields, without those that are none."""
        for field, text in blanket.fields if blanket and fields else ():
            if field in fields and text:
                with suppress(Refused):
                    yield ore_of(text) * self._signs.get(field, 1)

    def atp(self, line: RefundLine, amount_ore: int) -> int:
        """Give the ATP of a line. Raises Refused where it has another sign than the amount."""
        self._exact(line.income, (self._atp_field,))
        atp_ore = self._atp_share(line)
        if atp_ore * amount_ore < 0:
            raise Refused(
                "bad_amount", "atp_ore",
                "the ATP of blanket 16001 has another sign than the amount of the line",
            )  # fmt: skip
        return atp_ore

    def _atp_share(self, line: RefundLine) -> int:
        """Give all ATP of the 16001, or the line's share by amount of several lines' ATP.

        Only lines of the ATP's sign have a share, where there are any.
        """
        atp_ore = sum(self._readable(line.income, (self._atp_field,)))
        if len(line.beside) < 2 or not atp_ore:
            return atp_ore
        inside = sorted(line.beside, key=lambda each: sorted(each.fields))
        signed = [sum(self._readable(each, ON_LINE)) for each in inside]
        amounts = [abs(ore) if ore * atp_ore > 0 else 0 for ore in signed]
        if not any(amounts):
            amounts = [*map(abs, signed)] if any(signed) else [1] * len(inside)
        at = next(number for number, each in enumerate(inside) if each is line.line)
        before, total = sum(amounts[:at]), sum(amounts)
        return atp_ore * (before + amounts[at]) // total - atp_ore * before // total

    def own(self, line: RefundLine) -> int:
        """Add up all amounts that are a line's own."""
        if line.line is None:
            return sum(self._readable(line.income, _AMOUNTS[INCOME]))
        own = sum(self._readable(line.line, ON_LINE))
        return own + sum(self._readable(line.income, (SUBSIDY,) if takes_subsidy(line) else ()))

    def aside(self, line: RefundLine) -> int:
        """Add up what a report may have beside its amount: the share of the ATP, and pension."""
        pension = sum(self._readable(line.income, () if line.line else PENSIONS))
        return pension + self._atp_share(line)

    def beside(self, line: RefundLine) -> int:
        """Add up the money of a 16001 that stands beside its lines; the first of them tells it."""
        if line.line is None or not line.is_first:
            return 0
        taken = (SUBSIDY,) if takes_subsidy(line) else ()
        fields = tuple(field for field in _AMOUNTS[INCOME] if field not in taken)
        return sum(self._readable(line.income, (*fields, *PENSIONS)))


def takes_subsidy(line: RefundLine) -> bool:
    """Tell if a line's amount is the subsidy of its 16001, for which 16300 has no field."""
    return (
        line.line is not None
        and len(line.beside) == 1
        and not any(line.line.texts(field) for field in ON_LINE)
    )
