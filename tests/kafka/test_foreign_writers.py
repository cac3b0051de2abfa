"""Whoever may write to the topics but has no key of ours moves nothing, and stops nobody."""

import asyncio
import os
import subprocess

import orjson
import pytest
from aiokafka import AIOKafkaProducer

from streams.kafka import topics
from streams.privacy.derived_keys import derived_key
from streams.privacy.macs import MAC, MacKeys
from tests.support.acts_in_memory import ANNA, BO
from tests.support.pipeline import DONE_S, PROGRAM

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
    assert "does not state its keys" not in said


def refusion(pipeline, *arguments, **environment):
    given = {
        name: value
        for name, (value, origin) in pipeline.settings.values.items()
        if origin == "environment"
    }
    done = subprocess.run(
        [PROGRAM, *arguments], env=os.environ | given | environment, capture_output=True,
        check=False, timeout=DONE_S, text=True,
    )  # fmt: skip
    return done.returncode, done.stderr


def flooded(pipeline, number):
    """Records behind ours in each partition, whose MACs are by a key of somebody else's."""
    macs = MacKeys([b"x" * 32])
    for at, records in pipeline.records(topics.REPORTS).items():
        mac = macs.at("reports", at)
        for value in map(orjson.dumps, FORGED):
            yield at, None, value, [mac.header(None, b"", value)]
        for record in (records * number)[:number]:
            others = [header for header in record.headers if header[0] != MAC]
            kind = dict(others).get("ce_type", b"")
            marked = mac.header(record.key, kind, record.value)
            yield at, record.key, record.value, [*others, marked]


def test_a_flood_of_foreign_macs_stops_nobody_and_a_wrong_key_stops_its_owner(pipeline, lives):
    """Twenty newest records are looked at: here all of them are somebody else's."""
    worker = pipeline.start()
    pipeline.publish(lives[0][:40])
    pipeline.wait_until_settled()
    pipeline.stop(worker)
    write(pipeline, *flooded(pipeline, 25))
    worker = pipeline.start()
    pipeline.publish(lives[0][40:60])
    pipeline.wait_until_settled()
    assert refusion(pipeline, "run", "close", "--month", "2023-12", "--dry-run")[0] == 0
    pipeline.stop(worker)
    other, ours = "ab" * 32, pipeline.settings.identity()
    assert len(ours.macs.key_ids) == 1
    status, said = refusion(pipeline, "worker", "citizens", REFUSION_JOURNAL_KEY=other)
    assert (status, "not the key that the journal was written with" in said) == (2, True)


@pytest.mark.long
def test_another_key_marks_from_where_two_persons_had_it_stated(pipeline, lives, as_person):
    """A start states no key: if it is mistyped, everybody would have to go on with it."""
    old = derived_key(
        bytes.fromhex(pipeline.settings.values["REFUSION_PSEUDONYM_KEY"][0]), "journal"
    ).hex()
    new = "ab" * 32
    first, behind = ({"REFUSION_JOURNAL_KEY": each} for each in (f"{new},{old}", f"{old},{new}"))
    worker = pipeline.start()
    pipeline.publish(lives[0][:20])
    pipeline.wait_until_settled()
    before = [record for each in pipeline.records(topics.REPORTS).values() for record in each]
    for stage in ("intake", "citizens"):
        status, said = refusion(pipeline, "worker", stage, **first)
        assert (status, "not one that the journal states" in said) == (2, True), said

    # --- two persons have it stated, by the old key, while the worker goes on
    state = ("keys", "state", "--apply")
    status, told, said = as_person(ANNA, *state, **behind)
    assert status == 3, said
    after = [record for each in pipeline.records(topics.REPORTS).values() for record in each]
    assert len(after) == len(before)
    status, told, said = as_person(BO, "approve", told.strip(), **first)
    assert status == 0, said
    assert worker.wait(DONE_S) == 2, "it lacks the key that is stated now"
    assert as_person(ANNA, *state, **behind)[0] == 0, "nothing is left to be stated"

    worker_with_both = pipeline.start("intake", **first)
    pipeline.publish(lives[0][20:40])
    pipeline.wait_until_settled(("intake",))
    pipeline.stop(worker_with_both)
    for words in ("worker citizens", "run close --month 2023-12"):
        status, said = refusion(pipeline, *words.split())
        assert (status, "states a key for its MACs" in said) == (2, True), said
    worker = pipeline.start("citizens", **first)
    pipeline.wait_until_settled()
    pipeline.stop(worker)
    assert not reasons(pipeline)


# --- any headers ----------------------------------------------------------------------------------

SPOILT = [
    [(f"h{number}", b"x" * 20) for number in range(3_000)],
    [("big", b"y" * 700_000)],
    [("ce_type", b"\xff\xfe"), ("mac", b"m")],
    [("", b"")],
]


def with_other_headers(pipeline, record):
    """Copies of a record of ours, each with headers that somebody chose."""
    headers = [(name, content or b"") for name, content in record.headers]
    raw = pipeline.topic(topics.RAW).encode()
    other = {"raw": raw + b"/0/1", "topic": raw + b".none", "reason": b"internal_error"}
    yield [*headers, ("ce_type", b"refusion.run"), ("ce_id", b"x/0/1")]
    yield [*headers[:-1], ("ce_type", b"refusion.state/r"), *headers[-1:]]
    yield headers[::-1]
    yield [(name, other.get(name, content)) for name, content in headers]


async def written_by_others(pipeline, records):
    """Write to every topic of ours what somebody without our keys may write."""
    bootstrap = pipeline.settings.bootstrap
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, max_request_size=8 << 20) as producer:
        for topic in topics.TOPICS:
            name, key = pipeline.topic(topic), b"k" * 32
            for headers in SPOILT:
                await producer.send_and_wait(name, b"{}", key, 0, headers=headers)
            for value in (b"[" * 60_000, b'{"schema":1,"type":"run","run":1e400}'):
                await producer.send_and_wait(name, value, key, 0)
            for partition, ours in records.get(topic.name, {}).items():
                await producer.send_and_wait(name, b"", f"_partition/{partition}".encode(), 0)
                for record in ours[::10]:
                    for headers in with_other_headers(pipeline, record):
                        await producer.send_and_wait(
                            name, record.value, record.key, partition, headers=headers
                        )


@pytest.mark.long
def test_no_headers_of_others_move_anything_or_end_a_command(pipeline, lives, tmp_path):
    log = tmp_path / "log"
    with log.open("w") as written:
        worker = pipeline.start(log=written)
    bad = [orjson.dumps(orjson.loads(line) | {"type": "gift"}) for line in lives[0][:5]]
    pipeline.publish([*lives[0], *bad])
    pipeline.wait_until_settled()
    kept = [topic for topic in topics.TOPICS if topic is not topics.ACCESS]
    asyncio.run(
        written_by_others(pipeline, {topic.name: pipeline.records(topic) for topic in kept})
    )
    pipeline.publish(lives[1])
    pipeline.wait_until_settled()
    assert worker.poll() is None
    said = {
        command: pipeline_said(pipeline, *command)
        for command in (
            ("run", "status"),
            ("dead-letters", "retry"),
            ("approvals", "list"),
            ("replay", "--dry-run"),
        )
    }
    assert said["dead-letters", "retry"].startswith("0 sent again")
    assert said["approvals", "list"].startswith("0 requests")
    assert "0 with other rows, 0 messages to post" in said["replay", "--dry-run"]
    assert "begins again" not in log.read_text()
    pipeline.stop(worker)


def pipeline_said(pipeline, *arguments):
    """Run a command that does all that it is asked for, and return what it prints."""
    given = {
        name: value
        for name, (value, origin) in pipeline.settings.values.items()
        if origin == "environment"
    }
    done = subprocess.run(
        [PROGRAM, *arguments],
        env=os.environ | given,
        capture_output=True,
        check=False,
        timeout=DONE_S,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
