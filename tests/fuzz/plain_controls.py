"""The control records and opening rows that the contract allows, written down a second time.

It only says yes or no, and shares nothing with `streams.wire` but the rule data.
"""

import re
from datetime import date, timedelta
from typing import Any, Final

from domain.ruledata.ruleset import RuleSet
from tests.support import plain_checker

_MONTH: Final = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_FIELDS: Final[dict[str, tuple[set[str], set[str]]]] = {
    "run": ({"run", "closed_at", "data_month"}, set()),
    "rules": ({"id", "rules", "written_at"}, {"digest"}),
    "recalculate": ({"id", "scope", "written_at"}, set()),
    "free": ({"id", "citizen", "reporter", "report_id", "written_at"}, {"reason"}),
    "keys": ({"id", "pseudonym_key", "seal_keys", "journal_keys", "demo", "written_at"}, set()),
    "opening": (
        {"month", "week", "benefit", "mechanism", "rate", "reported_at", "cpr"},
        {"paying", "financing", "amount_ore", "atp_ore", "refusion_ore", "medfinansiering_ore"},
    ),
}


def is_control(line: bytes, rules: RuleSet) -> bool:
    """Tell if a record is a control record or an opening row that the contract accepts (demo)."""
    record = plain_checker.object_of(line)
    if record is None or not isinstance(kind := record.get("type"), str) or kind not in _FIELDS:
        return False
    needed, more = _FIELDS[kind]
    common = {"schema", "type"}
    if not needed | common <= set(record) <= needed | more | common:
        return False
    if type(record["schema"]) is not int or record["schema"] != 1:
        return False
    if not all(_is_time(record[name]) for name in set(record) & _TIMES):
        return False
    if "id" in record and not _fits(_ID, record["id"]):
        return False
    return _CHECKS[kind](record, rules)


_TIMES: Final = {"closed_at", "written_at", "reported_at"}


def _is_time(value: Any) -> bool:
    return isinstance(value, str) and plain_checker.is_text("reported_at", value)


def _fits(form: re.Pattern[str], value: Any) -> bool:
    return isinstance(value, str) and form.fullmatch(value) is not None


def _is_month(value: Any) -> bool:
    return _fits(_MONTH, value) and value >= "0001-01"


def _run(record: dict[str, Any], _rules: RuleSet) -> bool:
    if not _is_month(record["data_month"]):
        return False
    year, month = map(int, record["data_month"].split("-"))
    return type(record["run"]) is int and record["run"] == (year - 2020) * 12 + month


def _rules_record(record: dict[str, Any], _rules: RuleSet) -> bool:
    name = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
    return _fits(name, record["rules"]) and _fits(re.compile("[0-9a-f]*"), record.get("digest", ""))


def _recalculation(record: dict[str, Any], rules: RuleSet) -> bool:
    scope = record["scope"]
    if scope == "all":
        return True
    if not isinstance(scope, dict) or len(scope) != 1:
        return False
    if "municipality" in scope:
        code = scope["municipality"]
        return isinstance(code, str) and code in rules.municipalities
    return _fits(re.compile("[0-9a-f]{32}"), scope.get("citizen"))


def _freeing(record: dict[str, Any], _rules: RuleSet) -> bool:
    reason = record.get("reason", "")
    return (
        _fits(re.compile("[0-9a-f]{32}"), record["citizen"])
        and _fits(re.compile("[0-9]{8}"), record["reporter"])
        and isinstance(record["report_id"], str)
        and plain_checker.is_text("reverses", record["report_id"])
        and isinstance(reason, str)
        and len(reason) <= 500
    )


def _keys(record: dict[str, Any], _rules: RuleSet) -> bool:
    key = re.compile("[kmp][0-9a-f]{8}")
    lists = record["seal_keys"], record["journal_keys"]
    return (
        _fits(key, record["pseudonym_key"])
        and all(isinstance(ids, list) and all(_fits(key, one) for one in ids) for ids in lists)
        and type(record["demo"]) is bool
    )


def _opening(record: dict[str, Any], rules: RuleSet) -> bool:
    money = [
        record.get(name, 0)
        for name in ("amount_ore", "atp_ore", "refusion_ore", "medfinansiering_ore")
    ]
    if not all(type(ore) is int and -(2**63) <= ore < 2**63 for ore in money):
        return False
    if not _is_month(record["month"]) or not isinstance(record["week"], str):
        return False
    if not plain_checker.is_text("date", record["week"]):
        return False
    if not isinstance(record["cpr"], str) or not plain_checker.is_person(record["cpr"], demo=True):
        return False
    return (
        _is_cell(record["month"], date.fromisoformat(record["week"]))
        and _is_financed(record, rules)
        and _is_part(record, *money)
    )


def _is_cell(month: str, monday: date) -> bool:
    """A Monday's week has days in the month, and rates hold then."""
    if monday.weekday() or monday > date(9999, 12, 25):
        return False
    days = {str(monday + timedelta(number))[:7] for number in range(7)}
    return month in days and (month >= "2016-01" or str(monday) == "2015-12-28")


def _is_financed(record: dict[str, Any], rules: RuleSet) -> bool:
    places = record.get("paying"), record.get("financing")
    if not all(code is None or isinstance(code, str) for code in places):
        return False
    if record["mechanism"] not in ("refusion", "medfinansiering"):
        return False
    paying, financing = places
    if record["mechanism"] == "refusion":
        paying, financing = paying or financing, financing or paying
    known = all(code is None or code in rules.municipalities for code in (paying, financing))
    benefit = rules.benefits.get(record["benefit"]) if isinstance(record["benefit"], str) else None
    return financing is not None and known and benefit is not None and benefit.mechanism is not None


def _is_part(record: dict[str, Any], amount: int, atp: int, refusion: int, medfin: int) -> bool:
    rate = record["rate"]
    if type(rate) is not int or not 0 <= rate <= 100:
        return False
    result, other = (refusion, medfin) if record["mechanism"] == "refusion" else (medfin, refusion)
    if other or not (amount or atp or result):
        return False
    return result == 0 or (abs(result) <= abs(amount) and (result > 0) == (amount > 0))


_CHECKS: Final = {
    "run": _run,
    "rules": _rules_record,
    "recalculate": _recalculation,
    "free": _freeing,
    "keys": _keys,
    "opening": _opening,
}
