"""One factory makes every client of Kafka in this program, and closes it.

Whoever needs a client for a while writes `async with clients.consumer() as consumer`: the client is
closed when the block ends, also where its start failed because no broker answers. A client that
failed to start and is forgotten would complain on stderr ("Unclosed AIOKafkaConsumer").

Two clients of the batch loop live longer than any block: a group's member is closed by
`KafkaSource.leave`, a partition's producer by the delivery's `stop`.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    NodeNotReadyError,
    RequestTimedOutError,
)

from streams.kafka import patches
from streams.kafka.errors import pass_over_unheard
from streams.kafka.security import logon_at

START_S: Final = 60.0
"""Seconds that a producer's start may take: aiokafka asks for its id without end, so that a broker
which goes at that moment would be waited for for ever. Longer than a broker's restart."""
ACKNOWLEDGE_S: Final = 60.0
"""Seconds for which a command waits for acknowledgements; longer than a broker's restart."""
STOP_S: Final = 5.0
"""Seconds that a client's stop may take; it may wait for a lost broker without end."""


class KafkaClients:
    """Makes the clients for one address of brokers; each tells the brokers the same client id."""

    def __init__(self, bootstrap: str, client_id: str, request_timeout_ms: int = 40_000) -> None:
        """`bootstrap` is that of the settings, with the log-on; aiokafka's timeout is 40 s."""
        patches.apply()
        self.bootstrap = bootstrap
        self.client_id = client_id
        self._common: dict[str, Any] = {
            "bootstrap_servers": bootstrap.split(","),
            "client_id": client_id,
            "request_timeout_ms": request_timeout_ms,
            **logon_at(bootstrap).client_settings(),
        }

    @asynccontextmanager
    async def admin(self) -> AsyncIterator[AIOKafkaAdminClient]:
        """Connect an admin client for the length of a block."""
        admin = _Admin(**self._settings())
        try:
            await admin.start()
            yield admin
        finally:
            await _stopped(admin.close(), admin._client.close, STOP_S)  # noqa: SLF001 - no other way

    @asynccontextmanager
    async def consumer(self, **settings: Any) -> AsyncIterator[AIOKafkaConsumer]:
        """Connect a consumer without a group, read committed, for the length of a block."""
        consumer = self.new_consumer(
            **{"isolation_level": "read_committed", "auto_offset_reset": "earliest"} | settings
        )
        try:
            await consumer.start()
            await asyncio.sleep(0)  # aiokafka cannot be stopped before its own tasks have begun
            yield consumer
        finally:
            await close_consumer(consumer)

    @asynccontextmanager
    async def producer(
        self, *, start_s: float = START_S, stop_s: float = STOP_S, **settings: Any
    ) -> AsyncIterator[AIOKafkaProducer]:
        """Start a producer for the length of a block. Raises KafkaTimeoutError after `start_s`."""
        producer = self.new_producer(**settings)
        try:
            async with within(start_s, "no producer could start"):
                await producer.start()
            yield producer
        finally:
            await close_producer(producer, stop_s)

    def new_consumer(self, **settings: Any) -> AIOKafkaConsumer:
        """Make a consumer that its owner starts and stops."""
        return AIOKafkaConsumer(**self._settings() | settings)

    def new_producer(self, **settings: Any) -> AIOKafkaProducer:
        """Make a producer that its owner starts and closes with `close_producer`."""
        return AIOKafkaProducer(**self._settings() | settings)

    def _settings(self) -> dict[str, Any]:
        """Return the settings of every client; its event loop says its errors in words alone."""
        asyncio.get_running_loop().set_exception_handler(pass_over_unheard)
        return self._common


@asynccontextmanager
async def within(limit_s: float, what: str) -> AsyncIterator[None]:
    """Bound a block that waits for brokers. Raises KafkaTimeoutError, which says `what` was not.

    A producer that numbers its records sends them again without end, so that an acknowledgement
    would be waited for for ever where a broker goes and does not come back.
    """
    try:
        async with asyncio.timeout(limit_s):
            yield
    except TimeoutError:
        raise KafkaTimeoutError(f"{what} within {limit_s:.0f} s") from None


async def acknowledged(sent: Iterable[Awaitable[Any]]) -> list[Any]:
    """Wait for the acknowledgements of what was sent, for `ACKNOWLEDGE_S` at most."""
    async with within(ACKNOWLEDGE_S, "nothing was acknowledged"):
        return await asyncio.gather(*sent)


async def send_to_any(client: AIOKafkaClient, request: Any) -> Any:
    """Send a request to brokers in random order until one answers, and return its response.

    The client would choose one broker and give up where that one is down: for as long as the
    cluster has not noticed a loss, it names the lost broker too.
    """
    brokers = list(client.cluster.brokers())
    error: KafkaError = NodeNotReadyError("no broker is known")
    for broker in random.sample(brokers, len(brokers)):
        try:
            return await client.send(broker.nodeId, request)
        except (NodeNotReadyError, KafkaConnectionError, RequestTimedOutError) as failure:
            error = failure
    raise error


class _Admin(AIOKafkaAdminClient):  # type: ignore[misc]  # aiokafka has no types
    """An admin client that passes over brokers that are down."""

    async def _send_request(self, request: Any, node_id: int | None = None) -> Any:
        if node_id is None:
            return await send_to_any(self._client, request)
        return await super()._send_request(request, node_id)


async def close_producer(producer: AIOKafkaProducer, limit_s: float) -> None:
    """Stop a producer; where that takes too long or fails, its connections are cut."""
    await _stopped(producer.stop(), producer.client.close, limit_s)


async def close_consumer(consumer: AIOKafkaConsumer, limit_s: float = STOP_S) -> None:
    """Stop a consumer; where that takes too long or fails, its connections are cut."""
    await _stopped(consumer.stop(), consumer._client.close, limit_s)  # noqa: SLF001 - no other way


async def _stopped(
    stop: Coroutine[Any, Any, Any], cut: Callable[[], Coroutine[Any, Any, Any]], limit_s: float
) -> None:
    """Wait for a client's stop, for `limit_s` at most, then cut its connections.

    A stop that takes too long is not waited for once it is cancelled: its own clean-up may wait
    for the same brokers. An error of Kafka while stopping says nothing that anybody can use.
    """
    stopping = asyncio.ensure_future(stop)
    stopping.add_done_callback(heard)
    try:
        await asyncio.wait({stopping}, timeout=limit_s)
    finally:
        stopping.cancel()
        closing = asyncio.ensure_future(cut())
        closing.add_done_callback(heard)
        await asyncio.wait({closing}, timeout=limit_s)
    if stopping.done() and not stopping.cancelled():
        with suppress(KafkaError):
            stopping.result()


def heard(future: "asyncio.Future[Any]") -> None:
    """Mark the error of a batch's future as heard, as its done callback.

    Of batches that fail together the first error is raised. asyncio would write the others to
    stderr, "Future exception was never retrieved".
    """
    if not future.cancelled():
        future.exception()
