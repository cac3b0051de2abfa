"""Checks that what stands posted of a benefit is what was reported of it, to the øre."""

from collections import Counter
from collections.abc import Container, Iterator
from typing import Final

from domain.law.old_cases import TRANSITIONAL
from projections.audit.accounts import Account

FLEKSBIDRAG: Final = "FB"
"""Benefit that no report pays: it is computed."""


def wrong_sums(
    citizen: str, account: Account, benefits: Container[str] | None = None
) -> Iterator[str]:
    """A sentence for each benefit whose sums differ; benefits with an earlier system's rows aside.

    "citizen 3f..., KTH: 1 øre more are posted than reported". `benefits` are those of the rule set
    that settled the citizen last (None: all): money of others has no rows under it.
    """
    differences_ore: Counter[str] = Counter()
    for name, payment in account.payments.items():
        if not account.is_reversed(name, payment):
            differences_ore[payment.benefit] += payment.base_ore
    for cell, row in account.standing.items():
        differences_ore[cell.benefit] -= row.figures.amount_ore
    not_summed = account.unsummed | {cell.benefit for cell in account.opened} | TRANSITIONAL
    for code, ore in differences_ore.items():
        is_known = benefits is None or code in benefits
        if ore and is_known and code not in not_summed and code != FLEKSBIDRAG:
            more = "posted than reported" if ore < 0 else "reported than posted"
            yield f"citizen {citizen}, {code}: {abs(ore)} øre more are {more}"
