"""A downstream ledger in SQLite that applies each posting exactly once.

    python -m examples.ledger_consumer ledger.sqlite

This process may die at any point, and Kafka may deliver a message again. It is exactly once all the
same:

* A batch is one SQLite transaction, which holds the rows **and** the offsets that come next. After
  a crash either both are there or neither is, and a start goes on at the offsets in the ledger.
  Kafka would commit its own offsets before or after the rows, never with them, so they are not
  used.
* Kafka shows committed postings only (`read_committed`): postings of a worker that died before its
  commit never come.
* A message may come again (a topic copied to another cluster, an offset set back by hand). Then its
  revision is not higher than the one that the ledger has for the citizen, and it is passed over. A
  revision that is too high means that something was lost: the ledger stops, because wrong is worse
  than stopped.

Rows are only ever added. The sum of a cell's rows is what is true now. A run's marker cuts its
partition: rows before it that belong to no run yet get its number.
"""

import asyncio
import sqlite3
import sys
from collections.abc import Sequence
from typing import Any

import click
import orjson
from aiokafka import TopicPartition

from streams.kafka.clients import KafkaClients
from streams.kafka.errors import explained
from streams.kafka.topic_layout import ensure_topics_of
from streams.kafka.topics import POSTINGS
from streams.kit.errors import UserError
from streams.kit.stopping import Stopped, unwind_on_signals
from streams.settings import Settings

FIELDS = (
    "id", "kind", "reverses", "month", "week", "benefit", "paying", "financing", "amount_ore",
    "atp_ore", "mechanism", "rate", "refusion_ore", "medfinansiering_ore", "account",
)  # fmt: skip
SCHEMA = f"""
CREATE TABLE IF NOT EXISTS rows ({", ".join(FIELDS)}, citizen, partition, run, PRIMARY KEY (id));
CREATE INDEX IF NOT EXISTS open_rows ON rows (partition) WHERE run IS NULL;
CREATE TABLE IF NOT EXISTS citizens (citizen PRIMARY KEY, revision NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS runs
    (partition, run, closed_at, PRIMARY KEY (partition, run)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS offsets (partition PRIMARY KEY, next NOT NULL) WITHOUT ROWID;
"""
VALUES = ", ".join(f":{name}" for name in FIELDS)
INSERT = f"INSERT INTO rows VALUES ({VALUES}, :citizen, :partition, NULL)"  # noqa: S608 - our names


class GapError(UserError):
    """A message of a citizen is missing."""


def open_ledger(path: str) -> sqlite3.Connection:
    """Open the ledger in a file, or make it."""
    ledger = sqlite3.connect(path)
    ledger.execute("PRAGMA journal_mode = WAL")  # others may read meanwhile
    ledger.executescript(SCHEMA)
    return ledger


def apply(
    ledger: sqlite3.Connection, partition: int, records: Sequence[Any], position: int
) -> None:
    """Apply a batch of a partition and the offset after it, or nothing of both."""
    with ledger:
        ledger.execute("BEGIN IMMEDIATE")
        for record in records:
            message = orjson.loads(record.value)
            (_cut if message["type"] == "run" else _add)(ledger, partition, message)
        ledger.execute("INSERT OR REPLACE INTO offsets VALUES (?, ?)", (partition, position))


def _add(ledger: sqlite3.Connection, partition: int, message: dict[str, Any]) -> None:
    citizen, revision = message["citizen"], message["revision"]
    (known,) = ledger.execute(
        "SELECT max(revision) FROM citizens WHERE citizen = ?", (citizen,)
    ).fetchone()
    if revision <= (known or 0):
        return
    if revision != (known or 0) + 1:
        raise GapError(
            f"revision {revision} of citizen {citizen} came after {known or 0}: a posting was lost"
        )
    ledger.execute("INSERT OR REPLACE INTO citizens VALUES (?, ?)", (citizen, revision))
    common = dict.fromkeys(FIELDS) | {"citizen": citizen, "partition": partition}
    ledger.executemany(INSERT, [common | row for row in message["rows"]])


def _cut(ledger: sqlite3.Connection, partition: int, marker: dict[str, Any]) -> None:
    known = ledger.execute(
        "SELECT 1 FROM runs WHERE partition = ? AND run = ?", (partition, marker["run"])
    ).fetchone()
    if not known:
        ledger.execute(
            "INSERT INTO runs VALUES (?, ?, ?)", (partition, marker["run"], marker["closed_at"])
        )
        ledger.execute(
            "UPDATE rows SET run = ? WHERE partition = ? AND run IS NULL",
            (marker["run"], partition),
        )


async def follow(settings: Settings, ledger: sqlite3.Connection) -> None:
    """Apply the messages that are there and those that come, for ever."""
    await ensure_topics_of(settings, [POSTINGS], may_be_unread=True)  # or learn what is wrong
    known = dict(ledger.execute("SELECT partition, next FROM offsets"))
    clients = KafkaClients(settings.bootstrap, "refusion-consumer")
    # Read committed; an offset that is not there means another topic: stop.
    async with clients.consumer(auto_offset_reset="none") as consumer:
        partitions = [
            TopicPartition(settings.prefix + POSTINGS.name, number)
            for number in range(settings.partitions)
        ]
        consumer.assign(partitions)
        # Nothing may be awaited before this: the client would look for a position of its own.
        for at in partitions:
            consumer.seek(at, known.get(at.partition, 0))
        while True:
            for at, records in (await consumer.getmany(timeout_ms=1_000)).items():
                apply(ledger, at.partition, records, records[-1].offset + 1)


@click.command()
@click.argument("file", type=click.Path(dir_okay=False))
def main(file: str) -> None:
    """Keep a ledger of all postings in an SQLite FILE. Ends on SIGTERM and Ctrl-C."""
    unwind_on_signals()
    ledger = open_ledger(file)
    try:
        settings = Settings.load()
        with explained(settings.bootstrap, UserError):
            asyncio.run(follow(settings, ledger))
    except Stopped as stopped:
        sys.exit(stopped.status)
    except UserError as error:
        raise click.ClickException(str(error)) from error
    finally:
        ledger.close()


if __name__ == "__main__":
    main()
