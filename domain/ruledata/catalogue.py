"""Reads the catalogue of benefits (§ 3), their accounts and the municipalities from rule files."""

import re
from collections.abc import Mapping
from typing import Literal

from domain.ruledata.fields import (
    PERCENT,
    REMARK_FIELDS,
    SOURCE_FIELDS,
    RuleEntry,
    check_unit,
    document,
    entry,
    refuse_second,
    shown,
    source_of,
)
from domain.ruledata.ruleset import Benefit, Mechanism, Staircase

_MECHANISMS: Mapping[str, Mechanism | None] = {
    "refusion": "refusion",
    "medfinansiering": "medfinansiering",
    "none": None,
}
_RATES: Mapping[str, Literal["staircase", "computed"] | None] = {
    "staircase": "staircase",
    "computed": "computed",
    "none": None,
}
NAMED_BY_LAW = frozenset({"FLT", "FLS", "LY", "FPN"})
"""Benefits that the program treats by their codes (§ 30, stk. 2-4): every catalogue has them."""


def read_benefits(documents: Mapping[str, object]) -> dict[str, Benefit]:
    """The benefits by code, in the order of the file."""
    top = document(documents, "catalogue.yaml", ("benefits",))
    required = ("code", "name", "mechanism", "rate", "counts", "blocks", *SOURCE_FIELDS)
    optional = (
        "unit",
        "atp_deducted",
        "turn_of_year_weekly",
        "reportable",
        "last_new_case",
        "state_points",
        *REMARK_FIELDS,
    )
    benefits: dict[str, Benefit] = {}
    for number, value in enumerate(top.items("benefits"), 1):
        name = (
            str(value["code"])
            if isinstance(value, dict) and "code" in value
            else f"number {number}"
        )
        read = entry(top.file, name, value, required, optional)
        benefit = _benefit(read)
        refuse_second(read, "code", benefit.code, benefits)
        benefits[benefit.code] = benefit
    if missing := sorted(NAMED_BY_LAW - benefits.keys()):
        raise top.error("benefits", f"there is no {missing[0]}, which the law treats by its code")
    return benefits


def _benefit(read: RuleEntry) -> Benefit:
    start, end = read.period()
    benefit = Benefit(
        code=read.text("code", r"[A-Z][A-Z0-9]*(-[A-Z])?"),
        name=read.text("name"),
        mechanism=read.choice("mechanism", _MECHANISMS),
        rate=_rate(read),
        counts=read.flag("counts", default=False),
        blocks=read.flag("blocks", default=False),
        valid_from=start,
        valid_to=end,
        atp_deducted=read.flag("atp_deducted", default=False),
        turn_of_year_weekly=read.flag("turn_of_year_weekly", default=False),
        reportable=read.flag("reportable", default=True),
        source=source_of(read),
        last_new_case=read.day("last_new_case") if "last_new_case" in read.fields else None,
        state_points=read.whole("state_points", -100, 100) if "state_points" in read.fields else 0,
    )
    _check_benefit(read, benefit)
    return benefit


def _rate(read: RuleEntry) -> int | Literal["staircase", "computed"] | None:
    """A percentage, which has its unit beside it, or a word."""
    if isinstance(read.fields["rate"], str):
        if "unit" in read.fields:
            raise read.error("unit", "stands beside a rate that is not a number")
        return read.choice("rate", _RATES)
    if "unit" not in read.fields:
        raise read.error("unit", "missing beside a rate that is a number")
    check_unit(read, PERCENT)
    return read.whole("rate", 0, 100)


def _check_benefit(read: RuleEntry, benefit: Benefit) -> None:
    """Refuse a benefit whose fields contradict each other."""
    if (benefit.mechanism is None) != (benefit.rate is None):
        raise read.error(
            "rate",
            "a rate needs a mechanism and a mechanism a rate; either both are none or neither",
        )
    if benefit.counts and not benefit.blocks:
        raise read.error(
            "blocks", "a week of a benefit that counts cannot be a week of self-support"
        )
    if benefit.reportable == (benefit.rate == "computed"):
        raise read.error("reportable", "a computed benefit is not reported, and every other one is")
    last, last_day = benefit.last_new_case, benefit.valid_to
    if last and (last < benefit.valid_from or (last_day and last > last_day)):
        raise read.error("last_new_case", f"{last} lies outside the days on which it is valid")
    if benefit.state_points and benefit.rate != "staircase":
        raise read.error("state_points", "are for benefits on the staircase")


def read_accounts(
    documents: Mapping[str, object],
    benefits: Mapping[str, Benefit],
    staircases: tuple[Staircase, ...],
) -> dict[tuple[str, Mechanism, int], str]:
    """The accounts by code, mechanism and percentage, such as "5.57.71.2.011"."""
    top = document(documents, "accounts.yaml", ("accounts",))
    fields = ("benefits", "mechanism", "rate", "unit", "account", *SOURCE_FIELDS)
    accounts: dict[tuple[str, Mechanism, int], str] = {}
    for number, value in enumerate(top.items("accounts"), 1):
        read = entry(top.file, f"number {number}", value, fields, REMARK_FIELDS)
        read.period()
        source_of(read)
        for key in _account_keys(read, benefits, staircases):
            refuse_second(read, "benefits", key, accounts)
            accounts[key] = read.text("account", r"[0-9]\.[0-9]{2}\.[0-9]{2}\.[0-9]\.[0-9]{3}")
    return accounts


def _account_keys(
    read: RuleEntry, benefits: Mapping[str, Benefit], staircases: tuple[Staircase, ...]
) -> list[tuple[str, Mechanism, int]]:
    """The (code, mechanism, rate) that an account is for; each must occur in the catalogue."""
    check_unit(read, PERCENT)
    mechanism, rate = read.choice("mechanism", _MECHANISMS), read.whole("rate", 0, 100)
    keys: list[tuple[str, Mechanism, int]] = []
    for code in read.items("benefits"):
        if not isinstance(code, str) or code not in benefits:
            raise read.error("benefits", f"{shown(code)} is not in the catalogue")
        if mechanism is None or mechanism != benefits[code].mechanism:
            raise read.error("mechanism", f"{code} has {benefits[code].mechanism or 'none'}")
        if rate not in _possible_rates(benefits[code], staircases):
            raise read.error("rate", f"{code} never has the rate {rate}")
        keys.append((code, mechanism, rate))
    return keys


def _possible_rates(benefit: Benefit, staircases: tuple[Staircase, ...]) -> set[int]:
    if isinstance(benefit.rate, int):
        return {benefit.rate}
    bands = [band for staircase in staircases for band in staircase.bands]
    return {
        band.refusion if benefit.mechanism == "refusion" else band.medfinansiering for band in bands
    }


def read_municipalities(documents: Mapping[str, object]) -> dict[str, str]:
    """The municipalities' names by code."""
    top = document(documents, "municipalities.yaml", ("municipalities",))
    names: dict[str, str] = {}
    for number, value in enumerate(top.items("municipalities"), 1):
        read = entry(top.file, f"group {number}", value, ("names", *SOURCE_FIELDS), REMARK_FIELDS)
        read.period()
        source_of(read)
        for code, name in _municipality_names(read).items():
            refuse_second(read, "names", code, names)
            names[code] = name
    return names


def _municipality_names(read: RuleEntry) -> dict[str, str]:
    names = read.fields["names"]
    if not isinstance(names, dict) or not names:
        raise read.error("names", "is not a mapping of codes to names")
    for code, name in names.items():
        if not isinstance(code, str) or not re.fullmatch(r"[0-9]{3}", code):
            raise read.error(
                "names", f"{shown(code)} is not a code of three digits in quotation marks"
            )
        if not isinstance(name, str) or not name.strip():
            raise read.error("names", f"{code} has no name")
    return dict(names)
