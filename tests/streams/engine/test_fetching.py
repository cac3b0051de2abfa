"""Step 2 of the batch loop on a source that holds records back as aiokafka does.

After a batch nothing of it stays in memory."""

import asyncio
import tracemalloc
import weakref
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from domain.basics.compact_json import dumps
from streams.engine.budget import Budget
from streams.engine.liveness import Outage
from streams.engine.loop import BatchLoop
from streams.engine.ports import Batch, Processed
from streams.engine.timing import BATCH_RECORDS, LINGER_S, SMALL_RECORDS

PATIENCE_S = 5.0


@dataclass(eq=False)
class Fetched:
    """A record."""

    offset: int
    key: bytes | None = None
    value: bytes | None = None
    headers: Sequence[tuple[str, bytes]] = ()


class Client:
    """A source of one partition. It asks the broker only when nothing is left of the last fetch."""

    def __init__(self):
        self.broker: deque[list[Fetched]] = deque()
        self.held: deque[Fetched] = deque()
        self.position = 0

    def publish(self, records):
        self.broker.append([Fetched(self.end + number) for number in range(records)])

    @property
    def end(self):
        return self.position + len(self.held) + sum(map(len, self.broker))

    async def is_new_member(self):
        return False

    async def join(self, rebalance):
        rebalance.assigned([0])

    async def check(self):
        pass

    async def leave(self):
        pass

    def pause(self, _partition):
        pass

    def resume_at(self, _partition, _offset):
        pass

    async def committed(self, _partition):
        return 0

    async def note(self, _partition):
        return ""

    async def commit(self, _partition, _position, _note=""):
        raise AssertionError("the position is committed with the outputs")

    async def bounds(self, _partition):
        return 0, self.end

    async def fetch(self, _partition, max_records, patience_s):
        if patience_s and not self.held and not self.broker:
            await asyncio.sleep(0.01)
        if not self.held and self.broker:
            self.held.extend(self.broker.popleft())
        taken = [self.held.popleft() for _ in range(min(max_records, len(self.held)))]
        self.position += len(taken)
        return Batch(taken, self.position)


class World:
    """Kafka, a stage, its work and its sink, as far as step 2 needs them. It notes the batches."""

    name, topic, source_expires = "stage", "topic", False
    blameless = ()

    def __init__(self, client):
        self.client = client
        self.batches = []
        self.events: Counter[str] = Counter()
        self.alive: weakref.WeakSet[Fetched] = weakref.WeakSet()

    def source(self, _group, _topic):
        return self.client

    def sink(self, _kafka, _group, _source, _partition):
        return self

    def work(self, _partition):
        return self

    def refusal(self, _error):
        return None

    def is_outage(self, _error):
        return False

    def is_too_large(self, _error):
        return False

    async def start(self):
        pass

    restore = stop = start

    async def position(self, *_committed):
        return 0

    async def commit(self, _outputs, position):
        assert position == sum(self.batches)
        return {}

    def process(self, records, _position):
        self.batches.append(len(records))
        self.alive.update(records)
        return Processed([], len(records))

    async def keep(self, _ends, _position):
        pass

    async def close(self):
        pass


async def work(world, meanwhile, linger_s=LINGER_S):
    loop = BatchLoop(world, world, "group", Outage(), Budget(1), linger_s)
    running = asyncio.create_task(loop.run())
    async with asyncio.timeout(PATIENCE_S):
        await meanwhile()
    loop.stop()
    await running


async def until(condition):
    while not condition():
        await asyncio.sleep(0.001)


def test_records_that_come_while_a_few_linger_are_in_their_batch():
    client = Client()
    world = World(client)

    async def meanwhile():
        client.publish(10)
        await until(lambda: client.position == 10)
        client.publish(5)
        await until(lambda: sum(world.batches) == 15)

    asyncio.run(work(world, meanwhile, linger_s=0.5))
    assert world.batches == [15]


def test_many_records_do_not_linger_and_fill_a_batch():
    client = Client()
    world = World(client)

    async def meanwhile():
        client.publish(BATCH_RECORDS + SMALL_RECORDS)
        await until(lambda: len(world.batches) == 2)

    asyncio.run(work(world, meanwhile, linger_s=3600.0))
    assert world.batches == [BATCH_RECORDS, SMALL_RECORDS]


@pytest.mark.parametrize("records", [10, BATCH_RECORDS])
def test_a_run_that_waits_for_a_batch_holds_nothing_of_the_one_before(records):
    client = Client()
    world = World(client)

    async def meanwhile():
        client.publish(records)
        await until(lambda: world.batches == [records] and not world.alive)

    asyncio.run(work(world, meanwhile))


def test_a_message_takes_no_more_memory_than_its_bytes():
    values = [{"text": "x" * 600, "number": number} for number in range(200)]
    tracemalloc.start()
    messages = [dumps(value) for value in values]
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken < 1.2 * sum(len(message) for message in messages)
