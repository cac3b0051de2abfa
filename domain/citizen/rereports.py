"""Payments that their reporter reports anew while the first report stands.

The income register takes the new report before the reversal of the old one, so between the two the
money is there twice. That cannot be seen for certain: what is alike enough is noticed, and pays.
"""

from collections.abc import Callable, Iterable

from domain.citizen.records import Part
from domain.citizen.reports import Line, Payment
from domain.law.staircase import OUTSIDE

MOST_DIFFERENT = 10
"""Two amounts are alike where they differ by a tenth of the larger at most."""


def are_alike(amount_ore: int, other_ore: int, *, same_benefit: bool) -> bool:
    """Tell if two amounts may be one payment, reported twice; of two benefits only equal ones.

    >>> are_alike(1000, 900, same_benefit=True), are_alike(1000, 899, same_benefit=True)
    (True, False)
    >>> are_alike(1000, 999, same_benefit=False), are_alike(-5, 5, same_benefit=True)
    (False, False)
    """
    if not same_benefit:
        return amount_ore == other_ore != 0
    difference_ore = abs(amount_ore - other_ore)
    largest_ore = max(abs(amount_ore), abs(other_ore))
    return amount_ore * other_ore > 0 and difference_ore * MOST_DIFFERENT <= largest_ore


def earlier_report(
    payment: Payment, parts: Iterable[Part], is_of_group: Callable[[Line, str], bool]
) -> Line | None:
    """Give the first line that stands and that a payment may replace; months in their order.

    It is of the same reporter and channel, of overlapping days and of another group. One with the
    same benefit, period and amount is a possible duplicate, and noticed as such.
    """
    start, end = payment.start, payment.end
    for part in parts:
        for line in part.lines:
            if line.start > end or line.end < start or line.reversed:  # most others
                continue
            if line.reporter != payment.reporter or line.channel != payment.channel:
                continue
            same_benefit = line.code.removesuffix(OUTSIDE) == payment.benefit
            if not are_alike(payment.amount_ore, line.amount_ore, same_benefit=same_benefit):
                continue
            says = (line.start, line.end, line.amount_ore)
            if same_benefit and says == (start, end, payment.amount_ore):
                continue
            if not (payment.group and is_of_group(line, payment.group)):
                return line
    return None
