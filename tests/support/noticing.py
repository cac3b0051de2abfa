"""Reports that raise doubts, and the notices of their settling."""

from typing import Any

from tests.support import product

HEAD: dict[str, Any] = {
    "schema": 1,
    "cpr": "6101000000",
    "reporter": "12345678",
    "reported_at": "2024-02-01T08:00:00Z",
}


def payment(report_id="P1", start="2024-01-01", end="2024-01-31", amount_ore=1_000_000, **others):
    """Kontanthjælp for January 2024 unless said otherwise."""
    body = {
        "type": "benefit_payment",
        "report_id": report_id,
        "benefit": "KTH",
        "period_start": start,
    }
    money = {
        "period_end": end,
        "amount_ore": amount_ore,
        "paying_municipality": "730",
        "channel": "eindkomst",
    }
    return HEAD | body | money | others


def reversal(reverses, report_id="R1", **others):
    return HEAD | {"type": "reversal", "report_id": report_id, "reverses": reverses} | others


def death(day, report_id="D1", **others):
    return (
        HEAD | {"type": "case_fact", "report_id": report_id, "fact": "death", "date": day} | others
    )


def noticed(*reports):
    """(code, report id of the cause) of every notice, in their order."""
    return [
        (notice["code"], notice["cause"].split("/")[1])
        for notice in product.settle_all(reports).notices
    ]


def kinds(*reports):
    """(kind, report id of the cause, the other report) of every possible duplicate."""
    return [
        (notice["detail"]["kind"], notice["cause"].split("/")[1], notice["detail"]["other"])
        for notice in product.settle_all(reports).notices
        if notice["code"] == "possible_duplicate"
    ]


def at(day, report):
    return report | {"reported_at": f"{day}T08:00:00Z"}
