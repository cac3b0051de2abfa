"""The transaction coordinator: epochs that fence, markers that come late, expiry.

A commit is decided first and its markers are written later: between the two a reader sees nothing
of it, and whoever asks for the same transactional id is told to come again. The answers are those
of Kafka's first protocol of transactions, which aiokafka speaks; `dialogues.py` holds them against
a real broker.
"""

import asyncio
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from aiokafka.errors import (
    ConcurrentTransactions,
    InvalidProducerEpoch,
    InvalidTxnState,
)

from tests.simulation.logs import ABORT, COMMIT, Stamp


@dataclass(eq=False)
class Transaction:
    """One transaction: where it wrote, and the positions that it will commit."""

    started: float
    partitions: set = field(default_factory=set)
    positions: dict = field(default_factory=dict)


@dataclass(eq=False)
class TransactionalId:
    """The state of one transactional id; `last` is the outcome of its last transaction."""

    producer: int
    epoch: int = -1
    timeout_s: float = 30.0
    last: str = ""
    current: Transaction | None = None
    ending: Any = None


class Coordinator:
    """Decides the outcome of transactions. A method answers, or raises, at once as a broker does.

    `cluster` has the time, the logs, committed positions, and runs what happens later.
    """

    def __init__(self, cluster) -> None:
        self._cluster = cluster
        self._ids: dict[str, TransactionalId] = {}
        self._producers = count(1)

    def new_producer(self):
        """InitProducerId without a transactional id: an id of its own."""
        return next(self._producers)

    def init(self, name, timeout_s):
        """InitProducerId: raise the epoch; where a transaction is open, end it first.

        Returns the producer and its epoch.
        """
        state = self._ids.get(name)
        if state is None:
            state = self._ids[name] = TransactionalId(next(self._producers))
        if state.ending is not None:
            raise ConcurrentTransactions
        if state.current is not None:
            state.epoch += 1  # the former owner is fenced before its transaction ends
            self._end(state, ABORT)
            raise ConcurrentTransactions
        state.epoch += 1
        state.timeout_s = timeout_s
        state.last = ""
        return state.producer, state.epoch

    def add(self, name, epoch, topic, partition):
        """AddPartitionsToTxn: the transaction, which begins here if none is open, writes there."""
        self._opened(name, epoch).partitions.add((topic, partition))

    def produce(self, name, epoch, topic, partition, sequence, messages):
        """Produce: append to a partition within the id's transaction.

        A partition that was not added is refused (KIP-890, first part): the request comes late.
        """
        state = self._ids[name]
        log = self._cluster.log(topic, partition)
        stamp = Stamp(state.producer, epoch, sequence)
        transaction = state.current if epoch == state.epoch else None
        is_added = transaction is not None and (topic, partition) in transaction.partitions
        if epoch < state.epoch:
            raise InvalidProducerEpoch
        if not is_added:
            raise InvalidTxnState
        return log.append(messages, self._cluster.now(), transaction, stamp)

    def note(self, name, epoch, group, topic, partition, position):
        """AddOffsetsToTxn, TxnOffsetCommit: the position counts when the transaction does."""
        self._opened(name, epoch).positions[group, topic, partition] = position

    def end(self, name, epoch, kind):
        """EndTxn: from now on the outcome is certain; markers follow."""
        state = self._state(name, epoch)
        if state.ending is not None:
            raise ConcurrentTransactions if state.last == kind else InvalidTxnState
        if state.current is None:
            if state.last != kind:
                raise InvalidTxnState
            return  # the same request once more
        self._end(state, kind)

    def abort_all(self):
        """An operator ends every open transaction; their producers are fenced."""
        for state in self._ids.values():
            if state.current is not None:
                state.epoch += 1
                self._end(state, ABORT)

    @property
    def is_idle(self) -> bool:
        """True if no transaction is open or about to end."""
        return not any(state.current or state.ending for state in self._ids.values())

    def _opened(self, name, epoch):
        state = self._state(name, epoch)
        if state.ending is not None:
            raise ConcurrentTransactions
        if state.current is None:
            state.current = Transaction(self._cluster.now())
            state.last = ""
            self._cluster.background(self._expire(state, state.current))
        return state.current

    def _state(self, name, epoch):
        state = self._ids.get(name)
        if state is None or state.epoch != epoch:
            raise InvalidProducerEpoch
        return state

    async def _expire(self, state, transaction):
        await asyncio.sleep(state.timeout_s)
        if state.current is transaction:
            self._cluster.trace("brokers", "a transaction expires")
            state.epoch += 1
            self._end(state, ABORT)

    def _end(self, state, kind):
        transaction, state.current = state.current, None
        state.last = kind
        state.ending = transaction
        self._cluster.background(self._write_markers(state, transaction, kind))

    async def _write_markers(self, state, transaction, kind):
        fence = state.producer, state.epoch
        for topic, partition in sorted(transaction.partitions):
            await self._cluster.until_leader(topic, partition)
            self._cluster.log(topic, partition).mark(transaction, kind, self._cluster.now(), fence)
        if kind == COMMIT:
            for place, position in transaction.positions.items():
                self._cluster.commit(*place, position)
        state.ending = None
