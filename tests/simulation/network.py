"""The network between processes and brokers: delays, lost requests, lost answers, outages."""

import asyncio
import inspect
from dataclasses import dataclass
from typing import Any

from aiokafka.errors import (
    KafkaConnectionError,
    RequestTimedOutError,
    TopicAuthorizationFailedError,
)

from tests.simulation.clock import PROCESS

REQUEST_TIMEOUT_S = 15.0


@dataclass
class Rates:
    """The rates at which something goes wrong: shares of requests, and the longest usual delay."""

    lost_request: float = 0.0
    lost_answer: float = 0.0
    slow: float = 0.0
    refused: float = 0.0
    delay_s: float = 0.02
    slow_s: float = 5.0
    marker_s: float = 0.2


class Network:
    """Carries requests; `cut` holds the names of processes that reach no broker."""

    def __init__(self, rng, rates: Rates) -> None:
        self._rng = rng
        self.rates = rates
        self.is_down = False
        self.cut: set[str] = set()
        self.faults = 0

    def _delay(self) -> float:
        if self._rng.random() < self.rates.slow:
            self.faults += 1
            return self._rng.uniform(0.1, self.rates.slow_s)
        return self._rng.uniform(0.001, self.rates.delay_s)

    async def inside(self) -> None:
        """Wait as long as a message between brokers takes."""
        await asyncio.sleep(self._rng.uniform(0.0, self.rates.marker_s))

    def refuse(self) -> None:
        """Raise, now and then, what a broker answers that will not take a batch."""
        if self._rng.random() < self.rates.refused:
            self.faults += 1
            raise TopicAuthorizationFailedError

    async def call(self, act: Any) -> Any:
        """Let the brokers act, and return their answer.

        Where the answer is lost the act has happened all the same, and nobody knows.
        """
        await asyncio.sleep(self._delay())
        self._reach()
        if self._rng.random() < self.rates.lost_request:
            self.faults += 1
            await asyncio.sleep(REQUEST_TIMEOUT_S)
            raise RequestTimedOutError
        answer = act()
        if inspect.isawaitable(answer):
            answer = await answer
        if self._rng.random() < self.rates.lost_answer:
            self.faults += 1
            await asyncio.sleep(REQUEST_TIMEOUT_S)
            raise RequestTimedOutError
        await asyncio.sleep(self._delay())
        self._reach()
        return answer

    def _reach(self) -> None:
        process = PROCESS.get()
        if self.is_down or (process is not None and process.name in self.cut):
            raise KafkaConnectionError("no broker answers")
