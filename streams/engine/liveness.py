"""Tells when the brokers are gone, and when this process itself stood still."""

import asyncio
import logging

from streams.engine.timing import HEARTBEAT_S, PAUSE_S, SESSION_S

log = logging.getLogger("refusion")


class StalledError(Exception):
    """This process stood still so long that others may have its partitions by now."""


class Outage:
    """Logs once that the brokers are gone and once that they are back, for the whole process."""

    def __init__(self) -> None:
        self._since: float | None = None

    @property
    def is_on(self) -> bool:
        """True while no broker answers."""
        return self._since is not None

    def began(self, error: BaseException) -> None:
        """Note that something failed because no broker answered."""
        if self._since is None:
            self._since = asyncio.get_running_loop().time()
            log.warning("Kafka does not answer (%s); waiting for it", type(error).__name__)

    def ended(self) -> None:
        """Note that a broker has answered."""
        if self._since is not None:
            log.warning(
                "Kafka answers again after %.0f s", asyncio.get_running_loop().time() - self._since
            )
            self._since = None


class Pulse:
    """Notices that this process stood still for over half a session (SIGSTOP, a frozen machine)."""

    def __init__(self) -> None:
        self._last = self._trusted_from = asyncio.get_running_loop().time()

    async def beat(self) -> None:
        """Look at the clock at regular intervals, for ever."""
        while True:
            await asyncio.sleep(HEARTBEAT_S / 2)
            self._look()

    def _look(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._last > SESSION_S / 2:
            self._trusted_from = now + PAUSE_S
        self._last = now

    def check(self) -> None:
        """Raise StalledError until two heartbeats after this process came back to life."""
        self._look()
        if asyncio.get_running_loop().time() < self._trusted_from:
            raise StalledError
