"""A citizen's ten years: the strip and the live explanation stay within their time, by processor.

The time of a clock depends on what else the machine does. Reading a journal is not in it.
"""

import time
from datetime import date, timedelta

import pytest

from streams.web import citizen_desk
from tests.support.citizen_site import citizen_site, evidence_of, write_ledger
from tests.support.site_client import client_of, visitor

CPR = "6101801234"
STRIP_S, EXPLANATION_S = 0.3, 2.0
TIMES = 3


def ten_years():
    """Payments of 121 months, some by two reporters, and a reversal each year."""
    reports = []
    for month in range(121):
        first = date(2014 + (month + 6) // 12, (month + 6) % 12 + 1, 1)
        last = (first + timedelta(31)).replace(day=1) - timedelta(1)
        reported = f"{last + timedelta(1)}T08:00:00Z"
        common = {"schema": 1, "cpr": CPR, "reporter": "12345678", "reported_at": reported}
        for number in range(1 + (month % 5 == 0)):
            period = {"period_start": str(first), "period_end": str(last), "channel": "eindkomst"}
            name = f"P{month}-{number}"
            paid = {"type": "benefit_payment", "benefit": "KTH", "paying_municipality": "730"}
            reports.append(common | period | paid | {"report_id": name, "amount_ore": 1_200_000})
        if month % 12 == 11:
            taken = {"type": "reversal", "report_id": f"R{month}", "reverses": f"P{month - 1}-0"}
            reports.append(common | taken)
    return reports


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """The page of a citizen of ten years, and how to ask for it."""
    reports = ten_years()
    write_ledger(tmp_path / "ledger", [reports])
    app = citizen_site(tmp_path)
    monkeypatch.setattr(
        citizen_desk, "live_evidence", lambda settings, *_, **__: evidence_of(settings, reports)
    )
    monkeypatch.setattr(citizen_desk.CitizenDesk, "has_journal", property(lambda _: True))
    client = client_of(app, visitor("auditor"))
    answer = client.post("/borger", data={"cpr": CPR, "purpose": "sag 1"})
    return client, answer.headers["location"]


def seconds(client, address):
    """Return the least processor time of some answers, and the last of them."""
    times = []
    for _ in range(TIMES):
        began = time.process_time()
        answer = client.get(address)
        times.append(time.process_time() - began)
        assert answer.status_code == 200
    return min(times), answer.text


def test_strip_and_explanation_of_ten_years_are_quick(asked):
    client, address = asked
    strip_s, page = seconds(client, address)
    assert "2016" in page
    explanation_s, explanation = seconds(client, f"{address}/forklaring")
    assert "KTH" in explanation
    assert strip_s < STRIP_S
    assert explanation_s < EXPLANATION_S
