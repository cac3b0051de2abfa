"""A TCP proxy between clients and brokers that delays, cuts, half-closes and swallows.

It runs in a thread of its own, with a port for each broker, which the broker advertises.
"""

import asyncio
import threading
from contextlib import suppress

HOST = "127.0.0.1"
BLOCK = 1 << 16
QUIET = (OSError, asyncio.CancelledError)


class Link:
    """One connection through the proxy."""

    def __init__(self, client, broker):
        self.client, self.broker = client, broker

    def cut(self):
        """End both sides at once, with a reset where data is under way."""
        for side in (self.client, self.broker):
            side.transport.abort()

    def half_close(self):
        """Say to the broker that nothing more comes; its answers still go through."""
        with suppress(OSError, RuntimeError):
            self.broker.write_eof()


class Proxy:
    """The ports by the number of their broker; faults are of one broker or of all."""

    def __init__(self, ports):
        """`ports` are those of the proxy and of the broker, by number."""
        self._ports = ports
        self._links: dict[int, set[Link]] = {number: set() for number in ports}
        self.delay_s = dict.fromkeys(ports, 0.0)
        self.swallows = dict.fromkeys(ports, False)
        self._servers = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def start(self):
        self._thread.start()
        self._call(self._listen())

    def stop(self):
        self._call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def cut(self, *numbers):
        """End all connections to brokers."""
        self._call(self._each(numbers, Link.cut))

    def half_close(self, *numbers):
        """Close all connections to brokers in one direction."""
        self._call(self._each(numbers, Link.half_close))

    def _call(self, coroutine):
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    async def _each(self, numbers, do):
        for number in numbers:
            for link in [*self._links[number]]:
                do(link)

    async def _listen(self):
        for number, (port, _) in self._ports.items():
            self._servers.append(await asyncio.start_server(self._server(number), HOST, port))

    async def _end(self):
        for server in self._servers:
            server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _server(self, number):
        async def serve(reader, writer):
            try:
                far_reader, far_writer = await asyncio.open_connection(HOST, self._ports[number][1])
            except OSError:
                writer.transport.abort()
                return
            link = Link(writer, far_writer)
            self._links[number].add(link)
            try:
                await asyncio.gather(
                    self._pump(number, reader, far_writer), self._pump(number, far_reader, writer)
                )
            finally:
                self._links[number].discard(link)
                link.cut()

        return serve

    async def _pump(self, number, reader, writer):
        """Copy one direction; what is swallowed never arrives, also when the fault is over."""
        with suppress(*QUIET):
            while block := await reader.read(BLOCK):
                if self.delay_s[number]:
                    await asyncio.sleep(self.delay_s[number])
                if self.swallows[number]:
                    continue
                writer.write(block)
                await writer.drain()
            writer.write_eof()
