"""The money of lines: amounts with their signs, shares of ATP, and what no report takes.

Each amount of the blankets 16001 and 16300 is somewhere: in a report, or explained. So there are
two counts that must agree: all that the blankets hold, and what became of each line.
"""

from collections.abc import Container, Mapping, MutableMapping, Sequence
from itertools import accumulate, pairwise
from typing import Final

from streams.upstream.answers import Blanket
from streams.upstream.refund_lines import (
    INCOME,
    ON_LINE,
    ORE,
    PENSIONS,
    REFUND,
    SUBSIDY,
    WAGES,
    RefundLine,
    Refused,
    ore_of,
)

Counts = MutableMapping[str, int]
"""The numbers counted of one period, by name; a name that is new begins with none."""
KNOWN_FIELDS: Final[Mapping[str, frozenset[int]]] = {
    "11000": frozenset({1, 6, 11, 12, 16, 151}),
    "16000": frozenset({19, 20, 21, 150}),
    "16001": frozenset(
        {57, 58, 59, 60, 70, 71, 75, 76, 78, 95, 96, 97, 197, 198, 199, 200, 215, 216, 217}
    ),
    "16300": frozenset({58, 70, 71, 78, 95, 201, 202, 203, 204, 205}),
}
"""Fields of the blankets that are read; others of them are counted and told."""
_NOT_READ: Final = frozenset({"16002", "16200", "16201", "16202"})
"""Blankets about holiday pay, which nothing here needs."""
ALONE: Final = frozenset({*WAGES, *ON_LINE})
"""Fields of 16001 that may hold the amount of a line without 16300."""
_ON_LINE: Final = frozenset(ON_LINE)
_SUBSIDY: Final = frozenset({SUBSIDY})
_PENSIONS: Final = frozenset(PENSIONS)
_INCOME: Final = ALONE | _SUBSIDY
_BESIDE: Final = {False: _INCOME | _PENSIONS, True: ALONE | _PENSIONS}
"""Fields of 16001 that stand beside its lines, by whether these take the subsidy."""


class LineMoney:
    """Reads the money of lines, by the signs of fields and the field that holds the ATP."""

    def __init__(self, signs: Mapping[int, int], atp_field: int) -> None:
        self._signs = signs
        self._atp = frozenset({atp_field})
        self._shares: tuple[object, object, dict[int, int]] = None, None, {}
        money = {REFUND: _ON_LINE, INCOME: _INCOME | _PENSIONS | self._atp}
        self._kinds = {
            number: {
                field: f"{field:03d}" if field in money.get(number, ()) else ""
                for field in known | money.get(number, frozenset())
            }
            for number, known in KNOWN_FIELDS.items()
        }

    def held(self, blankets: list[Blanket], told: Counts) -> dict[str, int]:
        """Add up all money that blankets hold, by field; count what is unknown or no amount."""
        found: dict[str, int] = {}
        for blanket in blankets:
            number = blanket.number
            kinds = self._kinds.get(number)
            if kinds is None:
                if number not in _NOT_READ:
                    told[f"unknown_blanket {number or '-'}"] += 1
                continue
            for field, text in blanket.fields:
                name = kinds.get(field)
                if name is None:
                    told[f"unknown_field {number}/{field:03d}"] += 1
                elif name and text:
                    ore = ORE[text]
                    if ore is None:
                        told["unreadable_amounts"] += 1
                    else:
                        found[name] = found.get(name, 0) + ore * self._signs.get(field, 1)
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
        found = self._exact(line.line, _ON_LINE)
        return found or (self._exact(line.income, _SUBSIDY) if takes_subsidy(line) else [])

    def sums(self, line: RefundLine, fields: Container[int]) -> int | None:
        """Add up fields of a line's 16001; None where it has none of them. Raises Refused."""
        found = self._exact(line.income, fields)
        return sum(found) if found else None

    def _exact(self, blanket: Blanket | None, fields: Container[int]) -> list[int]:
        if blanket is None:
            return []
        return [
            ore_of(text) * self._signs.get(field, 1)
            for field, text in blanket.fields
            if field in fields and text
        ]

    def _readable(self, blanket: Blanket | None, fields: Container[int]) -> int:
        """Add up the amounts of fields, without those that are none."""
        total = 0
        if blanket is not None:
            for field, text in blanket.fields:
                if field in fields and text:
                    total += (ORE[text] or 0) * self._signs.get(field, 1)
        return total

    def atp(self, line: RefundLine, amount_ore: int) -> int:
        """Give the ATP of a line. Raises Refused where it has another sign than the amount."""
        found = self._exact(line.income, self._atp)
        atp_ore = sum(found) if len(line.beside) < 2 else self._atp_share(line)
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
        atp_ore = self._readable(line.income, self._atp)
        if len(line.beside) < 2 or not atp_ore:
            return atp_ore
        income, beside, shares = self._shares
        if income is not line.income or beside is not line.beside:
            shares = self._atp_shares(line.beside, atp_ore)
            self._shares = line.income, line.beside, shares
        return shares[id(line.line)]

    def _atp_shares(self, lines: Sequence[Blanket], atp_ore: int) -> dict[int, int]:
        """Give the share of each of several lines, by the identity of its blanket."""
        inside = sorted(lines, key=lambda each: sorted(each.fields))
        signed = [self._readable(each, _ON_LINE) for each in inside]
        amounts = [abs(ore) if ore * atp_ore > 0 else 0 for ore in signed]
        if not any(amounts):
            amounts = [*map(abs, signed)] if any(signed) else [1] * len(inside)
        borders = [atp_ore * until // sum(amounts) for until in accumulate(amounts, initial=0)]
        return {
            id(each): until - since
            for each, (since, until) in zip(inside, pairwise(borders), strict=True)
        }

    def own(self, line: RefundLine) -> int:
        """Add up all amounts that are a line's own."""
        if line.line is None:
            return self._readable(line.income, _INCOME)
        own = self._readable(line.line, _ON_LINE)
        return own + (self._readable(line.income, _SUBSIDY) if takes_subsidy(line) else 0)

    def aside(self, line: RefundLine) -> int:
        """Add up what a report may have beside its amount: the share of the ATP, and pension."""
        pension = 0 if line.line else self._readable(line.income, _PENSIONS)
        return pension + self._atp_share(line)

    def beside(self, line: RefundLine) -> int:
        """Add up the money of a 16001 that stands beside its lines; the first of them tells it."""
        if line.line is None or not line.is_first:
            return 0
        return self._readable(line.income, _BESIDE[takes_subsidy(line)])


def takes_subsidy(line: RefundLine) -> bool:
    """Tell if a line's amount is the subsidy of its 16001, for which 16300 has no field."""
    return (
        line.line is not None
        and len(line.beside) == 1
        and not any(field in _ON_LINE and text for field, text in line.line.fields)
    )
