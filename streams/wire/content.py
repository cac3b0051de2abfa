"""The checks of a record's content against the rule data: periods, benefits, municipalities, money.

Each check returns the rejection, or None where the content is right (contract section 2).
"""

from datetime import date
from typing import Final, NamedTuple

from domain.basics.weeks import day
from domain.ruledata.ruleset import Benefit, Mechanism, RuleSet
from streams.privacy.cpr import is_cpr, is_fictive, spells
from streams.wire.rejections import (
    AFTER_2099,
    BAD_CPR,
    BEFORE_2014,
    ENDS_BEFORE_START,
    NOT_FICTIVE,
    NOT_REPORTABLE,
    NOT_VALID,
    OTHER_SIGN,
    SIXTY_ADDED,
    TOO_LONG,
    UNKNOWN_BENEFIT,
    Rejection,
    cpr_in_id,
    too_much,
    unknown_municipality,
)
from streams.wire.shapes import MAX_AMOUNT_ORE, MAX_PERIOD_DAYS

FIRST_DAY: Final = day("2014-01-01")
LAST_DAY: Final = day("2099-12-31")


class KnownBenefit(NamedTuple):
    """A benefit as validation knows it; `first` and `last` are the days of its validity."""

    mechanism: Mechanism | None
    reportable: bool
    first: int
    last: int


class Content:
    """The checks by one rule set; `demo` accepts CPR numbers with 60 added to the day.

    With `only_fictive` no others are accepted.
    """

    def __init__(self, rules: RuleSet, demo: bool, only_fictive: bool = False) -> None:
        self.demo = demo
        self.only_fictive = only_fictive
        self.benefits = {code: _known(benefit) for code, benefit in rules.benefits.items()}
        self.municipalities = frozenset(rules.municipalities)

    def lacks_municipality(self, benefit: object, paying: object, financing: object) -> bool:
        """Tell whether a payment lacks the municipality that its benefit's mechanism requires.

        Refusion needs one of the two, medfinansiering the one that finances.
        """
        known = self.benefits.get(benefit) if isinstance(benefit, str) else None
        if known is None or financing is not None:
            return False
        return known.mechanism == "medfinansiering" or (
            known.mechanism == "refusion" and paying is None
        )

    def refuse_cpr(self, cpr: str) -> Rejection | None:
        """Check that a text can be a CPR number."""
        if is_cpr(cpr, self.demo):
            return NOT_FICTIVE if self.only_fictive and not is_fictive(cpr) else None
        return SIXTY_ADDED if is_cpr(cpr, demo=True) else BAD_CPR

    def refuse_number(self, cpr: str, **ids: str) -> Rejection | None:
        """Check a report's CPR number, and that no id, given by its field, has it as well.

        An id is in keys, headers, logs and files, which a CPR number must never enter.
        """
        if refused := self.refuse_cpr(cpr):
            return refused
        return next((cpr_in_id(name) for name, text in ids.items() if spells(text, cpr)), None)

    def refuse_benefit(self, code: str, start: int, end: int) -> Rejection | None:
        """Check that a benefit exists, can be reported and is valid on a day of the period."""
        known = self.benefits.get(code)
        if known is None:
            return UNKNOWN_BENEFIT
        if not known.reportable:
            return NOT_REPORTABLE
        return NOT_VALID if start > known.last or end < known.first else None

    def refuse_municipality(self, field: str, code: str | None) -> Rejection | None:
        """Check that a municipality is known, where there is one."""
        return None if code is None or code in self.municipalities else unknown_municipality(field)

    def refuse_place(
        self, benefit: str, start: int, end: int, paying: str | None, financing: str | None
    ) -> Rejection | None:
        """Check a payment's period, benefit and municipalities."""
        return (
            refuse_period(start, end)
            or self.refuse_benefit(benefit, start, end)
            or self.refuse_municipality("paying_municipality", paying)
            or self.refuse_municipality("financing_municipality", financing)
        )


def both_municipalities(
    mechanism: Mechanism | None, paying: str | None, financing: str | None
) -> tuple[str | None, str | None]:
    """Return the paying and the financing municipality; for refusion each defaults to the other.

    >>> both_municipalities("refusion", "730", None)
    ('730', '730')
    """
    if mechanism == "refusion":
        return paying or financing, financing or paying
    return paying, financing


def refuse_period(start: int, end: int) -> Rejection | None:
    """Check that a period of days has an order, a length and dates that can be settled."""
    if start < FIRST_DAY:
        return BEFORE_2014
    if end < start:
        return ENDS_BEFORE_START
    if end - start >= MAX_PERIOD_DAYS:
        return TOO_LONG
    return AFTER_2099 if end > LAST_DAY else None


def refuse_amounts(amount_ore: int, other_field: str, other_ore: int) -> Rejection | None:
    """Check that two amounts, paid or repaid, are at most 10^9 øre."""
    if abs(amount_ore) > MAX_AMOUNT_ORE:
        return too_much("amount_ore")
    return too_much(other_field) if abs(other_ore) > MAX_AMOUNT_ORE else None


def refuse_sign(amount_ore: int, atp_ore: int) -> Rejection | None:
    """Check that ATP is paid or repaid as its amount is; nothing has no sign."""
    return OTHER_SIGN if amount_ore * atp_ore < 0 else None


def _known(benefit: Benefit) -> KnownBenefit:
    last = benefit.valid_to or date.max
    return KnownBenefit(
        benefit.mechanism, benefit.reportable, benefit.valid_from.toordinal(), last.toordinal()
    )
