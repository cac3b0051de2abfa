"""The metrics of a real worker are what came of its work."""

import asyncio
import re
from urllib.error import URLError
from urllib.request import urlopen

import orjson

from streams.kafka import topics
from streams.worker import broker_watch
from streams.worker import metrics as metrics_of_a_worker
from tests.support.lines import PAYMENT, changed
from tests.support.pipeline import SETTLING
from tests.support.ports import free_port

ALL = (*SETTLING, "projections")


def read(port, path="metrics"):
    try:
        with urlopen(f"http://127.0.0.1:{port}/{path}", timeout=5) as answer:
            return answer.read().decode()
    except URLError:
        return ""


def sample(text, name):
    found = re.search(rf"^refusion_{re.escape(name)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def test_a_worker_says_what_it_has_done(pipeline, lives, tmp_path):
    port = free_port()
    bad = changed(PAYMENT, period_end="2023-01-01")
    worker = pipeline.start(
        *ALL, REFUSION_METRICS_PORT=str(port), REFUSION_LEDGER=str(tmp_path / "ledger")
    )
    pipeline.publish([*lives[0], bad])
    pipeline.wait_until_settled(ALL)
    pipeline.wait_until(lambda: read(port, "readyz") == "ok\n")
    messages = [
        record.value for records in pipeline.records(topics.POSTINGS).values() for record in records
    ]
    rows = [row for message in messages for row in orjson.loads(message)["rows"]]
    pipeline.wait_until(lambda: booked_rows(read(port)) == len(rows))
    text = read(port)
    assert sample(text, 'records_total{stage="intake"}') == len(lives[0]) + 1
    assert sample(text, 'rejected_total{reason="bad_period",stage="intake"}') == 1
    assert sample(text, 'partitions{stage="citizens"}') == pipeline.settings.partitions
    assert sum(
        map(float, re.findall(r"^refusion_postings_total\S+ (\S+)$", text, re.MULTILINE))
    ) == len(messages)
    corrections = sum(row["kind"] == "correction" for row in rows)
    assert (
        sum(
            map(float, re.findall(r"^refusion_correction_rows_total\S+ (\S+)$", text, re.MULTILINE))
        )
        == corrections
    )
    assert sample(text, 'booked_ore{mechanism="refusion"}') == sum(
        row["refusion_ore"] for row in rows
    )
    assert not re.search(r"[0-9a-f]{32}", text)
    pipeline.stop(worker)


def booked_rows(text):
    return sum(
        sample(text, f'booked_rows_total{{mechanism="{name}"}}')
        for name in ("refusion", "medfinansiering")
    )


def test_the_lag_and_the_age_of_what_waits_are_asked_of_the_brokers(pipeline, lives):
    pipeline.publish(lives[0][:50])

    found = metrics_of_a_worker.Metrics()
    found.held = {("intake", number) for number in range(pipeline.settings.partitions)}
    asyncio.run(broker_watch._ask(found, pipeline.settings, "intake", pipeline.topic(topics.RAW)))
    lags = [
        found.registry.get_sample_value(
            "refusion_lag_records", {"stage": "intake", "partition": str(number)}
        )
        for number in range(pipeline.settings.partitions)
    ]
    assert sum(lag or 0 for lag in lags) == 50
    age_s = found.registry.get_sample_value(
        "refusion_oldest_unprocessed_seconds", {"stage": "intake"}
    )
    assert age_s is not None
    assert 0 < age_s < 60
