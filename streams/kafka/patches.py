"""Changes to aiokafka, each with its reason, its figure and the version it is for.

`apply()` makes them once in a process; `streams.kafka.clients` calls it before it makes a client.
Nothing here is changed by an import.
"""

import sys
from contextvars import ContextVar
from functools import cache, partial, wraps
from importlib import metadata
from typing import Any, Final

from aiokafka import TopicPartition, client
from aiokafka.codec import zstd_encode
from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.consumer.fetcher import Fetcher, PartitionRecords
from aiokafka.errors import KafkaConnectionError, KafkaError, UnknownTopicOrPartitionError
from aiokafka.producer.message_accumulator import MessageBatch
from aiokafka.producer.transaction_manager import TransactionManager
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from streams.engine.ports import Record
from streams.kafka.connection_errors import LogonRefusedError, NoTopicError, named
from streams.kafka.members import hear_of_replacement
from streams.kafka.sessions import renew_sessions
from streams.kafka.unpacker import bound_unpacking

VERSION: Final = "0.14."
"""The versions of aiokafka that every patch was written for and is tested with begin with this."""
COMPRESSION_LEVEL: Final = 1
"""Level of zstd for outputs. They come out no larger than with the client's level 3 (a report has
52, 97 and 66 bytes in the journal, postings and changelog), which costs 1.7 µs more a report."""


@cache
def apply() -> None:
    """Make all changes, once. Raises RuntimeError for another version of aiokafka."""
    if not metadata.version("aiokafka").startswith(VERSION):
        raise RuntimeError(
            f"aiokafka {metadata.version('aiokafka')} is installed, the patches in {__name__} are"
            f" for {VERSION}x: look at each of them, and whether it is still needed"
        )
    report_lost_connections()
    hand_out_records_as_read()
    compress_quickly()
    retrieve_errors_of_transactions()
    name_failed_connections()
    name_refused_connections()
    name_missing_topics()
    renew_sessions()
    hear_of_replacement()
    hear_of_ended_fetching()
    keep_first_error_of_partition()
    bound_unpacking()


def report_lost_connections() -> None:
    """Let aiokafka see a connection that uvloop has closed as a lost connection, and try again.

    Correctness, no figure: uvloop raises RuntimeError where a connection was lost before a request
    is written. aiokafka expects OSError, and its background tasks end with anything else.
    """
    send = AIOKafkaConnection.send

    @wraps(send)
    def guarded(self: AIOKafkaConnection, *args: Any, **kwargs: Any) -> Any:
        try:
            return send(self, *args, **kwargs)
        except RuntimeError as error:
            self.close(reason=CloseReason.CONNECTION_BROKEN)
            raise KafkaConnectionError("the connection was lost") from error

    AIOKafkaConnection.send = guarded


def as_read(content: bytes | None) -> bytes | None:
    """Return content unchanged; as its key deserializer, a consumer asks for records as read."""
    return content


def hand_out_records_as_read() -> None:
    """Let aiokafka leave out its own copy of each record where a consumer asks for it by `as_read`.

    The copy has the topic's name and sizes, which nobody here reads. It costs 0.54 of 2.1 µs to
    read a record: 4 % of intake, 5 % of an audit's scan, 1.3 % of the citizens stage.
    """
    copied = PartitionRecords._consumer_record  # noqa: SLF001

    @wraps(copied)
    def handed_out(self: PartitionRecords, at: TopicPartition, record: Record) -> Record:
        return record if self._key_deserializer is as_read else copied(self, at, record)

    PartitionRecords._consumer_record = handed_out  # noqa: SLF001


def compress_quickly() -> None:
    """Let aiokafka compress at `COMPRESSION_LEVEL`, for which it has no setting.

    Of 55 µs for a report in both stages it saves 1.7 µs, 3 %.
    """
    sys.modules[DefaultRecordBatchBuilder.__module__].zstd_encode = partial(  # type: ignore[attr-defined]
        zstd_encode, level=COMPRESSION_LEVEL
    )


def retrieve_errors_of_transactions() -> None:
    """Let a transaction that failed be quiet about an error that its owner hears otherwise.

    Correctness, no figure: aiokafka keeps the error of a fenced producer in a future for whoever
    commits, and in one of each batch for whoever sends after it. Where the error was raised before,
    nobody does, and asyncio would write "Future exception was never retrieved" with a stack trace.
    """
    for owner, method, future in (
        (TransactionManager, "error_transaction", "_transaction_waiter"),
        (TransactionManager, "fatal_error", "_transaction_waiter"),
        (MessageBatch, "failure", "_drain_waiter"),
    ):
        setattr(owner, method, _retrieving(getattr(owner, method), future))


def _retrieving(method: Any, future: str) -> Any:
    @wraps(method)
    def retrieving(self: Any, *arguments: Any, **named: Any) -> None:
        method(self, *arguments, **named)
        getattr(self, future).exception()  # is raised again for whoever waits for it

    return retrieving


_failures: ContextVar[list[BaseException]] = ContextVar("failures")
"""Errors of the connections of the client that is looking for brokers."""


def name_failed_connections() -> None:
    """Let a client that finds no brokers raise why: refused, not trusted, or nobody there.

    Correctness, no figure: aiokafka logs a refused password, and raises what it raises where nobody
    listens (`streams.kafka.connection_errors`).
    """
    create_conn, bootstrap = client.create_conn, client.AIOKafkaClient.bootstrap

    @wraps(create_conn)
    async def noted(*args: Any, **kwargs: Any) -> AIOKafkaConnection:
        try:
            return await create_conn(*args, **kwargs)
        except (OSError, KafkaError) as error:
            _failures.get([]).append(error)
            raise

    @wraps(bootstrap)
    async def named_bootstrap(self: client.AIOKafkaClient) -> None:
        failures: list[BaseException] = []
        token = _failures.set(failures)
        try:
            await bootstrap(self)
        except KafkaConnectionError as error:
            if (reason := named(failures, len(self.hosts))) is not None:
                raise reason from error
            raise
        finally:
            _failures.reset(token)

    client.create_conn = noted
    client.AIOKafkaClient.bootstrap = named_bootstrap


def hear_of_ended_fetching() -> None:
    """Let whoever asks a consumer for records hear that its fetching has ended.

    Correctness, no figure: aiokafka fetches in a task, whose error it logs and nobody reads. The
    consumer goes on sending heartbeats, keeps its partitions, and never has a record again; other
    members get none of them either. A member that hears it joins its group anew.
    """
    fetched_records = Fetcher.fetched_records

    @wraps(fetched_records)
    async def heard_records(self: Fetcher, *arguments: Any, **named_: Any) -> Any:
        if self._fetch_task.done() and not self._closed:
            raise KafkaError("the client has stopped fetching, and has to begin anew")
        return await fetched_records(self, *arguments, **named_)

    Fetcher.fetched_records = heard_records


def keep_first_error_of_partition() -> None:
    """Let a second error of a partition that nobody has read yet be dropped.

    Correctness, no figure: aiokafka asserts that there is none. A partition whose leader changes
    while its position is asked for is asked for twice, and where the group has no position yet both
    end in the same error: the assertion ended all fetching of the consumer.
    """
    set_error = Fetcher._set_error  # noqa: SLF001

    @wraps(set_error)
    def set_first_error(self: Fetcher, at: TopicPartition, error: Exception) -> None:
        if at not in self._records:
            set_error(self, at, error)

    Fetcher._set_error = set_first_error  # noqa: SLF001


def name_refused_connections() -> None:
    """Let a running client whose log-on is refused raise that, where it would try for ever.

    Correctness, no figure: aiokafka logs the refusal and says "not ready", as of a broker that is
    down, so a worker whose password was taken away would wait in silence.
    """
    ready = client.AIOKafkaClient.ready

    @wraps(ready)
    async def named_ready(self: client.AIOKafkaClient, *arguments: Any, **named_: Any) -> bool:
        failures: list[BaseException] = []
        token = _failures.set(failures)
        try:
            is_ready: bool = await ready(self, *arguments, **named_)
        finally:
            _failures.reset(token)
        if not is_ready and isinstance(reason := named(failures, 1), LogonRefusedError):
            raise reason
        return is_ready

    client.AIOKafkaClient.ready = named_ready


def name_missing_topics() -> None:
    """Let a client that has waited for a topic in vain raise why: no such topic, or no broker.

    Correctness, no figure: aiokafka says that the topic is unknown in both cases, and not which.
    """
    wait = client.AIOKafkaClient._wait_on_metadata  # noqa: SLF001 - no other way

    @wraps(wait)
    async def waited(self: client.AIOKafkaClient, topic: str) -> Any:
        try:
            return await wait(self, topic)
        except UnknownTopicOrPartitionError:
            told = self.cluster
            if told._last_successful_refresh_ms < told._last_refresh_ms:  # noqa: SLF001 - as above
                raise KafkaConnectionError("no broker tells its topics") from None
            raise NoTopicError(topic) from None

    client.AIOKafkaClient._wait_on_metadata = waited  # noqa: SLF001 - as above
