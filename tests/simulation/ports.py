"""The ports of the batch loop on simulated brokers (`streams.engine.ports`): changelogs, outputs.

What the client library does by itself is done here: it asks again where no broker answers, numbers
its batches, and sends a batch again with its number. `sources.py` has the member of a group.
"""

import asyncio
from contextlib import asynccontextmanager

from aiokafka.errors import ConcurrentTransactions, KafkaError

from streams.engine.ports import Batch
from streams.engine.timing import TRANSACTION_TIMEOUT_S
from streams.kafka.errors import is_outage
from tests.simulation.logs import COMMIT, Stamp
from tests.simulation.sources import SimulatedSource
from tests.simulation.versions import outgoing

POLL_S = 0.05
AGAIN_S = 0.1
RESTORED_AT_ONCE = 50


class SimulatedKafka:
    """The brokers as one process sees them."""

    def __init__(self, cluster, instance) -> None:
        self.cluster = cluster
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
        cluster, log = self.cluster, self.cluster.log(topic, partition)
        place = "log", topic, partition
        bounds = await cluster.network.call(place, lambda: (log.stable_end, log.end))
        yield SimulatedChangelog(cluster, topic, place, log, *bounds)


class SimulatedChangelog:
    """One partition of a changelog, read committed."""

    def __init__(self, cluster, topic, place, log, end, written_end) -> None:
        self._cluster, self._place, self._log = cluster, place, log
        self.identity = f"simulated/{topic}/{cluster.made_anew}"
        self.end = end
        self._is_whole = end == written_end

    async def is_whole(self):
        return self._is_whole and self._log.end <= self.end

    async def read(self, start):
        while start < self.end:
            at = start
            records, start = await self._cluster.network.call(
                self._place, lambda at=at: self._log.read(at, RESTORED_AT_ONCE)
            )
            yield Batch([each for each in records if each.offset < self.end], min(start, self.end))

    async def record(self, offset):
        return await self._cluster.network.call(self._place, lambda: self._log.record(offset))


class _Delivery:
    """Sends a batch again until it is acknowledged; brokers know a batch that they have."""

    def __init__(self, kafka, group, source, partition) -> None:
        self._cluster, self._group = kafka.cluster, group
        self._source, self._partition = source, partition
        self._sequences: dict[tuple[str, int], int] = {}
        self._one_at_a_time: dict[tuple[str, int], asyncio.Lock] = {}

    def _produce(self, topic, partition, sequence, messages):
        """Write a batch at the broker."""
        raise NotImplementedError

    async def _begin_at(self, topic, partition):
        """Do what comes before the first batch for a partition."""

    async def send(self, outputs):
        sent = await asyncio.gather(*map(self._send, outputs), return_exceptions=True)
        ends = {}
        for output, end in zip(outputs, sent, strict=True):
            if isinstance(end, BaseException):
                raise end
            ends[output.topic] = end
        return ends

    async def _send(self, output):
        messages = outgoing(output.messages)
        partition = output.partition
        if partition is None:
            partition = self._partition % self._cluster.partitions(output.topic)
        place = output.topic, partition
        async with self._one_at_a_time.setdefault(place, asyncio.Lock()):
            await self._begin_at(*place)
            self._cluster.network.refuse()
            sequence = self._sequences.get(place, 0)
            self._sequences[place] = sequence + len(messages)

            def produce():
                return self._produce(*place, sequence, messages)

            return await self._until_answered(("log", *place), produce, late=True)

    async def _until_answered(self, place, act, *, late=False):
        while True:
            try:
                return await self._cluster.network.call(place, act, again=True, late=late)
            except ConcurrentTransactions:
                await asyncio.sleep(POLL_S)
            except KafkaError as error:
                if not is_outage(error):
                    raise
                await asyncio.sleep(AGAIN_S)

    async def stop(self):
        await self._cluster.network.call(("log", "any", 0), lambda: None)


class TransactionalDelivery(_Delivery):
    """Outputs and position in one transaction of the partition's id."""

    _epoch = -1

    @property
    def _name(self):
        return f"{self._group}-{self._partition}"

    async def start(self):
        coordinator = self._cluster.coordinator
        _, self._epoch = await self._until_answered(
            ("transactions", self._name),
            lambda: coordinator.init(self._name, TRANSACTION_TIMEOUT_S),
        )
        self._cluster.trace_fine(f"{self._name}: fenced, epoch {self._epoch}")

    async def begin(self):
        self._added: set[tuple[str, int]] = set()

    async def _begin_at(self, topic, partition):
        if (topic, partition) not in self._added:
            await self._coordinated("add", topic, partition)
            self._added.add((topic, partition))

    def _produce(self, topic, partition, sequence, messages):
        return self._cluster.coordinator.produce(
            self._name, self._epoch, topic, partition, sequence, messages
        )

    async def _coordinated(self, method, *arguments):
        act = getattr(self._cluster.coordinator, method)
        return await self._until_answered(
            ("transactions", self._name), lambda: act(self._name, self._epoch, *arguments)
        )

    async def commit(self, position, _note=""):
        at = self._source.topic, self._partition
        await self._coordinated("note", self._group, *at, position)
        await self._coordinated("end", COMMIT)
        self._cluster.trace_fine(f"{self._name}: committed up to {position}")


class IdempotentDelivery(_Delivery):
    """Outputs first, then the position."""

    _producer = -1

    async def start(self):
        coordinator = self._cluster.coordinator
        place = "transactions", "any"
        self._producer = await self._cluster.network.call(place, coordinator.new_producer)

    async def begin(self):
        pass

    def _produce(self, topic, partition, sequence, messages):
        stamp = Stamp(self._producer, 0, sequence)
        log = self._cluster.log(topic, partition)
        return log.append(messages, self._cluster.now(), None, stamp)

    async def commit(self, position, note=""):
        await self._source.commit(self._partition, position, note)
