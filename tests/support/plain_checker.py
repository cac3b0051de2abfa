"""The reports that the contract allows (section 2), checked a second time and apart from the
program.

It only says yes or no. It shares nothing with `streams.wire.validator` but the rule data.
"""

import json
import re
import unicodedata
from datetime import date, datetime, timedelta
from typing import Any

from domain.ruledata.ruleset import RuleSet

COMMON = {"schema", "type", "report_id", "reporter", "reported_at", "cpr"}
FIELDS = {
    "benefit_payment": {"benefit", "period_start", "period_end", "amount_ore", "channel"},
    "income": {"kind", "period_start", "period_end", "amount_ore", "pension_ore"},
    "case_fact": {"fact", "date"},
    "reversal": {"reverses"},
}
NEW_IN_2 = {"group", "reverses", "reverses_group"}
OPTIONAL = {"atp_ore", "paying_municipality", "financing_municipality", "outside_act"}
CHOICES = {
    "channel": {"eindkomst", "dfdg", "direct"},
    "kind": {"wage", "flex_job_wage", "self_employed"},
    "fact": {
        "flex_referral",
        "flex_job_start",
        "flex_rereferral",
        "flex_left",
        "disability_pension_award",
        "death",
    },
}


def is_allowed(line: bytes, rules: RuleSet, *, demo: bool) -> bool:
    """Tell if a record is a report that the contract accepts."""
    record = object_of(line)
    return record is not None and has_fields(record) and _makes_sense(record, rules, demo=demo)


def object_of(line: bytes) -> dict[str, Any] | None:
    """The JSON object that a record is; None where the contract says that it is none."""
    if len(line) > 65536:
        return None
    try:
        record = json.loads(line.decode("utf-8"), object_pairs_hook=_no_key_twice)
        json.dumps(record, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("twice")
    return dict(pairs)


def has_fields(record: dict[str, Any]) -> bool:
    """The right fields, each of the right form."""
    kind = record.get("type")
    if not isinstance(kind, str) or kind not in FIELDS:
        return False
    needed = COMMON | FIELDS[kind]
    allowed = needed | (OPTIONAL if kind == "benefit_payment" else set())
    if record.get("schema") == 2:
        allowed = allowed | {"group"}
        if kind == "reversal":
            needed, allowed = needed - {"reverses"}, allowed | {"reverses_group"}
            if (record.get("reverses") is None) == (record.get("reverses_group") is None):
                return False
    return needed <= set(record) <= allowed and all(
        (value is None and record.get("schema") == 2 and name in NEW_IN_2) or _has_form(name, value)
        for name, value in record.items()
    )


def _has_form(name: str, value: Any) -> bool:
    if name == "schema" or name.endswith("_ore"):
        return (
            type(value) is int
            and -(2**63) <= value < 2**63
            and (name != "schema" or value in {1, 2})
        )
    if name == "outside_act":
        return value is True or value is False
    if name.endswith("_municipality") and value is None:
        return True
    return isinstance(value, str) and is_text(name, value)


def is_text(name: str, text: str) -> bool:
    """Tell if a text has the form of a field."""
    if name in CHOICES:
        return text in CHOICES[name]
    if name in {"report_id", "group", "reverses_group"}:
        return 0 < len(text) <= 100 and text.strip(" ") == text and all(map(_is_in_alphabet, text))
    if name == "reverses":
        return 0 < len(text) <= 100 and not any(
            unicodedata.category(c) in {"Cc", "Cs"} for c in text
        )
    if name == "reporter":
        return re.fullmatch("[0-9]{8}", text) is not None
    if name in {"period_start", "period_end", "date"}:
        return re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", text) is not None and _is_date(
            text, "%Y-%m-%d"
        )
    if name == "reported_at":
        parts = re.fullmatch(
            r"([0-9]{4}(?:-[0-9]{2}){2}T[0-9]{2}:[0-9]{2}:[0-5][0-9])(\.[0-9]+)?(Z|\+00:00)", text
        )
        return parts is not None and _is_date(parts[1], "%Y-%m-%dT%H:%M:%S")
    return True


def _is_date(text: str, form: str) -> bool:
    try:
        datetime.strptime(text, form)  # noqa: DTZ007
    except ValueError:
        return False
    return True


def _makes_sense(record: dict[str, Any], rules: RuleSet, *, demo: bool) -> bool:
    """The content of a record whose form is right."""
    if not is_person(record["cpr"], demo=demo) or _has_number_in_id(record):
        return False
    if "period_start" in record:
        start, end = (
            date.fromisoformat(record["period_start"]),
            date.fromisoformat(record["period_end"]),
        )
        if not is_period(start, end):
            return False
        if record["type"] == "benefit_payment" and not _is_payable(record, start, end, rules):
            return False
    return has_small_amounts(record)


def is_period(start: date, end: date) -> bool:
    """Tell if a report may have a period."""
    return date(2014, 1, 1) <= start <= end <= date(2099, 12, 31) and end - start <= timedelta(365)


def has_small_amounts(record: dict[str, Any]) -> bool:
    """Tell if no amount of a record is over the contract's bound."""
    return all(abs(value) <= 10**9 for name, value in record.items() if name.endswith("_ore"))


def is_person(cpr: str, *, demo: bool) -> bool:
    """Tell if a text can be a CPR number."""
    if not re.fullmatch("[0-9]{10}", cpr):
        return False
    first, year, seventh = int(cpr[:2]), int(cpr[4:6]), int(cpr[6])
    born = next(
        century + year
        for digits, years, century in [
            (range(4), range(100), 1900),
            ((4, 9), range(37), 2000),
            ((4, 9), range(37, 100), 1900),
            (range(5, 9), range(58), 2000),
            (range(5, 9), range(58, 100), 1800),
        ]
        if seventh in digits and year in years
    )
    days = {first, first - 60} if demo else {first}
    return any(
        _is_date(f"{born}-{cpr[2:4]}-{number:02}", "%Y-%m-%d")
        for number in days
        if 1 <= number <= 31
    )


def _is_in_alphabet(character: str) -> bool:
    code = ord(character)
    return 0x20 <= code <= 0x7E or (0xA1 <= code <= 0xFF and code != 0xAD)


def _has_number_in_id(record: dict[str, Any]) -> bool:
    names = ("report_id", "reverses", "group", "reverses_group")
    ids = [record[name] for name in names if record.get(name) is not None]
    plain = (unicodedata.normalize("NFKC", text) for text in ids)
    return any(
        record["cpr"] in "".join(character for character in text if character.isalnum())
        for text in plain
    )


def _is_payable(record: dict[str, Any], start: date, end: date, rules: RuleSet) -> bool:
    benefit = rules.benefits.get(record["benefit"])
    if benefit is None or benefit.code == "FB":
        return False
    if end < benefit.valid_from or (benefit.valid_to is not None and start > benefit.valid_to):
        return False
    paying, financing = record.get("paying_municipality"), record.get("financing_municipality")
    there = {"refusion": bool(paying or financing), "medfinansiering": bool(financing), None: True}[
        benefit.mechanism
    ]
    known = all(code is None or code in rules.municipalities for code in (paying, financing))
    atp_ore = record.get("atp_ore", 0)
    signs_agree = not (atp_ore > 0 > record["amount_ore"] or atp_ore < 0 < record["amount_ore"])
    return there and known and signs_agree
