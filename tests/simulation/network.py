"""The network between processes and brokers: delays, lost and doubled requests, lost answers."""

import asyncio
import inspect
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, fields
from typing import Any

from aiokafka.errors import KafkaConnectionError, RequestTimedOutError, UnknownError

from tests.simulation.clock import PROCESS

REQUEST_TIMEOUT_S = 15.0


@dataclass
class Rates:
    """The rates at which something goes wrong: shares of requests, and the longest usual delay."""

    lost_request: float = 0.0
    lost_answer: float = 0.0
    doubled: float = 0.0
    slow: float = 0.0
    refused: float = 0.0
    delay_s: float = 0.02
    slow_s: float = 5.0
    marker_s: float = 0.2

    @classmethod
    def names(cls):
        """The names of all rates."""
        return [each.name for each in fields(cls)]


class Network:
    """Carries requests; `cut` holds pairs of a process and a broker that do not reach each other.

    `faults` counts what went wrong by its kind.
    """

    def __init__(self, rng, rates: Rates, brokers, background) -> None:
        self._rng = rng
        self._brokers = brokers
        self._background = background
        self.rates = rates
        self.cut: set[tuple[str, int]] = set()
        self.faults: Counter[str] = Counter()

    def _delay(self) -> float:
        if self._is_hit("slow"):
            return self._rng.uniform(0.1, self.rates.slow_s)
        return self._rng.uniform(0.001, self.rates.delay_s)

    def _is_hit(self, kind) -> bool:
        rate = getattr(self.rates, kind)
        if rate and self._rng.random() < rate:
            self.faults[kind] += 1
            return True
        return False

    async def inside(self) -> None:
        """Wait as long as a message between brokers takes."""
        await asyncio.sleep(self._rng.uniform(0.0, self.rates.marker_s))

    def refuse(self) -> None:
        """Raise, now and then, what a broker answers that cannot take a batch."""
        if self._is_hit("refused"):
            raise UnknownError

    async def call(self, place: tuple, act: Any, *, again: bool = False, late: bool = False) -> Any:
        """Let the leader of a place act, and return its answer.

        Where the answer is lost the act has happened all the same, and nobody knows. A request that
        may come `again` does so at once, before anybody hears of the first one; one that may come
        `late` does so when something else has happened meanwhile.
        """
        await asyncio.sleep(self._delay())
        self._reach(place)
        if self._is_hit("lost_request"):
            await asyncio.sleep(REQUEST_TIMEOUT_S)
            raise RequestTimedOutError
        answer = act()
        if inspect.isawaitable(answer):
            answer = await answer
        if (again or late) and self._is_hit("doubled"):
            seconds = self._rng.choice((0.0, 0.01, 0.1, 1.0, 20.0)) if late else 0.0
            if seconds:
                self._background(self._later(seconds, act))
            else:
                _unheard(act)
        if self._is_hit("lost_answer"):
            await asyncio.sleep(REQUEST_TIMEOUT_S)
            raise RequestTimedOutError
        await asyncio.sleep(self._delay())
        self._reach(place)
        return answer

    async def _later(self, seconds, act) -> None:
        await asyncio.sleep(seconds)
        _unheard(act)

    def _reach(self, place) -> None:
        broker, process = self._brokers.leader(place), PROCESS.get()
        if broker is None:
            raise KafkaConnectionError("no broker leads it")
        if self.cut and process is not None and (process.name, broker) in self.cut:
            raise KafkaConnectionError("the broker does not answer")


def _unheard(act) -> None:
    """Let the brokers act; nobody waits for the answer."""
    with suppress(Exception):
        act()
