"""A real broker as one side of the dialogues of `tests.simulation.dialogues`, request by request.

The requests are those that aiokafka sends, in the versions that it has; only nothing is sent by
itself, so that a script decides what comes twice, late or from a producer that is fenced.
"""

import asyncio
import time
from contextlib import asynccontextmanager, suppress
from types import SimpleNamespace
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from aiokafka.client import AIOKafkaClient, CoordinationType
from aiokafka.errors import (
    ConcurrentTransactions,
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    KafkaError,
    LeaderNotAvailableError,
    NoError,
    NotCoordinatorForGroupError,
    NotEnoughReplicasError,
    NotLeaderForPartitionError,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.protocol.commit import OffsetCommitRequest, OffsetFetchRequest
from aiokafka.protocol.group import (
    HeartbeatRequest,
    JoinGroupRequest,
    LeaveGroupRequest,
    SyncGroupRequest,
)
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.protocol.transaction import (
    AddOffsetsToTxnRequest,
    AddPartitionsToTxnRequest,
    EndTxnRequest,
    InitProducerIdRequest,
    TxnOffsetCommitRequest,
)
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from streams.kafka.clients import close_consumer

PARTITIONS = 3
WAIT_S = 90.0
AGAIN = (
    ConcurrentTransactions,
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    LeaderNotAvailableError,
    NotCoordinatorForGroupError,
    NotEnoughReplicasError,
    NotLeaderForPartitionError,
    UnknownTopicOrPartitionError,
)
"""A broker asks to come again: it is busy with a transaction, verifies one, or has just started."""
SESSION_MS = 30_000
SEGMENT_S = 0.3
LEVELS = ("read_committed", "read_uncommitted")


@asynccontextmanager
async def real_side(bootstrap, prefix, **topic_settings):
    """A side with a topic, a group and a transactional id of its own."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    client = AIOKafkaClient(bootstrap_servers=bootstrap)
    await admin.start()
    await client.bootstrap()
    try:
        topic = f"{prefix}topic"
        await admin.create_topics([NewTopic(topic, PARTITIONS, 1, topic_configs=topic_settings)])
        await client.set_topics([topic])
        consumers = [await _consumer(bootstrap, topic, level) for level in LEVELS]
        yield RealSide(bootstrap, client, admin, consumers, prefix, topic)
        for consumer in consumers:
            await close_consumer(consumer)
    finally:
        await client.close()
        await admin.close()


async def _consumer(bootstrap, topic, level):
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, isolation_level=level, auto_offset_reset="none"
    )
    await consumer.start()
    consumer.assign([TopicPartition(topic, partition) for partition in range(PARTITIONS)])
    return consumer


class RealSide:
    """The requests of a client to a real broker."""

    def __init__(self, bootstrap, client, admin, consumers, prefix, topic) -> None:
        self._bootstrap, self._client, self._admin = bootstrap, client, admin
        self._committed, self._uncommitted = consumers
        self._prefix, self._topic = prefix, topic
        self._group = f"{prefix}group"

    async def _send(self, request, codes) -> Any:
        """Send a request until the broker does not ask to come again; `codes` finds its errors."""
        node = self._client.get_random_node()
        until = time.monotonic() + WAIT_S
        while True:
            response = await self._client.send(node, request)
            errors = [for_code(code) for code in codes(response)]
            error = next((each for each in errors if each is not NoError), None)
            if error is None:
                return response
            if error not in AGAIN or time.monotonic() > until:
                raise error
            await asyncio.sleep(0.05)

    async def _answer(self, request, codes=lambda response: [response.error_code]):
        try:
            return await self._send(request, codes)
        except KafkaError as error:
            return type(error).__name__

    async def _done(self, request, codes=lambda response: [response.error_code]):
        """The error of a request, or None."""
        answer = await self._answer(request, codes)
        return answer if isinstance(answer, str) else None

    async def _coordinated(self, kind, name):
        """Wait until there is a coordinator; a fresh broker makes its topics first."""
        until = time.monotonic() + WAIT_S
        while True:
            with suppress(*AGAIN):
                return await self._client.coordinator_lookup(kind, name)
            assert time.monotonic() < until
            await asyncio.sleep(0.1)

    # --- transactions -----------------------------------------------------------------------------

    async def init(self, name, timeout_s=30.0):
        full = None if name is None else self._prefix + name
        if full is not None:
            await self._coordinated(CoordinationType.TRANSACTION, full)
        given = await self._answer(InitProducerIdRequest(full, int(timeout_s * 1000)))
        return SimpleNamespace(name=full, producer=given.producer_id, epoch=given.producer_epoch)

    async def add(self, of, partition):
        request = AddPartitionsToTxnRequest(
            of.name, of.producer, of.epoch, [(self._topic, [partition])]
        )
        return await self._done(request, _of_partitions)

    async def produce(self, of, partition, sequence, values):
        keyed = [(None, value) for value in values]
        return await self.produce_keyed(of, partition, sequence, keyed)

    async def produce_keyed(self, of, partition, sequence, records):
        builder = DefaultRecordBatchBuilder(
            2, 0, of.name is not None, of.producer, of.epoch, sequence, 1 << 20
        )
        for at, (key, value) in enumerate(records):
            builder.append(at, None, key, value, [])
        batch = bytes(builder.build())
        request = ProduceRequest(of.name, -1, 10_000, [(self._topic, [(partition, batch)])])
        answer = await self._answer(request, lambda response: [response.topics[0][1][0][1]])
        return answer if isinstance(answer, str) else answer.topics[0][1][0][2]

    async def note(self, of, position):
        error = await self._done(
            AddOffsetsToTxnRequest(of.name, of.producer, of.epoch, self._group)
        )
        if error is not None:
            return error
        await self._coordinated(CoordinationType.GROUP, self._group)
        at = [(self._topic, [(0, position, "")])]
        request = TxnOffsetCommitRequest(of.name, self._group, of.producer, of.epoch, at)
        return await self._done(request, _of_partitions)

    async def end(self, of, kind):
        return await self._done(EndTxnRequest(of.name, of.producer, of.epoch, kind == "commit"))

    # --- reading ----------------------------------------------------------------------------------

    async def settled(self, partition):
        async def is_settled():
            _, stable, end = await self.bounds(partition)
            return stable == end

        return await _comes_true(is_settled)

    async def read(self, partition):
        start, stable, _ = await self.bounds(partition)
        records = await self._fetched(partition, start, stable)
        return [(record.offset, record.value) for record in records]

    async def _fetched(self, partition, position, end):
        found: list[Any] = []
        at = TopicPartition(self._topic, partition)
        self._committed.seek(at, position)
        while await self._committed.position(at) < end:
            given = await self._committed.getmany(at, timeout_ms=200)
            found += given.get(at, [])
        return found

    async def bounds(self, partition):
        at = TopicPartition(self._topic, partition)
        start = (await self._committed.beginning_offsets([at]))[at]
        stable = (await self._committed.end_offsets([at]))[at]
        return start, stable, (await self._uncommitted.end_offsets([at]))[at]

    async def fetch(self, partition, position):
        _, stable, _ = await self.bounds(partition)
        try:
            found = await self._fetched(partition, position, stable)
        except KafkaError as error:
            return type(error).__name__
        return [record.value for record in found]

    async def committed(self):
        await self._coordinated(CoordinationType.GROUP, self._group)
        request = OffsetFetchRequest(self._group, [(self._topic, [0])])
        response = await self._send(
            request, lambda response: [part[3] for _, parts in response.topics for part in parts]
        )
        offset = response.topics[0][1][0][1]
        return None if offset < 0 else offset

    async def committed_is(self, position):
        async def is_there():
            return await self.committed() == position

        return await _comes_true(is_there)

    # --- cleaning ---------------------------------------------------------------------------------

    async def expire(self, partition, offset):
        at = TopicPartition(self._topic, partition)

        async def is_done():
            with suppress(*AGAIN):
                await self._admin.delete_records({at: RecordsToDelete(before_offset=offset)})
                return True
            return False

        assert await _comes_true(is_done)

    async def pass_a_segment(self):
        """Let the next record begin a segment: the last one is never compacted."""
        await asyncio.sleep(SEGMENT_S)

    async def compacted(self, partition, number):
        """Return what is left when the broker has compacted to so many, which takes a while."""

        async def is_compacted():
            return len(await self.read(partition)) == number

        await _comes_true(is_compacted)
        return await self.read(partition)

    # --- groups -----------------------------------------------------------------------------------

    async def join(self, instance):
        await self._coordinated(CoordinationType.GROUP, self._group)
        return await self._joined(instance, "", self._client)

    async def _joined(self, instance, member, client):
        request = JoinGroupRequest(
            self._group, SESSION_MS, SESSION_MS, member, instance, "consumer", [("p", b"")]
        )
        joined = await self._of_its_own(client, request)
        members = sorted(joined.members, key=lambda each: each[1])
        shares = [
            (name, bytes(range(PARTITIONS)[at :: len(members)]))
            for at, (name, *_) in enumerate(members)
        ]
        is_leader = joined.leader_id == joined.member_id
        synced = await self._of_its_own(
            client,
            SyncGroupRequest(
                self._group,
                joined.generation_id,
                joined.member_id,
                instance,
                shares if is_leader else [],
            ),
        )
        return SimpleNamespace(
            instance=instance,
            identity=joined.member_id,
            generation=joined.generation_id,
            partitions=list(synced.member_assignment),
        )

    async def _of_its_own(self, client, request):
        response = await client.send(client.get_random_node(), request)
        error = for_code(response.error_code)
        if error is not NoError:
            raise error
        return response

    async def join_beside(self, instance, other):
        """Join on a connection of its own: a join waits for the others' answers."""
        client = AIOKafkaClient(bootstrap_servers=self._bootstrap)
        await client.bootstrap()
        try:
            joining = asyncio.ensure_future(self._joined(instance, "", client))
            while await self.heartbeat(other) is None:
                await asyncio.sleep(0.05)
            again = await self._joined(other.instance, other.identity, self._client)
            return again, await joining
        finally:
            await client.close()

    async def heartbeat(self, member):
        return await self._done(HeartbeatRequest(self._group, member.generation, member.identity))

    async def commit(self, member, position):
        at = [(self._topic, [(0, position, "")])]
        request = OffsetCommitRequest(self._group, member.generation, member.identity, -1, at)
        return await self._done(
            request, lambda response: [part[1] for _, parts in response.topics for part in parts]
        )

    async def leave(self, member):
        return await self._done(LeaveGroupRequest(self._group, member.identity))


def _of_partitions(response):
    return [part[1] for _, parts in response.errors for part in parts]


async def _comes_true(condition):
    until = time.monotonic() + WAIT_S
    while time.monotonic() < until:
        if await condition():
            return True
        await asyncio.sleep(0.2)
    return False
