"""Receipts on a real Kafka: once each, also where workers die, and a file for each day."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta

from streams.kafka import topics
from streams.operations.receipts import WantedReceipts
from tests.support.lines import payment

REPORTER = "12345678"
STAGES = ("intake", "citizens", "projections")


def lines(number, **fields):
    return [payment(report_id=f"R{at}", **fields) for at in range(number)]


def test_each_report_is_told_once_though_workers_die_and_a_day_is_a_file(
    pipeline, as_person, tmp_path
):
    on = {"REFUSION_RECEIPTS": "1"}
    pipeline.publish([*lines(30), b"no JSON", payment(report_id="bad", benefit="XYZ")])
    for plan in ("before_commit:2", "after_commit:1"):
        plans = f"receipts.reports:{plan}"
        pipeline.wait_for_death(pipeline.start(*STAGES, REFUSION_TEST_KILL=plans, **on))
    worker = pipeline.start(*STAGES, **on)
    pipeline.publish([*lines(3), payment(report_id="R0", amount_ore=1)])

    def told():
        by_partition = pipeline.records(topics.RECEIPTS)
        found = [each for records in by_partition.values() for each in records]
        assert {record.key for record in found} <= {REPORTER.encode()}
        assert sum(bool(records) for records in by_partition.values()) <= 1
        return [json.loads(record.value) for record in found]

    def count():
        return Counter(each["status"] for each in told())

    def ignored():
        return sum(each.get("deliveries", 0) for each in told())

    pipeline.wait_until(lambda: (count()["accepted"], count()["rejected"], ignored()) == (30, 2, 3))
    pipeline.stop(worker)
    accepted = Counter(each["report_id"] for each in told() if each["status"] == "accepted")
    assert accepted == {f"R{at}": 1 for at in range(30)}
    assert {(each["report_id"], each["reason"]) for each in told() if "reason" in each} == {
        ("bad", "unknown_benefit"), ("R0", "conflicting_duplicate"),
    }  # fmt: skip

    today = datetime.now(UTC)
    days = [f"{today - timedelta(days=ago):%Y-%m-%d}" for ago in (1, 0)]
    for day in days:
        arguments = ("receipts", "--reporter", REPORTER, "--day", day, "--out", tmp_path)
        status, _, said = as_person("ann", *arguments)
        assert status == 0, said
    files = [tmp_path / f"receipts-{REPORTER}-{day}.jsonl" for day in days]
    listed = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    assert Counter(each["status"] for each in listed) == count() - Counter(
        {"ignored": count()["ignored"] - 1}
    )
    assert [each["deliveries"] for each in listed if each["status"] == "ignored"] == [3]
    status, _, said = as_person("ann", "receipts", "--reporter", "x", "--day", days[0])
    assert (status, "eight digits" in said) == (2, True)
    assert WantedReceipts.of(REPORTER, days[0]).day.tzinfo == UTC


def test_without_the_setting_there_are_no_receipts(pipeline, as_person):
    worker = pipeline.start(*STAGES)
    pipeline.publish(lines(2))
    pipeline.wait_until_settled(("intake", "citizens"))
    pipeline.stop(worker)
    status, _, said = as_person("ann", "receipts", "--reporter", REPORTER, "--day", "2024-02-01")
    assert status == 2
    assert "REFUSION_RECEIPTS is 1" in said
