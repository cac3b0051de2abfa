"""Writes control records: the same records into every partition of the journal, in one transaction.

    1. Start the producer. Its transactional id, which all writers of one kind share, fences any
       other writer of that kind and ends its transaction.
    2. Whoever writes may look once more whether it still should: nobody else can write now.
    3. One transaction: the records to every partition, others to topics of their own; all are
       acknowledged before the commit.

A writer that dies in 3 leaves an open transaction, which the next writer ends, or the broker after
`TRANSACTION_S`; until then readers see nothing behind it.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, KafkaTimeoutError, ProducerFenced

from streams.engine.fault_points import reached
from streams.engine.ports import Headers, Message
from streams.kafka.clients import STOP_S, KafkaClients, heard
from streams.kafka.reading import Offsets
from streams.privacy.macs import EVENT_TYPE, MacKeys

TRANSACTION_S: Final = 10.0
"""Seconds after which a broker ends a transaction that its writer left. A handful of records takes
tenths of a second; readers of the topic wait for it."""
COMMIT_S: Final = 30.0
"""Seconds for all three steps, a broker's restart included."""


class OvertakenError(Exception):
    """Another writer of the same kind came in between; nothing was written."""


class UnconfirmedError(Exception):
    """Kafka has not confirmed the transaction in `COMMIT_S`; it may have happened or not."""


class UnwrittenError(UnconfirmedError, KafkaTimeoutError):  # type: ignore[misc]  # no types
    """`COMMIT_S` were over before the commit was asked for: an outage; nothing was written."""


class ControlRecord(NamedTuple):
    """A record that every partition gets; it has no key."""

    value: bytes
    headers: Headers

    def marked(self, macs: MacKeys, partition: int) -> Headers:
        """Its headers in a partition of the journal: with the MAC of that place."""
        event_type = dict(self.headers).get(EVENT_TYPE, b"")
        mac = macs.at("reports", partition).header(None, event_type, self.value)
        return [*self.headers, mac]


class KeyedRecord(NamedTuple):
    """A record that goes with the control records to one partition of another topic, by its key."""

    topic: str
    key: bytes
    value: bytes
    headers: Headers


class ControlWriter:
    """Writes once, in a transaction of a producer that has fenced all others of its kind."""

    def __init__(self, producer: AIOKafkaProducer, macs: MacKeys, fault_name: str) -> None:
        self._producer = producer
        self._macs = macs
        self._fault_name = fault_name
        self.is_committing = False

    async def write(
        self,
        topic: str,
        partitions: int,
        records: Sequence[ControlRecord],
        others: Sequence[KeyedRecord] = (),
    ) -> Offsets:
        """Step 3. Returns the offset of the last control record in each partition."""
        await self._producer.begin_transaction()
        sent = [
            await self._send(
                topic,
                record.value,
                partition=partition,
                headers=record.marked(self._macs, partition),
            )
            for partition in range(partitions)
            for record in records
        ]
        sent_others = [
            await self._send(other.topic, other.value, key=other.key, headers=other.headers)
            for other in others
        ]
        acknowledged = await asyncio.gather(*sent)
        await asyncio.gather(*sent_others)
        offsets = {place.partition: place.offset for place in acknowledged}
        assert not records or len(offsets) == partitions, "a partition lacks a control record"
        await self._commit()
        return offsets

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Step 3 in parts: what is appended within the block is committed at its end, or nothing.

        What is read meanwhile lies before it, so that nothing can come in between.
        """
        await self._producer.begin_transaction()
        try:
            yield
        except BaseException:  # it says why; without an abort the broker ends the transaction
            with suppress(TimeoutError, KafkaError):
                async with asyncio.timeout(STOP_S):
                    await self._producer.abort_transaction()
            raise
        await self._commit()

    async def _commit(self) -> None:
        reached(self._fault_name, "before_commit")
        self.is_committing = True
        await self._producer.commit_transaction()

    async def append(self, topic: str, messages: Iterable[tuple[int, Message]]) -> list[int]:
        """Append messages to partitions within a transaction, and return their offsets."""
        sent = [
            await self._send(topic, value, key=key, partition=partition, headers=headers)
            for partition, (key, value, headers) in messages
        ]
        return [place.offset for place in await asyncio.gather(*sent)]

    async def _send(self, topic: str, value: bytes | None, **record: Any) -> "asyncio.Future[Any]":
        future: asyncio.Future[Any] = await self._producer.send(topic, value, **record)
        future.add_done_callback(heard)
        return future


@asynccontextmanager
async def control_writer(
    clients: KafkaClients, macs: MacKeys, transactional_id: str, fault_name: str
) -> AsyncIterator[ControlWriter]:
    """Step 1, and within the block steps 2 and 3, in `COMMIT_S` together.

    Raises OvertakenError, UnconfirmedError, and UnwrittenError where the commit was not reached.
    `fault_name` names the writer in tests that stop it half-way (`streams.engine.fault_points`).
    """
    ends, writer = asyncio.get_running_loop().time() + COMMIT_S, None
    try:
        async with clients.producer(
            start_s=COMMIT_S,
            stop_s=COMMIT_S,
            transactional_id=transactional_id,
            transaction_timeout_ms=int(TRANSACTION_S * 1000),
        ) as producer:
            writer = ControlWriter(producer, macs, fault_name)
            async with asyncio.timeout_at(ends):
                yield writer
    except ProducerFenced:
        raise OvertakenError from None
    except TimeoutError:
        is_open = writer is not None and writer.is_committing
        raise (UnconfirmedError if is_open else UnwrittenError) from None
    except KafkaTimeoutError:
        if writer is not None:
            raise
        raise UnwrittenError from None  # it could not start
