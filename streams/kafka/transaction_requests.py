"""Requests about transactions that aiokafka does not have, laid down as Kafka's protocol has them.

KIP-664 and KIP-890: DescribeProducers, ListTransactions, DescribeTransactions, WriteTxnMarkers; in
every Kafka since 3.0.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Int64,
    Schema,
    TaggedFields,
)

_Named = tuple[str, list[int], dict[int, bytes]]
"""A topic with some of its partitions."""
_TAGS = ("tags", TaggedFields)
_TEXT = CompactString("utf-8")
_PARTITIONS = CompactArray(("name", _TEXT), ("partitions", CompactArray(Int32)), _TAGS)


class _ProducersResponse(Response):  # type: ignore[misc]  # aiokafka has no types
    API_KEY, API_VERSION = 61, 0
    _PRODUCER = (
        ("producer_id", Int64),
        ("producer_epoch", Int32),
        ("last_sequence", Int32),
        ("last_timestamp", Int64),
        ("coordinator_epoch", Int32),
        ("start_offset", Int64),
        _TAGS,
    )
    _PARTITION = (
        ("partition", Int32),
        ("error_code", Int16),
        ("error_message", _TEXT),
        ("producers", CompactArray(*_PRODUCER)),
        _TAGS,
    )
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("topics", CompactArray(("name", _TEXT), ("partitions", CompactArray(*_PARTITION)), _TAGS)),
        _TAGS,
    )


class _ProducersStruct(RequestStruct):  # type: ignore[misc]
    FLEXIBLE_VERSION = True
    API_KEY, API_VERSION, RESPONSE_TYPE = 61, 0, _ProducersResponse
    SCHEMA = Schema(("topics", _PARTITIONS), _TAGS)


class DescribeProducers(Request[_ProducersStruct]):  # type: ignore[misc]
    """Asks the leader of partitions for the producers that write to them."""

    API_KEY = 61

    def __init__(self, topics: Mapping[str, Sequence[int]]) -> None:
        self._topics: list[_Named] = [
            (name, [*partitions], {}) for name, partitions in topics.items()
        ]

    def build(self, request_struct_class: type[_ProducersStruct]) -> _ProducersStruct:
        """Lay the request out."""
        return request_struct_class(self._topics, {})


class _ListResponse(Response):  # type: ignore[misc]
    API_KEY, API_VERSION = 66, 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("error_code", Int16),
        ("unknown_states", CompactArray(_TEXT)),
        (
            "transactions",
            CompactArray(
                ("transactional_id", _TEXT), ("producer_id", Int64), ("state", _TEXT), _TAGS
            ),
        ),
        _TAGS,
    )


class _ListStruct(RequestStruct):  # type: ignore[misc]
    FLEXIBLE_VERSION = True
    API_KEY, API_VERSION, RESPONSE_TYPE = 66, 0, _ListResponse
    SCHEMA = Schema(("states", CompactArray(_TEXT)), ("producer_ids", CompactArray(Int64)), _TAGS)


class ListTransactions(Request[_ListStruct]):  # type: ignore[misc]
    """Asks a broker for the transactional ids of producers that it coordinates."""

    API_KEY = 66

    def __init__(self, producer_ids: Sequence[int]) -> None:
        self._producer_ids = [*producer_ids]

    def build(self, request_struct_class: type[_ListStruct]) -> _ListStruct:
        """Lay the request out."""
        return request_struct_class([], self._producer_ids, {})


class _DescribeResponse(Response):  # type: ignore[misc]
    API_KEY, API_VERSION = 65, 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "transactions",
            CompactArray(
                ("error_code", Int16),
                ("transactional_id", _TEXT),
                ("state", _TEXT),
                ("timeout_ms", Int32),
                ("start_time_ms", Int64),
                ("producer_id", Int64),
                ("producer_epoch", Int16),
                ("topics", _PARTITIONS),
                _TAGS,
            ),
        ),
        _TAGS,
    )


class _DescribeStruct(RequestStruct):  # type: ignore[misc]
    FLEXIBLE_VERSION = True
    API_KEY, API_VERSION, RESPONSE_TYPE = 65, 0, _DescribeResponse
    SCHEMA = Schema(("transactional_ids", CompactArray(_TEXT)), _TAGS)


class DescribeTransactions(Request[_DescribeStruct]):  # type: ignore[misc]
    """Asks a coordinator for the transactions of transactional ids."""

    API_KEY = 65

    def __init__(self, transactional_ids: Sequence[str]) -> None:
        self._transactional_ids = [*transactional_ids]

    def build(self, request_struct_class: type[_DescribeStruct]) -> _DescribeStruct:
        """Lay the request out."""
        return request_struct_class(self._transactional_ids, {})


class _MarkersResponse(Response):  # type: ignore[misc]
    API_KEY, API_VERSION = 27, 1
    _PARTITION = (("partition", Int32), ("error_code", Int16), _TAGS)
    SCHEMA = Schema(
        (
            "markers",
            CompactArray(
                ("producer_id", Int64),
                (
                    "topics",
                    CompactArray(("name", _TEXT), ("partitions", CompactArray(*_PARTITION)), _TAGS),
                ),
                _TAGS,
            ),
        ),
        _TAGS,
    )


class _MarkersStruct(RequestStruct):  # type: ignore[misc]
    FLEXIBLE_VERSION = True
    API_KEY, API_VERSION, RESPONSE_TYPE = 27, 1, _MarkersResponse
    SCHEMA = Schema(
        (
            "markers",
            CompactArray(
                ("producer_id", Int64),
                ("producer_epoch", Int16),
                ("is_commit", Boolean),
                ("topics", _PARTITIONS),
                ("coordinator_epoch", Int32),
                _TAGS,
            ),
        ),
        _TAGS,
    )


class AbortTransaction(Request[_MarkersStruct]):  # type: ignore[misc]
    """Has the leader of a partition write the marker that ends a producer's transaction there."""

    API_KEY = 27

    def __init__(
        self, topic: str, partition: int, producer: int, epoch: int, coordinator_epoch: int
    ) -> None:
        topics: list[_Named] = [(topic, [partition], {})]
        # A producer's first transaction has no coordinator's epoch yet, which is told as -1.
        self._marker: tuple[Any, ...] = (
            producer,
            epoch,
            False,
            topics,
            max(0, coordinator_epoch),
            {},
        )

    def build(self, request_struct_class: type[_MarkersStruct]) -> _MarkersStruct:
        """Lay the request out."""
        return request_struct_class([self._marker], {})
