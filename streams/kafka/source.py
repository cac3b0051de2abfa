"""A stage's membership in its consumer group, behind the port `Source` of the batch loop."""

import asyncio
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import OffsetOutOfRangeError

from streams.engine.ports import Batch, Rebalance
from streams.engine.timing import HEARTBEAT_S, SESSION_S, STOP_S
from streams.kafka.clients import KafkaClients, close_consumer
from streams.kafka.groups import client_ids, name_in
from streams.kafka.patches import as_read
from streams.kit.errors import UserError

MAX_POLL_INTERVAL_MS: Final = 2**31 - 1
"""Never: a restore may take long and fetches nothing meanwhile. Heartbeats tell whether we live."""
METADATA_AGE_S: Final = 2.0
"""Seconds that a member believes what it was told of its topic. A broker that has just come back
may not know the topic yet; the group then gives out no partitions, and with the client's five
minutes nobody would work for as long."""
FETCH_PARTITION_BYTES: Final = 512 << 10
"""Compressed bytes of one fetch of a partition: some 13,000 raw reports or 5,000 of the journal,
more than a batch. Half of it costs some 5 % of the processor time, for smaller batches. The client
holds a fetch up to three times, of each partition and stage."""
NOWHERE: Final = TopicPartition("", 0)
"""A partition that does not exist."""


def group_consumer(clients: KafkaClients, group: str, instance: str) -> AIOKafkaConsumer:
    """Make the client of a static member: with the same `instance` it is the same after a crash."""
    return clients.new_consumer(
        key_deserializer=as_read,
        group_id=group,
        group_instance_id=instance,
        enable_auto_commit=False,
        auto_offset_reset="none",  # the batch loop decides what a gap means
        isolation_level="read_committed",
        max_partition_fetch_bytes=FETCH_PARTITION_BYTES,
        metadata_max_age_ms=int(METADATA_AGE_S * 1000),
        session_timeout_ms=int(SESSION_S * 1000),
        rebalance_timeout_ms=int(SESSION_S * 1000),
        heartbeat_interval_ms=int(HEARTBEAT_S * 1000),
        max_poll_interval_ms=MAX_POLL_INTERVAL_MS,
    )


class NextRecordGoneError(UserError):
    """The brokers do not have the offset that comes next any more, or not yet again."""

    def __init__(self, topic: str, offsets: Mapping[TopicPartition, int]) -> None:
        places = ", ".join(f"{topic}/{at.partition}/{offset}" for at, offset in offsets.items())
        super().__init__(
            f"the brokers do not have {places}, which comes next: it expired before it was read, or"
            " they were set back to an earlier state"
        )


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Passes the group's decisions on, by partition number."""

    def __init__(self, rebalance: Rebalance) -> None:
        self._rebalance = rebalance
        self.failure: Exception | None = None
        """The first error of a decision: aiokafka swallows what is raised in a listener."""

    async def on_partitions_revoked(self, _revoked: Collection[TopicPartition]) -> None:
        try:
            await self._rebalance.revoked()
        except Exception as error:  # noqa: BLE001 - raised by `check`
            self.failure = error

    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        try:
            self._rebalance.assigned([at.partition for at in assigned])
        except Exception as error:  # noqa: BLE001 - raised by `check`
            self.failure = error


class KafkaSource:
    """A stage's member of its consumer group: reads one topic."""

    def __init__(
        self, clients: KafkaClients, consumer: AIOKafkaConsumer, group: str, topic: str
    ) -> None:
        self.topic = topic
        self._clients = clients
        self._consumer = consumer
        self._group = group

    async def is_new_member(self) -> bool:
        """Return whether the group has members, none of which has our client id."""
        async with self._clients.admin() as admin:
            members = {name_in(member) for member in await client_ids(admin, self._group)}
        return bool(members) and name_in(self._clients.client_id) not in members

    async def join(self, rebalance: Rebalance) -> None:
        """Connect first, then subscribe: `start` would wait for the first assignment otherwise."""
        await self._consumer.start()
        self._listener = _Listener(rebalance)
        self._consumer.subscribe([self.topic], listener=self._listener)

    async def check(self) -> None:
        """Raise what went wrong in the group; a fetch from no partition reports nothing else."""
        if self._listener.failure is not None:
            raise self._listener.failure
        with suppress(TimeoutError):  # it waits while partitions are being assigned
            await asyncio.wait_for(self._consumer.getmany(NOWHERE), HEARTBEAT_S / 4)

    async def leave(self) -> None:
        """Leave the group, which aiokafka does only for members that are not static."""
        if coordinator := self._consumer._coordinator:  # noqa: SLF001
            coordinator._group_instance_id = None  # noqa: SLF001
        await close_consumer(self._consumer, STOP_S)

    def pause(self, partition: int) -> None:
        """Fetch nothing from a partition until it is resumed."""
        self._consumer.pause(self._at(partition))

    def resume_at(self, partition: int, offset: int) -> None:
        """Fetch from an offset on."""
        self._consumer.seek(self._at(partition), offset)
        self._consumer.resume(self._at(partition))

    async def fetch(self, partition: int, max_records: int, patience_s: float) -> Batch:
        """The next records; between taking them and reading the position nothing else can run."""
        at = self._at(partition)
        try:
            records = await self._consumer.getmany(
                at, timeout_ms=int(patience_s * 1000), max_records=max_records
            )
        except OffsetOutOfRangeError as error:
            raise NextRecordGoneError(self.topic, error.args[0]) from error
        return Batch(records.get(at, ()), await self._consumer.position(at))

    async def committed(self, partition: int) -> int | None:
        """The group's offset, asked of the broker."""
        offset: int | None = await self._consumer.committed(self._at(partition))
        return offset

    async def note(self, partition: int) -> str:
        """Return what stands beside the group's offset, asked of the broker."""
        at = self._at(partition)
        found = await self._consumer._coordinator.fetch_committed_offsets([at])  # noqa: SLF001
        return found[at].metadata or "" if at in found else ""

    async def bounds(self, partition: int) -> tuple[int, int]:
        """The first offset, and the one after the last committed record."""
        at = self._at(partition)
        first = await self._consumer.beginning_offsets([at])
        end = await self._consumer.end_offsets([at])
        return first[at], end[at]

    async def commit(self, partition: int, position: int, note: str = "") -> None:
        """Commit a position as this member of the group, which fails when it is one no longer."""
        await self._consumer.commit({self._at(partition): (position, note)})

    def _at(self, partition: int) -> TopicPartition:
        return TopicPartition(self.topic, partition)
