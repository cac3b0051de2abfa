"""States the keys of a journal in it: a record `keys` in every partition, in one transaction.

From its place on, a record of the journal counts only if it has a MAC. The first intake writes it
into a journal that is empty, so that a new journal is checked from its beginning. One that an
earlier version began is checked from where an operator states its keys, when every program that
writes to it is of a version that makes MACs: `refusion keys state --apply`.
"""

import asyncio
from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

from domain.citizen.reports import KeysRecord
from streams.engine.ports import Headers
from streams.kafka import topics
from streams.kafka.clients import KafkaClients
from streams.kafka.control import (
    ControlRecord,
    OvertakenError,
    UnconfirmedError,
    control_writer,
)
from streams.kafka.reading import KafkaTopicReader, Offsets, open_topics
from streams.settings import Settings
from streams.wire import journal
from streams.wire.cloudevents import event_headers

CLIENT: Final = "keys"
AGAIN_S: Final = 0.5
"""Seconds until a writer that another one overtook looks again."""
KEYS_EVENT: Final = b"refusion.keys"
_LETTERS: Final = str.maketrans("0123456789", "ghijkmnpqr")


def keys_record(settings: Settings) -> KeysRecord:
    """The record that states our keys; its id has letters alone, so that none looks like a CPR."""
    identity = settings.identity()
    return KeysRecord(
        uuid4().hex[:12].translate(_LETTERS),
        identity.pseudonym_key_id,
        identity.seal_key_ids,
        identity.macs.key_ids,
        settings.has_demo_keys,
    )


async def begin_journal(settings: Settings) -> None:
    """State our keys in a journal that has no record yet; leave any other as it is."""
    clients = KafkaClients(settings.bootstrap, f"refusion-{CLIENT}")
    async with open_topics(clients) as topics_read:
        while await _is_empty(settings, topics_read):
            try:
                await _write(settings, clients, topics_read)
            except (OvertakenError, UnconfirmedError):
                await asyncio.sleep(AGAIN_S)


async def state_keys(settings: Settings) -> Offsets:
    """State our keys in a journal that has records. Returns the places, by partition."""
    clients = KafkaClients(settings.bootstrap, f"refusion-{CLIENT}")
    return await _write(settings, clients, None)


async def _write(
    settings: Settings, clients: KafkaClients, empty: KafkaTopicReader | None
) -> Offsets:
    """Write the record; where it is to be the first, nothing once another record is there."""
    name = f"{settings.journal_prefix}{CLIENT}"
    async with control_writer(clients, settings.macs(), name, CLIENT) as writer:
        if empty is not None and not await _is_empty(settings, empty):
            return {}
        at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        record = keys_record(settings)
        control = ControlRecord(journal.encode_control(record, at), _headers(record, at))
        return await writer.write(settings.topic(topics.REPORTS), settings.partitions, [control])


def _headers(record: KeysRecord, at: str) -> Headers:
    return event_headers(f"keys/{record.id}".encode(), KEYS_EVENT, b"refusion/keys", at)


async def _is_empty(settings: Settings, topics_read: KafkaTopicReader) -> bool:
    """Tell whether the journal has no record; marks of transactions are none."""
    topic = settings.topic(topics.REPORTS)
    for partition, end in (await topics_read.ends(topic)).items():
        if end and await topics_read.has_record(topic, partition, 0, end):
            return False
    return True
