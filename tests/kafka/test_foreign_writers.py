"""Whoever may write to the topics but has no key of ours moves nothing, and stops nobody."""

import asyncio

import orjson
from aiokafka import AIOKafkaProducer

from streams.kafka import topics

AT: dict[str, object] = {"schema": 1, "written_at": "2024-02-01T08:00:00Z"}
FORGED = [
    {"type": "rules", "id": "r-1", "rules": "NO-SUCH", **AT},
    {"type": "recalculate", "id": "c-1", "scope": "all", **AT},
    {
        "schema": 1,
        "type": "run",
        "run": 49,
        "closed_at": "2024-02-01T08:00:00Z",
        "data_month": "2024-01",
    },
    {
        "type": "keys",
        "id": "k",
        "pseudonym_key": "p00000000",
        "seal_keys": [],
        "journal_keys": [],
        "demo": False,
        **AT,
    },
]


def write(pipeline, *records):
    """Records as somebody without our keys writes them: partition, key, value and headers."""

    async def send():
        async with AIOKafkaProducer(bootstrap_servers=pipeline.settings.bootstrap) as producer:
            for partition, key, value, headers in records:
                await producer.send_and_wait(
                    pipeline.topic(topics.REPORTS), value, key, partition, headers=headers
                )

    asyncio.run(send())


def reasons(pipeline):
    """The reasons of the dead letters of the citizens stage, by the place of the record."""
    letters = [
        {name: value.decode() for name, value in record.headers}
        for records in pipeline.records(topics.DEAD_LETTERS).values()
        for record in records
    ]
    return {
        (int(letter["partition"]), int(letter["offset"])): letter["reason"] for letter in letters
    }


def test_a_forged_payment_and_forged_control_records_move_nothing(pipeline, lives, tmp_path):
    log = tmp_path / "log"
    with log.open("w") as written:
        worker = pipeline.start(log=written)
    pipeline.publish(lives[0])
    pipeline.wait_until_settled()
    pipeline.control({"type": "recalculate", "id": "c-0", "scope": "all", **AT})
    pipeline.wait_until_settled()
    before = pipeline.audit(crashed=False)
    reports = pipeline.records(topics.REPORTS)
    at, report = next(
        (partition, record)
        for partition, records in reports.items()
        for record in records
        if b'"benefit_payment"' in record.value and b'"KTH"' in record.value
    )
    payment = orjson.loads(report.value)
    payment |= {"report_id": "forged", "amount_ore": 900_000_000}
    other = (at + 1) % pipeline.settings.partitions
    control = next(record for record in reports[at] if not record.key)
    write(
        pipeline,
        (at, report.key, orjson.dumps(payment), list(report.headers)),
        (other, report.key, report.value, list(report.headers)),
        (at, b"0" * 32, report.value, list(report.headers)),
        *((at, None, orjson.dumps(value), []) for value in FORGED),
        (at, None, control.value, list(control.headers)),
        (at, None, b"{", []),
    )
    pipeline.wait_until_settled()
    assert worker.poll() is None
    pipeline.stop(worker)
    after = pipeline.records(topics.POSTINGS)
    assert {at: [record.value for record in records] for at, records in after.items()} == (
        {at: [record.value for record in records] for at, records in before.items()}
    )
    assert sorted(reasons(pipeline).values()) == ["foreign_record"] * 8
    said = log.read_text()
    assert "that nobody of ours wrote, first" in said
    assert "copied in the journal, first" in said
    assert "demo keys" in said.splitlines()[0]
