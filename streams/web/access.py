"""Records what visitors look at, before it is shown: no record, no page.

    await book.record(request, visitor, Look(PERSONS, citizens=[…], purpose="sag 2026-17"))

A record is an act of the topic `access` (contract section 11), in the chain of this site, with the
visitor, the route and the request's id in its scope. Routes in threads call `record_first`.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from http import HTTPStatus
from typing import Any, Final, NamedTuple

from anyio import from_thread
from fastapi import HTTPException, Request

from streams.acts.acts import Act, ReasonError, checked_reason, fields_of
from streams.acts.chain_file import new_id
from streams.acts.topic import ActTopic, OpenActTopic, open_act_topic
from streams.acts.writer import ActWriter
from streams.kit.errors import UserError, kind_and_place
from streams.settings import Settings
from streams.web.visitors import Visitor

LOG_ON: Final = "site log-on"
LOG_OFF: Final = "site log-off"
RECORD_S: Final = 20.0
"""Seconds that a record may take: to wait for those before it, and for the brokers."""
log = logging.getLogger("refusion")


class Look(NamedTuple):
    """Something that a visitor is about to see or do.

    `citizens` are pseudonyms; `purpose` is what the visitor gave as the purpose; `about` says more,
    such as the form of an export.
    """

    act: str
    citizens: Sequence[str] = ()
    purpose: str = ""
    about: Mapping[str, Any] = {}


class AccessBook:
    """Writes the records of one site. It keeps the topic open, and opens it again after an error.

    In demo mode without brokers, where there are fictive persons alone, nothing is recorded.
    """

    def __init__(self, settings: Settings, open_topic: OpenActTopic = open_act_topic) -> None:
        self._settings = settings
        self._open_topic = open_topic
        self._one_at_a_time = asyncio.Lock()
        self._stack = AsyncExitStack()
        self._topic: ActTopic | None = None

    async def record(self, request: Request, visitor: Visitor, look: Look) -> str:
        """Record a look, and return the record's id when the brokers have it.

        Raises HTTPException where it cannot be recorded: nothing may be shown then.
        """
        try:
            reason = checked_reason("purpose", look.purpose) if look.purpose else ""
        except ReasonError as error:
            raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY) from error
        act = Act(look.act, _scope(request, visitor, look), reason)
        if self._settings.demo and not self._settings.has_brokers:
            return new_id()
        try:
            async with asyncio.timeout(RECORD_S), self._one_at_a_time:
                return await self._written(act)
        except Exception as error:
            told = str(error) if isinstance(error, UserError) else kind_and_place(error)
            log.warning("an access could not be recorded, so nothing was shown: %s", told)
            raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE) from error

    def record_first(self, request: Request, visitor: Visitor, look: Look) -> str:
        """Do the same from a route that runs in a thread."""
        return from_thread.run(self.record, request, visitor, look)

    async def _written(self, act: Act) -> str:
        try:
            if self._topic is None:
                self._topic = await self._stack.enter_async_context(
                    self._open_topic(self._settings)
                )
            return await ActWriter(self._settings, self._topic).write("act", fields_of(act))
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Close the topic."""
        self._topic, stack, self._stack = None, self._stack, AsyncExitStack()
        await stack.aclose()


def _scope(request: Request, visitor: Visitor, look: Look) -> dict[str, Any]:
    who = {
        "subject": visitor.subject,
        "roles": sorted(visitor.roles),
        "municipality": visitor.municipality,
    }
    scope = {
        "visitor": who,
        "page": request.scope["route"].path,
        "request": request.state.request_id,
    }
    seen = {"citizens": list(look.citizens)} if look.citizens else {}
    return scope | seen | dict(look.about)
