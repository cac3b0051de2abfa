"""Poison and load: each has a behaviour (docs/operations.md); none stops a partition for good."""

import asyncio
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import orjson
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from domain.basics.weeks import month_number
from streams.audit.verify import VerifyRequest, verify
from streams.kafka import topics
from streams.settings import Settings
from streams.simulation import SimulationOptions, simulate
from streams.wire.partitioner import partition_of
from tests.support.lines import PAYMENT, changed
from tests.support.sizes import sized

CPR = "6101801234"
BIG = 900_000
MEMORY_KB = 500 * 1024


def payments(number, months, cpr=CPR):
    """Payments of one citizen, over so many months from 2016 on."""
    for at in range(number):
        year, month = divmod(2016 * 12 + at % months, 12)
        start, end = (f"{year}-{month + 1:02}-{day:02}" for day in (1, 28))
        yield changed(
            PAYMENT, cpr=cpr, benefit="KTH", atp_ore=0, report_id=f"r{at}",
            period_start=start, period_end=end, amount_ore=10_000 + at,
        )  # fmt: skip


def send(pipeline, topic, records):
    """Records as they are, by whoever may write to Kafka: key, value and partition."""

    async def sent():
        async with AIOKafkaProducer(bootstrap_servers=pipeline.settings.bootstrap) as producer:
            for key, value, partition in records:
                await producer.send_and_wait(pipeline.topic(topic), value, key, partition=partition)

    asyncio.run(sent())


def refused(pipeline):
    """Stage and reason of each dead letter."""
    return sorted(
        tuple(
            {name: value.decode() for name, value in record.headers}[name]
            for name in ("stage", "reason")
        )
        for records in pipeline.records(topics.DEAD_LETTERS).values()
        for record in records
    )


def peak_kb(pid):
    return int(Path(f"/proc/{pid}/status").read_text().split("VmHWM:")[1].split()[0])


# --- records --------------------------------------------------------------------------------------


def test_no_poisonous_record_stops_a_partition(pipeline, lives, tmp_path):
    pipeline.publish([])
    send(
        pipeline,
        topics.RAW,
        [
            (None, b"x" * BIG, 0),
            (b"\xff", None, 0),
            (None, b"[" * 50_000, 0),
            (None, b'{"schema":1,"schema":1}', 0),
            (None, b"\xef\xbb\xbf{}", 0),
        ],
    )
    citizen = partition_of(b"0" * 32, pipeline.settings.partitions)
    good = {
        "schema": 1,
        "type": "benefit_payment",
        "cpr_sealed": "k00000000.x",
        "reported_at": "2024-01-01T00:00:00Z",
    }
    unsettleable = orjson.dumps(good | orjson.loads(changed(PAYMENT, benefit="NO SUCH")))
    send(
        pipeline,
        topics.REPORTS,
        [(b"0" * 32, value, citizen) for value in (b"", None, b"\x00", b"[]", unsettleable)],
    )
    said = tmp_path / "said"
    with said.open("wb") as log:
        worker = pipeline.start(log=log)
    pipeline.publish(lives[0])
    pipeline.wait_until_settled()
    pipeline.stop(worker)
    assert "the journal does not state its keys: whoever may write" in said.read_text()
    assert refused(pipeline) == [
        *[("citizens", "foreign_record")] * 4,
        ("citizens", "unknown_benefit"),
        *[("intake", "not_json")] * 3,
        ("intake", "too_large"),
        ("intake", "wrong_type"),
    ]
    assert sum(map(len, pipeline.records(topics.POSTINGS).values())) > 300


# --- load -----------------------------------------------------------------------------------------


@pytest.mark.long
def test_thousands_of_reports_of_one_citizen_in_a_month_are_settled_in_small_batches(pipeline):
    """A batch of them takes longer than a session: without a pace it would begin again for ever.

    How often it begins again until the pace is learned is up to the machine, and not looked at.
    """
    lines = list(payments(5_000, months=1))
    pipeline.publish([*lines, *payments(20, 20, cpr="6101801235")])
    worker = pipeline.start()
    pipeline.wait_until_settled()
    pipeline.stop(worker)
    (last,) = [
        message
        for records in pipeline.records(topics.POSTINGS).values()
        for record in records
        if (message := orjson.loads(record.value))["revision"] == len(lines)
    ]
    standing = [row for row in last["rows"] if "reverses" not in row]
    assert last["cause"] == "12345678/r4999"
    assert standing


@pytest.mark.long
def test_a_citizen_with_tens_of_thousands_of_reports(pipeline):
    lines = list(payments(sized(40_000, 100_000), months=108))
    worker = pipeline.start()
    pipeline.publish(lines)
    pipeline.wait_until_settled()
    assert peak_kb(worker.pid) < MEMORY_KB
    pipeline.stop(worker)
    assert sum(map(len, pipeline.records(topics.POSTINGS).values())) == len(lines)


def test_all_load_in_one_partition(pipeline, lives):
    """One process does all of it, the others nothing; nothing is lost by that but time."""
    settings = pipeline.settings
    of = settings.identity().of
    mine = [
        line
        for line in lives[0] + lives[1]
        if partition_of(of(orjson.loads(line)["cpr"])[0].encode(), settings.partitions) == 2
    ]
    send(pipeline_with_topics(pipeline), topics.RAW, [(b"same", line, 1) for line in mine])
    workers = [pipeline.start(), pipeline.start()]
    pipeline.wait_until_settled()
    for worker in workers:
        pipeline.stop(worker)
    postings = pipeline.audit(crashed=False)
    assert [number for number, records in postings.items() if records] == [2]


def pipeline_with_topics(pipeline):
    pipeline.publish([])
    return pipeline


BACKLOG = sized(350_000, 2_000_000)
"""Two workers on two idle cores take two and a half minutes for the larger one. Kept in memory, the
smaller one would take each worker 175 MB more than it has.
"""
BACKLOG_KB = 470 * 1024
"""A worker has 370 MB, however large the backlog is."""
BACKLOG_S = 1_200.0
"""A busy machine is no failure."""


@pytest.mark.long
def test_a_backlog_is_worked_off_in_bounded_memory(pipeline, tmp_path, monkeypatch):
    """After a long outage reports wait: memory does not depend on how many."""
    monkeypatch.setattr("tests.support.pipeline.DONE_S", BACKLOG_S)
    with (tmp_path / "reports").open("w+b") as file:
        months = month_number("2023-01"), month_number("2023-12")
        published = simulate(SimulationOptions(BACKLOG // 13, *months, seed=5), file)
        file.seek(0)
        pipeline.publish(line.rstrip(b"\n") for line in file)
    workers = [pipeline.start(), pipeline.start()]
    pipeline.wait_until_settled()
    peaks = [peak_kb(worker.pid) for worker in workers]
    for worker in workers:
        pipeline.stop(worker)
    assert published > 0.9 * BACKLOG
    assert max(peaks) < BACKLOG_KB


# --- what is not as it was ------------------------------------------------------------------------


def test_a_journal_that_is_deleted_under_a_worker_is_not_gone_on_with(pipeline, lives, tmp_path):
    """Kafka forgets the offsets with the topic; the state still knows how far it was."""
    worker = pipeline.start()
    pipeline.publish(lives[0])
    pipeline.wait_until_settled()
    posted = len(pipeline.records(topics.POSTINGS))

    async def delete():
        admin = AIOKafkaAdminClient(bootstrap_servers=pipeline.settings.bootstrap)
        await admin.start()
        await admin.delete_topics([pipeline.topic(topics.REPORTS)])
        await admin.close()

    asyncio.run(delete())
    time.sleep(2)
    assert worker.poll() is None
    pipeline.stop(worker)
    said = tmp_path / "said"
    with said.open("wb") as log:
        worker = pipeline.start(log=log)
    pipeline.publish(lives[1][:5])
    pipeline.wait_until(lambda: "the next offset is" in said.read_text())
    pipeline.stop(worker)
    assert len(pipeline.records(topics.POSTINGS)) == posted
    found = verify(pipeline.settings, VerifyRequest(), lambda *_: None).violations.counts
    assert found["raw"] == len(lives[0]), (
        "what the journal has lost, as long as the raw reports are kept"
    )


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("REFUSION_SEAL_KEY", "are sealed with a key (k9d75650d) that is not in REFUSION_SEAL_KEY"),
        (
            "REFUSION_PSEUDONYM_KEY",
            "REFUSION_PSEUDONYM_KEY is not the key that the journal was written with",
        ),
    ],
)
def test_a_worker_with_a_wrong_key_ends_before_it_does_anything(
    pipeline, lives, tmp_path, setting, told
):
    worker = pipeline.start()
    pipeline.publish(lives[0][:50])
    pipeline.wait_until_settled()
    pipeline.stop(worker)
    pipeline.publish(lives[0][50:60])
    said = tmp_path / "said"
    with said.open("wb") as log:
        worker = pipeline.start(log=log, **{setting: "ab" * 32})
    assert worker.wait(60) == 2
    assert told in said.read_text()
    assert sum(map(len, pipeline.records(topics.REPORTS).values())) == 50


def test_a_new_seal_key_before_the_old_one_goes_on(pipeline, lives):
    worker = pipeline.start()
    pipeline.publish(lives[0][:50])
    pipeline.wait_until_settled()
    pipeline.stop(worker)
    old = pipeline.settings.values["REFUSION_SEAL_KEY"][0]
    worker = pipeline.start(REFUSION_SEAL_KEY=f"{'ab' * 32},{old}")
    pipeline.publish(lives[0][50:])
    pipeline.wait_until_settled()
    pipeline.stop(worker)
    pipeline.audit(crashed=False)


def test_the_state_of_another_cluster_or_topic_is_thrown_away(pipeline, lives, tmp_path):
    worker = pipeline.start()
    pipeline.publish(lives[0])
    pipeline.wait_until_settled()
    pipeline.stop(worker)
    given = {
        name: value
        for name, (value, origin) in pipeline.settings.values.items()
        if origin == "environment"
    }
    pipeline.settings = Settings.load(
        given | {"REFUSION_PREFIX": f"other-{given['REFUSION_PREFIX']}"}
    )
    said = tmp_path / "said"
    with said.open("wb") as log:
        worker = pipeline.start(log=log)
    pipeline.publish(lives[1])
    pipeline.wait_until_settled()
    pipeline.stop(worker)
    assert (
        said.read_text().count("its state is not of this changelog, or ahead of it: thrown away")
        == 4
    )
    pipeline.audit(crashed=False)


# --- a full disk ----------------------------------------------------------------------------------

ROOM_BYTES = 200
"""Room for what a worker notes about itself, and for no RocksDB."""


def test_a_full_disk_stops_the_citizens_aloud_and_loses_nothing(pipeline, lives):
    """The system's limit on file sizes is the disk here: it binds root too, and needs no mount."""
    program = (
        "import resource, runpy;"
        f" resource.setrlimit(resource.RLIMIT_FSIZE, ({ROOM_BYTES}, {ROOM_BYTES}));"
        " runpy.run_module('streams.worker.app', run_name='__main__')"
    )
    given = {
        name: value
        for name, (value, origin) in pipeline.settings.values.items()
        if origin == "environment"
    }
    command = [sys.executable, "-c", program, "intake", "citizens"]
    pipeline.publish(lives[0])
    with subprocess.Popen(
        command, env=os.environ | given, stderr=subprocess.PIPE, text=True
    ) as full:
        assert full.stderr is not None
        try:
            told = next(line for line in full.stderr if "begins again" in line)
            time.sleep(1)
            assert full.poll() is None
        finally:
            full.kill()
    assert re.search(
        r"citizens/\d: begins again after the state in \S+ cannot be written: File too large", told
    )
    assert sum(map(len, pipeline.records(topics.POSTINGS).values())) == 0
    worker = pipeline.start()
    pipeline.publish(lives[1])
    pipeline.wait_until_settled()
    pipeline.stop(worker)
    pipeline.audit(crashed=False)
