"""The example ledger applies each posting exactly once, however often it is killed."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from io import BytesIO
from threading import Semaphore, Thread
from types import SimpleNamespace

import orjson
import pytest
from aiokafka import AIOKafkaProducer

from demo.ledger import CELL, MONEY, add
from domain.basics.weeks import month_number
from examples.ledger_consumer import GapError, apply, open_ledger
from streams.kafka import topics
from streams.offline.settle import settle
from streams.simulation import SimulationOptions, simulate
from streams.wire.partitioner import partition_of
from tests.support.records import records_of

PATIENCE_S = 60.0
KILLS = 4
BATCH = 20
"""Messages in a transaction."""
PORTION = 15
"""Transactions for each time that the ledger runs."""
PAUSE_S = 0.03
"""Seconds between transactions, so that postings still arrive while the ledger is killed."""
RUN = {
    "schema": 1,
    "type": "run",
    "run": 42,
    "closed_at": "2023-07-01T00:00:00Z",
    "data_month": "2023-06",
}


def postings_of_lives(settings):
    written, postings = BytesIO(), BytesIO()
    months = month_number("2023-01"), month_number("2023-12")
    simulate(SimulationOptions(100, *months, seed=5, jobs=1), written, lambda _: None)
    settle(written.getvalue().splitlines(), settings, 1, postings)
    return postings.getvalue().splitlines()


async def arrive(settings, values, portions):
    """Write postings as workers do: in transactions, some aborted, with a run marker between.

    Each portion of them waits until it is let in.
    """
    topic = settings.prefix + topics.POSTINGS.name
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.bootstrap, transactional_id=settings.prefix
    )
    async with producer:
        for start in range(0, len(values), BATCH):
            if start // BATCH % PORTION == 0:
                await asyncio.to_thread(portions.acquire)
            batch = values[start : start + BATCH]
            if start // BATCH % 5 == 0:
                await producer.begin_transaction()
                await send(producer, topic, batch, settings.partitions)
                await producer.flush()
                await producer.abort_transaction()
            async with producer.transaction():
                await send(producer, topic, batch, settings.partitions)
                if start <= len(values) // 2 < start + BATCH:
                    for partition in range(settings.partitions):
                        await producer.send(topic, orjson.dumps(RUN), partition=partition)
            await asyncio.sleep(PAUSE_S)


async def send(producer, topic, values, partitions):
    for value in values:
        citizen = orjson.loads(value)["citizen"].encode()
        await producer.send(topic, value, key=citizen, partition=partition_of(citizen, partitions))


@pytest.fixture
def portions(settings):
    """Lets the portions of postings in, one for each release; all that are left at the end."""
    values = postings_of_lives(settings)
    asyncio.run(
        topics.ensure_topics(
            settings.bootstrap, settings.prefix, settings.partitions, topics=[topics.POSTINGS]
        )
    )
    allowed = Semaphore(0)
    thread = Thread(target=lambda: asyncio.run(arrive(settings, values, allowed)))
    thread.start()

    def rest():
        allowed.release(len(values))
        thread.join()

    yield SimpleNamespace(one=allowed.release, rest=rest)
    rest()


@pytest.fixture
def ledger_process(settings, tmp_path):
    """Starts the ledger; processes that are left at the end are killed."""
    given = {
        name: value for name, (value, origin) in settings.values.items() if origin == "environment"
    }
    started = []

    def start():
        command = [
            sys.executable,
            "-m",
            "examples.ledger_consumer",
            str(tmp_path / "ledger.sqlite"),
        ]
        started.append(subprocess.Popen(command, env=os.environ | given))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def applied(file):
    """The number of rows in the ledger, read from outside."""
    if not file.exists():
        return 0
    with closing(sqlite3.connect(file)) as ledger:
        try:
            return ledger.execute("SELECT count(*) FROM rows").fetchone()[0]
        except sqlite3.OperationalError:  # its tables are still being made
            return 0


def wait_for_rows(file, number, process):
    deadline = time.monotonic() + PATIENCE_S
    while applied(file) < number:
        assert process.poll() is None, "the ledger ended by itself"
        assert time.monotonic() < deadline, f"{applied(file)} rows instead of {number}"
        time.sleep(0.01)


def test_a_ledger_that_is_killed_again_and_again_has_each_posting_once(
    settings, portions, ledger_process, tmp_path
):
    file = tmp_path / "ledger.sqlite"
    for _ in range(KILLS):
        process = ledger_process()
        portions.one()
        wait_for_rows(file, applied(file) + 1, process)
        process.kill()
        assert process.wait() == -signal.SIGKILL
    process = ledger_process()
    portions.rest()
    found = asyncio.run(records_of(settings.bootstrap, settings.prefix + topics.POSTINGS.name))
    values = {
        partition: [orjson.loads(record.value) for record in records]
        for partition, records in found.items()
    }
    rows = [row for each in values.values() for value in each for row in value.get("rows", ())]
    wait_for_rows(file, len(rows), process)
    process.terminate()
    assert process.wait(PATIENCE_S) == 128 + signal.SIGTERM
    with closing(open_ledger(str(file))) as ledger:
        assert ledger.execute("SELECT count(*), count(DISTINCT id) FROM rows").fetchone() == (
            len(rows),
            len(rows),
        )
        assert sums(ledger) == summed(rows)
        cut = {
            row["id"]
            for each in values.values()
            for value in each[: [value["type"] for value in each].index("run")]
            for row in value["rows"]
        }
        assert 0 < len(cut) < len(rows)
        assert {key for (key,) in ledger.execute("SELECT id FROM rows WHERE run = 42")} == cut


def sums(ledger):
    """The ledger's money by cell, as a municipality would ask for it."""
    totals = ", ".join(f"total(coalesce({name}, 0))" for name in MONEY)
    found = ledger.execute(
        f"SELECT {', '.join(CELL)}, {totals} FROM rows GROUP BY {', '.join(CELL)}"  # noqa: S608
    )
    return {row[: len(CELL)]: row[len(CELL) :] for row in found if any(row[len(CELL) :])}


def summed(rows):
    found: dict = {}
    add(found, rows, 1)
    return found


# --- without Kafka ------------------------------------------------------------------------------


def posting(revision, *ids):
    row: dict = {
        "kind": "result",
        "month": "2024-01",
        "week": "2024-01-01",
        "benefit": "KTH",
        "paying": "730",
    }
    row |= {
        "financing": "730",
        "amount_ore": 100,
        "mechanism": "refusion",
        "rate": 80,
        "refusion_ore": 80,
    }
    row |= {"medfinansiering_ore": 0, "account": None}
    return {
        "type": "postings",
        "citizen": "c",
        "revision": revision,
        "rows": [row | {"id": each} for each in ids],
    }


def records(*values):
    return [SimpleNamespace(value=orjson.dumps(value)) for value in values]


@pytest.fixture
def ledger():
    with closing(open_ledger(":memory:")) as opened:
        yield opened


def runs(ledger):
    return dict(ledger.execute("SELECT id, run FROM rows"))


def test_a_message_that_comes_again_is_passed_over_in_the_same_batch_and_later(ledger):
    apply(ledger, 0, records(posting(1, "a"), posting(1, "a"), posting(2, "b")), 3)
    apply(ledger, 0, records(posting(1, "a"), posting(2, "b"), posting(3, "c")), 6)
    assert set(runs(ledger)) == {"a", "b", "c"}
    assert ledger.execute("SELECT * FROM offsets").fetchall() == [(0, 6)]


def test_a_lost_posting_stops_the_ledger_and_leaves_nothing_of_its_batch(ledger):
    apply(ledger, 0, records(posting(1, "a")), 1)
    with pytest.raises(GapError, match="revision 3 of citizen c came after 1"):
        apply(ledger, 0, records(RUN, posting(3, "c")), 3)
    assert runs(ledger) == {"a": None}
    assert ledger.execute("SELECT * FROM offsets").fetchall() == [(0, 1)]


def test_a_marker_cuts_its_partition_once(ledger):
    other = posting(1, "x") | {"citizen": "d"}
    apply(ledger, 1, records(other), 1)
    apply(ledger, 0, records(posting(1, "a"), RUN, posting(2, "b"), RUN), 4)
    assert runs(ledger) == {"a": 42, "b": None, "x": None}
