"""The port `Source` on simulated brokers: a static member of a group, and what it fetches."""

import asyncio

from aiokafka.errors import IllegalGenerationError, KafkaError, UnknownMemberIdError

from streams.engine.ports import Batch
from streams.engine.timing import HEARTBEAT_S
from streams.kafka.errors import is_outage

AGAIN_S = 0.1


class SimulatedSource:
    """A static member of a group."""

    def __init__(self, kafka, group, topic) -> None:
        self.topic = topic
        self._cluster, self._instance, self._group = kafka.cluster, kafka.instance, group
        self._place = "group", group
        self._identity = object()
        self._generation = -1
        self._positions: dict[int, int] = {}
        self._failure: Exception | None = None
        self._membership: asyncio.Task | None = None

    @property
    def _me(self):
        return self._group, self._instance, self._identity

    async def _ask(self, act):
        return await self._cluster.network.call(self._place, act)

    async def is_new_member(self):
        names = await self._ask(lambda: self._cluster.groups.names(self._group))
        return bool(names) and self._instance not in names

    async def join(self, rebalance):
        await self._ask(lambda: None)
        self._membership = asyncio.create_task(self._be_a_member(rebalance))

    async def check(self):
        if self._failure is not None:
            raise self._failure

    async def leave(self):
        if self._membership is not None:
            self._membership.cancel()
        partitions = self._cluster.partitions(self.topic)
        await self._ask(lambda: self._cluster.groups.leave(*self._me, partitions))

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
        partitions = self._cluster.partitions(self.topic)
        while True:
            try:
                joined = await self._ask(
                    lambda: (self._cluster.groups.join(*self._me, partitions),)
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
                must_join = await self._ask(
                    lambda: self._cluster.groups.heartbeat(*self._me, self._generation)
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
        loop = asyncio.get_running_loop()
        until = loop.time() + patience_s
        log = self._cluster.log(self.topic, partition)
        while True:
            position = self._positions[partition]
            try:
                records, after = await self._ask_log(partition, log, position, max_records)
            except KafkaError as error:  # the client asks again by itself
                if not is_outage(error):
                    raise
                records, after = [], position
                await asyncio.sleep(AGAIN_S)
            if records or loop.time() >= until:
                if partition in self._positions:
                    self._positions[partition] = after
                return Batch(records, after)
            await _change_of(log, loop, until)

    async def _ask_log(self, partition, log, position, most):
        place = "log", self.topic, partition
        return await self._cluster.network.call(place, lambda: log.fetch(position, most))

    async def committed(self, partition):
        place = self._group, self.topic, partition
        return await self._ask(lambda: self._cluster.positions.get(place))

    async def note(self, partition):
        place = self._group, self.topic, partition
        return await self._ask(lambda: self._cluster.notes.get(place, ""))

    async def commit(self, partition, position, note=""):
        await self._ask(
            lambda: self._cluster.groups.commit(
                *self._me, self._generation, self.topic, partition, position, note
            )
        )

    async def bounds(self, partition):
        log = self._cluster.log(self.topic, partition)
        return await self._cluster.network.call(
            ("log", self.topic, partition), lambda: (log.start, log.stable_end)
        )


async def _change_of(log, loop, until):
    """Wait until something is written to a log, or the time is over."""
    future = loop.create_future()
    log.changes(future)
    timer = loop.call_at(until, lambda: future.done() or future.set_result(None))
    try:
        await future
    finally:
        timer.cancel()
