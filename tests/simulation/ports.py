"""The ports of the batch loop on simulated brokers (`streams.engine.ports`)."""

import asyncio
from contextlib import asynccontextmanager

from aiokafka.errors import (
    ConcurrentTransactions,
    IllegalGenerationError,
    KafkaError,
    OffsetOutOfRangeError,
    UnknownMemberIdError,
)

from streams.engine.ports import Batch
from streams.engine.timing import HEARTBEAT_S, TRANSACTION_TIMEOUT_S
from streams.kafka.errors import is_outage

POLL_S = 0.05
AGAIN_S = 0.1
RESTORED_AT_ONCE = 50


class SimulatedKafka:
    """The brokers as one process sees them."""

    def __init__(self, world, instance) -> None:
        self.world = world
        self.instance = instance

    def is_outage(self, error):
        return is_outage(error)

    def refusal(self, _error):
        return None

    def is_too_large(self, _error):
        return False

    def source(self, group, topic):
        return SimulatedSource(self, group, topic)

    def delivery(self, group, source, partition, *, transactional):
        if transactional:
            return TransactionalDelivery(self, group, source, partition)
        return IdempotentDelivery(self, group, source, partition)

    @asynccontextmanager
    async def changelog(self, topic, partition):
        log = self.world.log(topic, partition)
        bounds = await self.world.network.call(lambda: (log.stable_end, log.end))
        yield SimulatedChangelog(self.world, topic, log, *bounds)


class SimulatedChangelog:
    """One partition of a changelog, read committed."""

    def __init__(self, world, topic, log, end, written_end) -> None:
        self._world, self._log = world, log
        self.identity = f"simulated/{topic}"
        self.end = end
        self._is_whole = end == written_end

    async def is_whole(self):
        return self._is_whole

    async def read(self, start):
        while start < self.end:
            at = start
            records, start = await self._world.network.call(
                lambda at=at: self._log.read(at, RESTORED_AT_ONCE)
            )
            yield Batch(records, start)

    async def record(self, offset):
        committed = await self._world.network.call(self._log.committed)
        return next((entry for entry in committed if entry.offset == offset), None)


class SimulatedSource:
    """A static member of a group."""

    def __init__(self, kafka, group, topic) -> None:
        self.topic = topic
        self._world, self._instance, self._group = kafka.world, kafka.instance, group
        self._identity = object()
        self._generation = -1
        self._positions: dict[int, int] = {}
        self._failure: Exception | None = None
        self._membership: asyncio.Task | None = None

    async def is_new_member(self):
        names = await self._world.network.call(lambda: self._world.groups.names(self._group))
        return bool(names) and self._instance not in names

    async def join(self, rebalance):
        await self._world.network.call(lambda: None)
        self._membership = asyncio.create_task(self._be_a_member(rebalance))

    async def check(self):
        if self._failure is not None:
            raise self._failure

    async def leave(self):
        if self._membership is not None:
            self._membership.cancel()
        await self._world.network.call(
            lambda: self._world.groups.leave(
                self._group, self._instance, self._identity, self._world.partitions(self.topic)
            )
        )

    async def _be_a_member(self, rebalance):
        try:
            while True:
                self._generation, partitions = await self._joined()
                self._positions.clear()
                rebalance.assigned(partitions)
                await self._beat(until_rebalance=True)
                revoking = asyncio.create_task(rebalance.revoked())
                beating = asyncio.create_task(self._beat(until_rebalance=False))
                await revoking
                beating.cancel()
        except Exception as error:  # noqa: BLE001 - `check` raises it
            self._failure = error

    async def _joined(self):
        while True:
            try:
                joined = await self._world.network.call(
                    lambda: (
                        self._world.groups.join(
                            self._group,
                            self._instance,
                            self._identity,
                            self._world.partitions(self.topic),
                        ),
                    )
                )
                return await joined[0]
            except KafkaError as error:
                if not is_outage(error):
                    raise
                await asyncio.sleep(AGAIN_S)

    async def _beat(self, *, until_rebalance):
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            try:
                must_join = await self._world.network.call(
                    lambda: self._world.groups.heartbeat(
                        self._group, self._instance, self._identity, self._generation
                    )
                )
            except (UnknownMemberIdError, IllegalGenerationError):
                must_join = True
            except KafkaError as error:
                if not is_outage(error):
                    raise
                continue
            if must_join and until_rebalance:
                return

    def pause(self, partition):
        self._positions.pop(partition, None)

    def resume_at(self, partition, offset):
        self._positions[partition] = offset

    async def fetch(self, partition, max_records, patience_s):
        until = self._world.now() + patience_s
        log = self._world.log(self.topic, partition)
        while True:
            position = self._positions[partition]
            try:
                records, after = await self._world.network.call(
                    lambda at=position: self._read(log, at, max_records)
                )
            except KafkaError as error:  # the client asks again by itself
                if not is_outage(error):
                    raise
                records, after = [], position
            if records or self._world.now() >= until:
                if partition in self._positions:
                    self._positions[partition] = after
                return Batch(records, after)
            await asyncio.sleep(POLL_S)

    def _read(self, log, position, most):
        if not log.start <= position <= log.end:
            raise OffsetOutOfRangeError
        return log.read(position, most)

    async def committed(self, partition):
        return await self._world.network.call(
            lambda: self._world.positions.get((self._group, self.topic, partition))
        )

    async def commit(self, partition, position):
        await self._world.network.call(
            lambda: self._world.groups.commit(
                self._group,
                self._instance,
                self._identity,
                self._generation,
                self.topic,
                partition,
                position,
            )
        )

    async def bounds(self, partition):
        log = self._world.log(self.topic, partition)
        return await self._world.network.call(lambda: (log.start, log.stable_end))


class _Delivery:
    """Sends a batch again until it is acknowledged; brokers know a batch that they have."""

    def __init__(self, kafka, group, source, partition) -> None:
        self._world, self._group = kafka.world, group
        self._source, self._partition = source, partition

    def _write(self, topic, partition, messages):
        raise NotImplementedError

    async def send(self, outputs):
        sent = await asyncio.gather(*map(self._send, outputs), return_exceptions=True)
        ends = {}
        for output, end in zip(outputs, sent, strict=True):
            if isinstance(end, BaseException):
                raise end
            ends[output.topic] = end
        return ends

    async def _send(self, output):
        messages = list(output.messages)
        partition = output.partition
        if partition is None:
            partition = self._partition % self._world.partitions(output.topic)
        ends: list[int] = []

        def once():
            if not ends:
                self._world.network.refuse()
                ends.append(self._write(output.topic, partition, messages))
            return ends[0]

        return await self._until_answered(once)

    async def _until_answered(self, act):
        while True:
            try:
                return await self._world.network.call(act)
            except ConcurrentTransactions:
                await asyncio.sleep(POLL_S)
            except KafkaError as error:
                if not is_outage(error):
                    raise
                await asyncio.sleep(AGAIN_S)

    async def stop(self):
        await self._world.network.call(lambda: None)


class TransactionalDelivery(_Delivery):
    """Outputs and position in one transaction of the partition's id."""

    _epoch = -1

    @property
    def _name(self):
        return f"{self._group}-{self._partition}"

    async def start(self):
        coordinator = self._world.coordinator
        self._epoch = await self._world.network.call(
            lambda: coordinator.init(self._name, TRANSACTION_TIMEOUT_S)
        )

    async def begin(self):
        pass

    def _write(self, topic, partition, messages):
        return self._world.coordinator.write(self._name, self._epoch, topic, partition, messages)

    async def commit(self, position):
        coordinator, at = self._world.coordinator, (self._source.topic, self._partition)
        await self._until_answered(
            lambda: coordinator.note(self._name, self._epoch, self._group, *at, position)
        )
        await self._until_answered(lambda: coordinator.commit(self._name, self._epoch))


class IdempotentDelivery(_Delivery):
    """Outputs first, then the position."""

    async def start(self):
        await self._world.network.call(lambda: None)

    async def begin(self):
        pass

    def _write(self, topic, partition, messages):
        return self._world.log(topic, partition).append(messages, self._world.now())

    async def commit(self, position):
        await self._source.commit(self._partition, position)
