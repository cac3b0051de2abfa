"""Tells which benefits' money another rule set settles otherwise (`changed_benefits`)."""

from dataclasses import replace

from domain.ruledata.ruleset import LegalSource, RuleSet

_OF_BENEFIT = (
    "mechanism",
    "rate",
    "counts",
    "blocks",
    "atp_deducted",
    "turn_of_year_weekly",
    "state_points",
)
"""The fields of a benefit that accepted money depends on; its validity is none of them."""

_NO_SOURCE = LegalSource("", "assumed")


def changed_benefits(before: RuleSet, after: RuleSet) -> frozenset[str] | None:
    """The benefits whose accepted payments two rule sets settle differently; None is all of them.

    A citizen without money of these has the same rows and counters under both. An added benefit
    is among them, one that is only closed is not.
    """
    if _common(before) != _common(after):
        return None
    codes = before.benefits.keys() | after.benefits.keys()
    return frozenset(code for code in codes if _own(before, code) != _own(after, code))


def _common(rules: RuleSet) -> tuple[object, ...]:
    """The rules that concern all benefits, without their sources."""
    parts = (rules.reset, rules.dates, rules.fleksbidrag, rules.legacy)
    return (
        [
            (stairs.valid_from, [replace(band, reference="") for band in stairs.bands])
            for stairs in rules.staircases
        ],
        dict(rules.switches),
        {year: basis.kroner for year, basis in rules.flex_basis.items()},
        [replace(part, source=_NO_SOURCE) for part in parts],
    )


def _own(rules: RuleSet, code: str) -> tuple[object, ...]:
    """The rules that concern one benefit; empty where the rule set does not have it."""
    benefit = rules.benefits.get(code)
    if benefit is None:
        return ()
    accounts = {
        (mechanism, rate): account
        for (of_code, mechanism, rate), account in rules.accounts.items()
        if of_code == code
    }
    return accounts, *(getattr(benefit, name) for name in _OF_BENEFIT)
