"""Good lines of every type, and how to spoil them."""

import json
from typing import Any, Final

ABSENT: Final = object()
"""A value in `changed` by which the field is left out."""

CANARY = "0101801234"
"""The CPR of every line here; it must never come back in a rejection."""

_COMMON = {
    "schema": 1,
    "report_id": "2024-02-0001",
    "reporter": "12345678",
    "reported_at": "2024-03-01T10:00:00Z",
}

PAYMENT: Final = _COMMON | {
    "type": "benefit_payment",
    "cpr": CANARY,
    "benefit": "SDP-B",
    "period_start": "2024-02-01",
    "period_end": "2024-02-29",
    "amount_ore": 1_500_000,
    "atp_ore": 9_465,
    "paying_municipality": "730",
    "financing_municipality": "751",
    "channel": "eindkomst",
    "outside_act": False,
}
INCOME: Final = _COMMON | {
    "type": "income",
    "cpr": CANARY,
    "kind": "flex_job_wage",
    "period_start": "2024-02-01",
    "period_end": "2024-02-29",
    "amount_ore": 800_000,
    "pension_ore": 40_000,
}
CASE_FACT: Final = _COMMON | {
    "type": "case_fact",
    "cpr": CANARY,
    "fact": "flex_referral",
    "date": "2013-03-01",
}
REVERSAL: Final = _COMMON | {"type": "reversal", "cpr": CANARY, "reverses": "2024-01-0007"}
RUN: Final = {
    "schema": 1,
    "type": "run",
    "run": 82,
    "closed_at": "2026-11-02T08:00:00Z",
    "data_month": "2026-10",
}

RULES: Final = {
    "schema": 1,
    "type": "rules",
    "id": "r-1",
    "rules": "R-1",
    "written_at": "2026-11-02T08:00:00Z",
}
RECALCULATE: Final = RULES | {"type": "recalculate", "scope": "all"}
del RECALCULATE["rules"]

REPORTS: Final = (PAYMENT, INCOME, CASE_FACT, REVERSAL)


def changed(fields: dict[str, Any], **changes: Any) -> bytes:
    """A line with some fields set anew, added or left out."""
    after = {name: value for name, value in (fields | changes).items() if value is not ABSENT}
    return json.dumps(after, ensure_ascii=False).encode()


def payment(**changes: Any) -> bytes:
    return changed(PAYMENT, **changes)


def income(**changes: Any) -> bytes:
    return changed(INCOME, **changes)


def case_fact(**changes: Any) -> bytes:
    return changed(CASE_FACT, **changes)


def reversal(**changes: Any) -> bytes:
    return changed(REVERSAL, **changes)


def run(**changes: Any) -> bytes:
    return changed(RUN, **changes)


def rules(**changes: Any) -> bytes:
    return changed(RULES, **changes)


def recalculate(**changes: Any) -> bytes:
    return changed(RECALCULATE, **changes)
