"""Keeps slow work of one kind from standing in the way of others.

Each kind has threads of its own, and so many requests may wait for them; one more is told to come
again. The public pages have threads that nothing else uses, and `/healthz` needs none.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
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


def too_many() -> HTTPException:
    """Return the refusal of one more than may wait."""
    return HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, headers={"Retry-After": str(AGAIN_S)})


class Lane:
    """The threads for one kind of work."""

    def __init__(self, threads: int, waiting: int) -> None:
        self._limiter = CapacityLimiter(threads)
        self._most = threads + waiting
        self._inside = 0

    async def run(
        self, work: Callable[Given, Made], *given: Given.args, **named: Given.kwargs
    ) -> Made:
        """Do work in a thread. Raises HTTPException where too many wait already."""
        if self._inside >= self._most:
            raise too_many()
        self._inside += 1
        try:
            return await to_thread.run_sync(partial(work, *given, **named), limiter=self._limiter)
        finally:
            self._inside -= 1


class Turns:
    """The turns of requests that hold much from their beginning to their end."""

    def __init__(self, at_once: int, waiting: int) -> None:
        self._limiter = CapacityLimiter(at_once)
        self._most = at_once + waiting
        self._inside = 0

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[None]:
        """Wait for a turn, and have it for a block. Raises HTTPException where too many wait."""
        if self._inside >= self._most:
            raise too_many()
        self._inside += 1
        try:
            async with self._limiter:
                yield
        finally:
            self._inside -= 1


@dataclass(frozen=True)
class Lanes:
    """The lanes of one site.

    They are for answers of LIS, those that ask the whole ledger, paper, looks at topics, reports
    of one citizen, and mail. Few answers are made at a time: more threads would be no quicker, as
    one of them has the interpreter, and each holds the rows of its answer. A list of citizens
    holds all of theirs until its page is made: it has a turn, from its question to its page.
    """

    answers: Lane = field(default_factory=lambda: Lane(4, 204))
    citizens: Turns = field(default_factory=lambda: Turns(2, 100))
    ledger: Lane = field(default_factory=lambda: Lane(1, 5))
    paper: Lane = field(default_factory=lambda: Lane(AT_ONCE, 20))
    desk: Lane = field(default_factory=lambda: Lane(4, 40))
    journal: Lane = field(default_factory=lambda: Lane(2, 20))
    mail: Lane = field(default_factory=lambda: Lane(4, 20))
