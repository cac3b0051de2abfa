"""The simulated brokers as one side of the dialogues, in time that jumps."""

import asyncio
from random import Random
from types import SimpleNamespace
from typing import Any

from aiokafka.errors import ConcurrentTransactions, KafkaError, RebalanceInProgressError

from tests.simulation.clock import SimulatedLoop
from tests.simulation.cluster import Cluster
from tests.simulation.dialogues import GROUP
from tests.simulation.logs import Stamp

TOPIC, PARTITIONS = "the-topic", 3
SETTLED_S = 60.0
ALL = 1 << 30


def answers_of(dialogue) -> Any:
    """The answers of simulated brokers."""
    return SimulatedLoop().run_until_complete(_run(dialogue))


async def _run(dialogue):
    cluster = Cluster(Random(0), {TOPIC: PARTITIONS})
    cluster.background(cluster.groups.watch(GROUP, PARTITIONS))
    try:
        return await dialogue(SimulatedSide(cluster))
    finally:
        await cluster.stop()


class SimulatedSide:
    """The requests of a client, answered by the parts of a cluster; nothing is lost."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._coordinator = cluster.coordinator
        self._log = cluster.log

    async def _answer(self, act):
        """Let a broker answer; come again as often as it asks for that."""
        while True:
            try:
                return act()
            except ConcurrentTransactions:
                await asyncio.sleep(0.05)
            except KafkaError as error:
                return type(error).__name__

    # --- transactions -----------------------------------------------------------------------------

    async def init(self, name, timeout_s=30.0):
        if name is None:
            return SimpleNamespace(name=None, producer=self._coordinator.new_producer(), epoch=0)
        producer, epoch = await self._answer(lambda: self._coordinator.init(name, timeout_s))
        return SimpleNamespace(name=name, producer=producer, epoch=epoch)

    async def add(self, of, partition):
        return await self._answer(
            lambda: self._coordinator.add(of.name, of.epoch, TOPIC, partition)
        )

    async def produce(self, of, partition, sequence, values):
        keyed = [(None, value) for value in values]
        return await self.produce_keyed(of, partition, sequence, keyed)

    async def produce_keyed(self, of, partition, sequence, records):
        messages: list[Any] = [(key, value, []) for key, value in records]

        def act():
            if of.name is None:
                stamp = Stamp(of.producer, of.epoch, sequence)
                log = self._log(TOPIC, partition)
                return log.append(messages, self._cluster.now(), None, stamp) - len(messages)
            end = self._coordinator.produce(of.name, of.epoch, TOPIC, partition, sequence, messages)
            return end - len(messages)

        return await self._answer(act)

    async def note(self, of, position):
        return await self._answer(
            lambda: self._coordinator.note(of.name, of.epoch, GROUP, TOPIC, 0, position)
        )

    async def end(self, of, kind):
        return await self._answer(lambda: self._coordinator.end(of.name, of.epoch, kind))

    # --- reading ----------------------------------------------------------------------------------

    async def settled(self, partition):
        """Wait until nothing is open; tell whether that came."""
        for _ in range(int(SETTLED_S * 10)):
            log = self._log(TOPIC, partition)
            if log.stable_end == log.end and self._coordinator.is_idle:
                return True
            await asyncio.sleep(0.1)
        return False

    async def read(self, partition):
        return [(each.offset, each.value) for each in self._log(TOPIC, partition).committed()]

    async def bounds(self, partition):
        log = self._log(TOPIC, partition)
        return log.start, log.stable_end, log.end

    async def fetch(self, partition, position):
        read = await self._answer(lambda: self._log(TOPIC, partition).fetch(position, ALL))
        return read if isinstance(read, str) else [each.value for each in read[0]]

    async def committed(self):
        return self._cluster.positions.get((GROUP, TOPIC, 0))

    async def committed_is(self, position):
        return await self.committed() == position

    # --- cleaning ---------------------------------------------------------------------------------

    async def expire(self, partition, offset):
        self._log(TOPIC, partition).expire(offset)

    async def pass_a_segment(self):
        pass

    async def compacted(self, partition, _number):
        self._log(TOPIC, partition).compact()
        return await self.read(partition)

    # --- groups -----------------------------------------------------------------------------------

    async def join(self, instance):
        identity = object()
        joined = self._cluster.groups.join(GROUP, instance, identity, PARTITIONS)
        generation, partitions = await joined
        return SimpleNamespace(
            instance=instance, identity=identity, generation=generation, partitions=[*partitions]
        )

    async def join_beside(self, instance, other):
        """Join while another member hears of it and joins again."""
        joining = asyncio.ensure_future(self.join(instance))
        while await self.heartbeat(other) is None:
            await asyncio.sleep(0.1)
        joined = self._cluster.groups.join(GROUP, other.instance, other.identity, PARTITIONS)
        generation, partitions = await joined
        again = SimpleNamespace(**vars(other))
        again.generation, again.partitions = generation, [*partitions]
        return again, await joining

    async def heartbeat(self, member):
        def act():
            me = GROUP, member.instance, member.identity, member.generation
            if self._cluster.groups.heartbeat(*me):
                raise RebalanceInProgressError

        return await self._answer(act)

    async def commit(self, member, position):
        me = GROUP, member.instance, member.identity, member.generation
        return await self._answer(lambda: self._cluster.groups.commit(*me, TOPIC, 0, position))

    async def leave(self, member):
        me = GROUP, member.instance, member.identity
        return await self._answer(lambda: self._cluster.groups.leave(*me, PARTITIONS))
