"""Bounds the connections of the site: who has how many, and how long each may wait.

uvicorn bounds neither the time that the head of a request takes, nor who holds the connections, nor
how long a reader takes for an answer that is written. Here

1. a connection has HEAD_S seconds for each head, from its opening or from the head's first byte;
2. one network has at most MOST_OF_NETWORK connections, but for a proxy, which all visitors have;
3. when the site is full, the connection that has waited longest for a head makes room;
4. a reader takes LEAST_BYTES of an answer in each READ_S seconds;
5. who goes on sending a body that was answered already is left after LINGER_S seconds.
"""

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from streams.web.networks import network_of

if TYPE_CHECKING:
    import asyncio

HEAD_S: Final = 10.0
READ_S: Final = 30.0
LEAST_BYTES: Final = 16 * 1024
LINGER_S: Final = 2.0
MOST_OF_NETWORK: Final = 600
HEAD: Final = "head"
READER: Final = "reader"
BODY: Final = "body"
"""The times that a connection has: for a head, for the reader of an answer, for a body's rest."""
FULL: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 5\r\n"
    b"Connection: close\r\n\r\n"
)


class ConnectionGate:
    """The connections of one site: how many there are by network, and which wait for a head."""

    def __init__(self, proxy: str | None = None) -> None:
        self._proxy = proxy
        self._by_network: Counter[str] = Counter()
        self._waiting: dict[BoundedProtocol, None] = {}

    def lets_in(self, address: str) -> bool:
        """Count a connection, and tell whether its network may have one more."""
        network = network_of(address)
        self._by_network[network] += 1
        return address == self._proxy or self._by_network[network] <= MOST_OF_NETWORK

    def forget(self, address: str) -> None:
        """Count a connection out."""
        network = network_of(address)
        self._by_network[network] -= 1
        if not self._by_network[network]:
            del self._by_network[network]

    def waits(self, connection: "BoundedProtocol", *, waits: bool) -> None:
        """Note whether a connection waits for a head."""
        if not waits:
            self._waiting.pop(connection, None)
        else:
            self._waiting.setdefault(connection)

    def make_room(self) -> None:
        """End the connection that has waited longest, of those whose answers were read if any."""
        idle = (one for one in self._waiting if not one.transport.get_write_buffer_size())
        oldest = next(idle, None) or next(iter(self._waiting), None)
        if oldest is not None:
            del self._waiting[oldest]
            oldest.connections.discard(oldest)  # it counts no more, whenever the loop is done
            oldest.transport.abort()


class BoundedProtocol(H11Protocol):
    """A connection with bounds."""

    def __init__(self, gate: ConnectionGate, **given: Any) -> None:
        super().__init__(**given)
        self._gate = gate
        self._times: dict[str, asyncio.TimerHandle] = {}
        self._address = ""

    def connection_made(self, transport: Any) -> None:
        """Take a connection in, or refuse it."""
        super().connection_made(transport)
        self._address = self.client[0] if self.client else ""
        if not self._gate.lets_in(self._address):
            transport.write(FULL)
            transport.close()
            return
        if self.limit_concurrency and len(self.connections) >= self.limit_concurrency:
            self._gate.make_room()
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a connection."""
        super().connection_lost(exc)
        self._gate.forget(self._address)
        self._gate.waits(self, waits=False)
        self._end(HEAD)
        self._end(READER)
        self._end(BODY)

    def data_received(self, data: bytes) -> None:
        """Take bytes; the time for a head goes on until it is whole."""
        super().data_received(data)
        if self.conn.their_state is h11.IDLE:
            self._await_head()
        else:
            self._gate.waits(self, waits=False)
            self._end(HEAD)
        if self.conn.their_state is not h11.SEND_BODY:
            self._end(BODY)

    def on_response_complete(self) -> None:
        """Wait for the next request, and for the reader of this answer."""
        super().on_response_complete()
        if self.conn.their_state is h11.IDLE:
            self._gate.waits(self, waits=True)
        elif self.conn.their_state is h11.SEND_BODY:
            self._times[BODY] = self.loop.call_later(LINGER_S, self.transport.abort)
        self._await_reader()

    def pause_writing(self) -> None:
        """Wait for the reader of an answer."""
        super().pause_writing()
        self._await_reader()

    def _await_head(self) -> None:
        self._gate.waits(self, waits=True)
        if HEAD not in self._times:
            self._times[HEAD] = self.loop.call_later(HEAD_S, self.transport.abort)

    def _await_reader(self) -> None:
        self._end(READER)
        unread = self.transport.get_write_buffer_size()
        if unread:
            self._times[READER] = self.loop.call_later(READ_S, self._look_at_reader, unread)

    def _look_at_reader(self, before: int) -> None:
        if before - self.transport.get_write_buffer_size() < min(before, LEAST_BYTES):
            self.transport.abort()
        else:
            self._await_reader()

    def _end(self, timer: str) -> None:
        """End one of the times that run."""
        running = self._times.pop(timer, None)
        if running is not None:
            running.cancel()
