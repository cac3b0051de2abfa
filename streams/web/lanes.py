"""Keeps slow work of one kind from standing in the way of others.

Each kind has threads of its own, and so many requests may wait for them; one more is told to come
again. The public pages have threads that nothing else uses, and `/healthz` needs none.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import Final, ParamSpec, TypeVar

from anyio import CapacityLimiter, to_thread
from fastapi import HTTPException

from streams.web.lis_typesetter import AT_ONCE

Made = TypeVar("Made")
Given = ParamSpec("Given")
AGAIN_S: Final = 10
"""Seconds after which one may ask again where too many ask."""


class Turns:
    """The turns of requests that hold much from their beginning to their end."""

    def __init__(self, at_once: int, waiting: int) -> None:
        self._limiter = CapacityLimiter(at_once)
        self._most = at_once + waiting
        self._inside = 0

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[None]:
        """Wait for a turn, and have it for a block. Raises HTTPException where too many wait."""
        with self._place():
            async with self._limiter:
                yield

    @contextmanager
    def _place(self) -> Iterator[None]:
        """Have a place among those that are at work or wait. Raises HTTPException."""
        if self._inside >= self._most:
            raise HTTPException(
                HTTPStatus.SERVICE_UNAVAILABLE, headers={"Retry-After": str(AGAIN_S)}
            )
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1


class Lane(Turns):
    """The threads for one kind of work, which is done in turns."""

    async def run(
        self, work: Callable[Given, Made], *given: Given.args, **named: Given.kwargs
    ) -> Made:
        """Do work in a thread. Raises HTTPException where too many wait already."""
        with self._place():
            return await to_thread.run_sync(partial(work, *given, **named), limiter=self._limiter)


@dataclass(frozen=True)
class Lanes:
    """The lanes of one site.

    They are for answers of LIS, those that ask the whole ledger, paper, looks at topics, reports
    of one citizen, and mail. Few answers are made at a time: more threads would be no quicker, as
    one of them has the interpreter, and each holds the rows of its answer. A list of citizens
    holds all of theirs until its page is made: it has a turn, from its question to its page.
    """

    answers: Lane = field(default_factory=lambda: Lane(4, 200))
    citizens: Turns = field(default_factory=lambda: Turns(2, 100))
    ledger: Lane = field(default_factory=lambda: Lane(1, 5))
    paper: Lane = field(default_factory=lambda: Lane(AT_ONCE, 20))
    desk: Lane = field(default_factory=lambda: Lane(4, 40))
    journal: Lane = field(default_factory=lambda: Lane(2, 20))
    mail: Lane = field(default_factory=lambda: Lane(4, 20))
