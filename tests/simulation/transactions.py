"""The transaction coordinator: epochs that fence, markers that come late, expiry.

A commit is decided first and its markers are written later: between the two a reader sees nothing
of it, and whoever asks for the same transactional id waits (CONCURRENT_TRANSACTIONS in Kafka).
"""

import asyncio
from dataclasses import dataclass, field

from aiokafka.errors import ConcurrentTransactions, InvalidTxnState, ProducerFenced

from tests.simulation.logs import ABORT, COMMIT


@dataclass(eq=False)
class Transaction:
    """One transaction: where it wrote, and the positions that it will commit."""

    started: float
    partitions: set = field(default_factory=set)
    positions: dict = field(default_factory=dict)


@dataclass(eq=False)
class TransactionalId:
    """The state of one transactional id."""

    epoch: int = -1
    timeout_s: float = 30.0
    last: str = ""
    current: Transaction | None = None
    ending: asyncio.Task | None = None


class Coordinator:
    """Decides the outcome of transactions."""

    def __init__(self, world) -> None:
        self._world = world
        self._ids: dict[str, TransactionalId] = {}

    async def init(self, name, timeout_s):
        """InitProducerId: end what is open, raise the epoch, and return it."""
        state = self._ids.setdefault(name, TransactionalId())
        while state.ending is not None:
            await asyncio.wait([state.ending])
        if state.current is not None:
            state.epoch += 1  # the former owner is fenced before its transaction ends
            self._end(state, ABORT)
            while state.ending is not None:
                await asyncio.wait([state.ending])
        state.epoch += 1
        state.timeout_s = timeout_s
        return state.epoch

    def write(self, name, epoch, topic, partition, messages):
        """Append to a partition within the id's transaction, which begins here if none is open."""
        transaction = self._opened(name, epoch)
        transaction.partitions.add((topic, partition))
        return self._world.log(topic, partition).append(messages, self._world.now(), transaction)

    def note(self, name, epoch, group, topic, partition, position):
        """TxnOffsetCommit: the position counts when the transaction does."""
        self._opened(name, epoch).positions[group, topic, partition] = position

    def commit(self, name, epoch):
        """EndTxn: from now on the outcome is certain; markers follow."""
        state = self._state(name, epoch)
        if state.current is None:
            if state.last != COMMIT:
                raise InvalidTxnState
            return  # the same request once more
        self._end(state, COMMIT)

    def _opened(self, name, epoch):
        state = self._state(name, epoch)
        if state.ending is not None:
            raise ConcurrentTransactions
        if state.current is None:
            state.current = Transaction(self._world.now())
            state.last = ""
            self._world.background(self._expire(state, state.current))
        return state.current

    def _state(self, name, epoch):
        state = self._ids.get(name)
        if state is None or state.epoch != epoch:
            raise ProducerFenced
        return state

    async def _expire(self, state, transaction):
        await asyncio.sleep(state.timeout_s)
        if state.current is transaction:
            self._world.trace("brokers", "a transaction expires")
            state.epoch += 1
            self._end(state, ABORT)

    def _end(self, state, kind):
        transaction, state.current = state.current, None
        state.last = kind
        state.ending = self._world.background(self._write_markers(state, transaction, kind))

    async def _write_markers(self, state, transaction, kind):
        for topic, partition in sorted(transaction.partitions):
            await self._world.network.inside()
            self._world.log(topic, partition).mark(transaction, kind, self._world.now())
        if kind == COMMIT:
            for place, position in transaction.positions.items():
                self._world.commit(*place, position)
        state.ending = None
