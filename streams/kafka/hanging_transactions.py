"""Transactions that hang: open in a partition, and unknown to the coordinator that would end them.

Whoever reads committed stops at the beginning of such a transaction, for as long as it is there.
Nothing but a marker in that partition ends it. What is asked of the brokers, in this order:

1. the leaders, which producers have a transaction open in which partition, and since when;
2. every coordinator, which transaction each of these producers has. A transaction hangs if its
   producer has none there, or one that is over, or one that this partition does not belong to.

What is younger than any transaction may be (`transaction.max.timeout.ms` of the brokers, 15 minutes
unless set otherwise) is left alone: its coordinator will end it.
"""

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    CoordinatorLoadInProgressError,
    NoError,
    NotCoordinatorForGroupError,
    for_code,
)

from streams.kafka.transaction_requests import (
    AbortTransaction,
    DescribeProducers,
    DescribeTransactions,
    ListTransactions,
)

UNDER_WAY: Final = ("Ongoing", "PrepareCommit", "PrepareAbort", "PrepareEpochFence")
"""States of transactions that their coordinator will end."""
UNKNOWN_ID: Final = 105
"""Error of a coordinator that does not know a transactional id."""


class HangingTransaction(NamedTuple):
    """A transaction that stands open in a partition; it began at an offset, `age_s` ago."""

    topic: str
    partition: int
    offset: int
    age_s: int
    producer: int
    epoch: int
    coordinator_epoch: int
    leader: int

    def sentence(self) -> str:
        """Say it to a person."""
        return (
            f"{self.topic}/{self.partition}: a transaction has been open since offset"
            f" {self.offset}, for {self.age_s:,} s (producer {self.producer})"
        )


async def find_hanging(
    admin: AIOKafkaAdminClient,
    topics: Sequence[str],
    our_ids: Sequence[str],
    older_than_s: float,
) -> list[HangingTransaction]:
    """Find what hangs in topics; `our_ids` are transactional ids that must be visible to us.

    Without the right to see an id, its transactions would look as if nobody knew them. Raises
    KafkaError, of a missing right too.
    """
    candidates = await _open_in(admin, topics, older_than_s)
    known = await _known(admin, {each.producer for each in candidates}, our_ids)
    return [each for each in candidates if (each.topic, each.partition) not in known[each.producer]]


async def abort(admin: AIOKafkaAdminClient, hanging: HangingTransaction) -> None:
    """End one, by a marker that aborts it in its partition. Raises KafkaError."""
    request = AbortTransaction(
        hanging.topic,
        hanging.partition,
        hanging.producer,
        hanging.epoch,
        hanging.coordinator_epoch,
    )
    response: Any = await admin._client.send(hanging.leader, request)  # noqa: SLF001
    for _producer, topics, *_ in response.markers:
        for _topic, partitions, *_tags in topics:
            for _partition, code, *_more in partitions:
                _check(code)


async def _open_in(
    admin: AIOKafkaAdminClient, topics: Sequence[str], older_than_s: float
) -> list[HangingTransaction]:
    """List the transactions that have been open for longer, from the partitions' leaders."""
    found = []
    for leader, led in (await _leaders(admin, topics)).items():
        response: Any = await admin._client.send(leader, DescribeProducers(led))  # noqa: SLF001
        now_ms = time.time() * 1000
        for topic, partitions, *_ in response.topics:
            for partition, code, _message, producers, *_tags in partitions:
                _check(code)
                for producer, epoch, _last, at_ms, coordinator_epoch, offset, *_more in producers:
                    age_s = (now_ms - at_ms) / 1000
                    if offset >= 0 and age_s >= older_than_s:
                        found.append(
                            HangingTransaction(
                                topic, partition, offset, int(age_s), producer, epoch,
                                coordinator_epoch, leader,
                            )
                        )  # fmt: skip
    return sorted(found)


async def _leaders(
    admin: AIOKafkaAdminClient, topics: Sequence[str]
) -> Mapping[int, dict[str, list[int]]]:
    """Sort the partitions of topics by the broker that leads them; a topic may not exist yet."""
    led: defaultdict[int, dict[str, list[int]]] = defaultdict(dict)
    for topic in await admin.describe_topics([*topics]):
        for partition in topic["partitions"]:
            led[partition["leader"]].setdefault(topic["topic"], []).append(partition["partition"])
    return led


async def _known(
    admin: AIOKafkaAdminClient, producers: Iterable[int], our_ids: Sequence[str]
) -> Mapping[int, set[tuple[str, int]]]:
    """List by producer the partitions of the transaction that a coordinator will end."""
    known: defaultdict[int, set[tuple[str, int]]] = defaultdict(set)
    brokers = [broker.nodeId for broker in admin._client.cluster.brokers()]  # noqa: SLF001
    ids = set(our_ids)
    for broker in brokers:
        listed: Any = await admin._client.send(  # noqa: SLF001
            broker, ListTransactions([*producers])
        )
        _check(listed.error_code)
        ids |= {transactional_id for transactional_id, *_ in listed.transactions}
    for broker in brokers:
        told: Any = await admin._client.send(  # noqa: SLF001
            broker, DescribeTransactions(sorted(ids))
        )
        for code, _id, state, _timeout, _start, producer, _epoch, topics, *_ in told.transactions:
            if code == UNKNOWN_ID or for_code(code) is NotCoordinatorForGroupError:
                continue
            _check(code)
            if state in UNDER_WAY:
                for topic, partitions, *_tags in topics:
                    known[producer] |= {(topic, partition) for partition in partitions}
    return known


def _check(code: int) -> None:
    error = for_code(code)
    if error is CoordinatorLoadInProgressError:
        raise error("a coordinator is being read in: ask again")
    if error is not NoError:
        raise error
