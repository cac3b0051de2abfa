"""A topic of somebody else's making, records that are gone, and clocks that are wrong."""

import asyncio
import re
import subprocess
import sys
import time
from contextlib import suppress

import orjson
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from aiokafka.structs import TopicPartition

from streams.kafka import topics
from tests.support.pipeline import PROGRAM

WITH_A_CLOCK = """
import sys, time
real, ahead = time.time, float(sys.argv.pop(1))
time.time = lambda: real() + ahead
from streams.worker.app import run_worker
from streams.cli.console import load_settings
sys.exit(run_worker(sys.argv[1:], load_settings(), 1))
"""
TWO_HOURS_S = 7200
OLD_MS = 1_451_606_400_000


async def make_raw_of_others(settings, lines):
    """A topic that somebody else made with Kafka's own defaults; its first records are gone
    already."""
    name = settings.topic(topics.RAW)
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, 4, 1)])
        async with AIOKafkaProducer(bootstrap_servers=settings.bootstrap) as producer:
            for line in lines:
                await producer.send_and_wait(name, line, partition=0, timestamp_ms=OLD_MS)
        # What the broker does by itself within five minutes.
        await admin.delete_records({TopicPartition(name, 0): RecordsToDelete(before_offset=3)})
    finally:
        with suppress(Exception):
            await admin.close()


def verified(settings):
    given = {
        name: value for name, (value, origin) in settings.values.items() if origin == "environment"
    }
    done = subprocess.run(
        [PROGRAM, "verify", "--json", "--jobs", "1"],
        env={"PATH": "/usr/bin:/bin", **given},
        capture_output=True,
        check=False,
    )
    return done.returncode, orjson.loads(done.stdout)


@pytest.mark.parametrize(
    "ahead_s", [TWO_HOURS_S, pytest.param(-TWO_HOURS_S, marks=pytest.mark.long)]
)
def test_a_worker_two_hours_off_works_and_says_so_and_what_was_never_read_is_said(
    pipeline, lives, tmp_path, ahead_s
):
    settings = pipeline.settings
    asyncio.run(make_raw_of_others(settings, lives[0][:10]))
    log = tmp_path / "log"
    with log.open("w") as written:
        worker = pipeline.started(
            [sys.executable, "-c", WITH_A_CLOCK, str(ahead_s), "intake", "citizens"], written, {}
        )
        pipeline.wait_until(lambda: pipeline.lags("intake")[0] == 0)
        pipeline.wait_until_settled()
        pipeline.stop(worker)
    said = log.read_text()
    assert f"should be mended: topic {settings.prefix}reports.raw has" in said
    assert "message.timestamp.type=CreateTime and would lose data" in said
    assert "intake/0: begins at offset 3, and nothing before was ever read" in said
    which = "ahead of" if ahead_s > 0 else "behind"
    assert re.search(rf"the clock of this machine is 7[12]\d\d s {which} the brokers'", said)
    assert said.count("the clock of this machine") == 1
    written = [
        record for records in pipeline.records(topics.REPORTS).values() for record in records
    ]
    assert len(written) == 7
    assert all(abs(record.timestamp / 1000 - time.time()) < TWO_HOURS_S / 2 for record in written)

    status, found = verified(settings)
    assert status == 1
    texts = [violation["text"] for violation in found["first"]]
    assert found["by_code"] == {"setting": 1}
    assert "CreateTime and would lose data" in texts[0]
