"""A citizen of ten years on the site, from a real journal: the strip first, then the reasons.

The site says what `refusion explain` says of the same citizen, and each look is in the topic.
"""

import json
import time
from datetime import date
from typing import Any

import orjson
import pytest

from streams.explain.why import ExplainRequest, explain_to
from streams.kafka import topics
from streams.worker.app import STAGES
from tests.support.site_client import a_site, client_of, visitor

CPR = "6101801234"
YEARS = range(2016, 2026)
HEAD = {
    "schema": 1, "cpr": CPR, "reporter": "12345678", "type": "benefit_payment", "benefit": "KTH",
    "channel": "eindkomst", "paying_municipality": "730", "financing_municipality": "730",
}  # fmt: skip


def paid(first, last):
    name = first.isoformat()
    body = {"report_id": f"P-{name}", "amount_ore": 1_200_000, "reported_at": f"{last}T08:00:00Z"}
    return orjson.dumps(HEAD | body | {"period_start": name, "period_end": last.isoformat()})


def a_life():
    """A payment for each month but those of 2019, so that there is a new start."""
    months = [(year, month) for year in YEARS if year != 2019 for month in range(1, 13)]
    return [paid(date(year, month, 1), date(year, month, 28)) for year, month in months]


@pytest.mark.long
def test_a_citizen_of_ten_years_is_shown_and_explained(pipeline, settings):
    worker = pipeline.start(*STAGES)
    pipeline.publish(a_life())
    pipeline.wait_until_settled(STAGES)
    pipeline.close_run("2025-12")
    pipeline.wait_until_settled(STAGES)
    pipeline.stop(worker)
    environ = {
        name: value for name, (value, origin) in settings.values.items() if origin == "environment"
    }
    with client_of(a_site(settings), visitor("caseworker", municipality="730")) as client:
        answer = client.post("/borger", data={"cpr": CPR, "purpose": "sag 12/2024"})
        assert answer.status_code == 303, answer.text
        address = answer.headers["location"]
        for path in ("", "/forklaring", "/forklaring?uge=2020-03-02"):
            began, used = time.perf_counter(), time.process_time()
            page = client.get(address + path)
            took = time.perf_counter() - began, time.process_time() - used
            print(path, *(f"{seconds:.2f} s" for seconds in took))  # noqa: T201 - with -s
            assert page.status_code == 200
            assert CPR not in page.text
        life = client.get(f"{address}/forklaring").text
        assert client.get(f"{address}.pdf").content.startswith(b"%PDF-")
    said: list[str] = []
    asked: dict[str, Any] = dict.fromkeys(("week", "row", "run", "reports", "rules"))
    asked |= {"whole_journal": False, "as_json": True, "language": "da"}
    request = ExplainRequest(settings.identity().of(CPR)[0], **asked)
    explain_to(said.append, request, environ)
    explanation = json.loads("".join(said))["explanation"]
    for sentence in explanation["ahead"]["sentences"]:
        assert sentence in life
    reached = explanation["count"]["reached"]
    assert f"Refusionstæller: {reached}, ugerne med ydelser" in life
    acts = [
        orjson.loads(record.value)
        for records in pipeline.records(topics.ACCESS).values()
        for record in records
        if b'"site citizen"' in (record.value or b"")
    ]
    assert [act["scope"]["shows"] for act in acts] == [
        *("search", "page", "explanation", "explanation", "explanation", "pdf"),
    ]  # fmt: skip
    assert {act["reason"] for act in acts} == {"sag 12/2024"}
    assert all(CPR not in json.dumps(act) for act in acts)
