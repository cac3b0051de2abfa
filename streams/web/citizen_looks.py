"""Looks at one citizen by one visitor: found by a CPR number or a token, on record before shown.

A caseworker sees citizens with a row of the own municipality, an auditor all. Whoever may not see a
citizen is refused in the same way whether there is one or not, and that is on record too.
"""

import logging
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from fastapi import Request

from streams.acts.acts import ReasonError, checked_reason
from streams.kit.errors import UserError
from streams.web.access import Look
from streams.web.citizen_desk import PostedLife
from streams.web.citizen_tokens import tokens_of
from streams.web.doorway import came_from_elsewhere
from streams.web.limits import too_many
from streams.web.lis_looks import PURPOSE
from streams.web.parts import Parts, parts_of
from streams.web.rights import CITIZENS, refused
from streams.web.sessions import COOKIE, WebSession
from streams.web.visitors import Role, Visitor

ACT: Final = "site citizen"
PURPOSES: Final = "citizen purposes"
"""Where a session keeps why its visitor looks at each citizen."""
MOST_PURPOSES: Final = 500
log = logging.getLogger("refusion")


class NotShownError(Exception):
    """A citizen is not shown; `key` names the sentence that says why."""

    def __init__(self, status: HTTPStatus, key: str) -> None:
        super().__init__(key)
        self.status = status
        self.key = key


@dataclass(frozen=True)
class CitizenLook:
    """A look at a citizen: the visitor, the citizen, and why."""

    request: Request
    visitor: Visitor
    citizen: str
    purpose: str

    @property
    def place(self) -> str | None:
        """The municipality whose money the visitor sees; None: that of all."""
        return None if Role.AUDITOR in self.visitor.roles else self.visitor.municipality

    @property
    def parts(self) -> Parts:
        """The parts of the site."""
        return parts_of(self.request)

    def may_see(self, life: PostedLife) -> bool:
        """Tell whether the citizen is one that the visitor may see."""
        if Role.AUDITOR in self.visitor.roles:
            return True
        return self.visitor.municipality in life.municipalities

    async def posted(self, shows: str, **about: Any) -> PostedLife:
        """Read what was posted, and put the look on record, whatever comes of it.

        Raises NotShownError, and HTTPException where nothing can be recorded.
        """
        try:
            life = await self.parts.lanes.answers.run(self.parts.citizens.posted, self.citizen)
        except UserError as error:
            await self.record(shows, "failed", **about)
            raise NotShownError(HTTPStatus.SERVICE_UNAVAILABLE, "no_ledger") from error
        outcome = "denied" if not self.may_see(life) else "shown" if life.entries else "not found"
        await self.record(shows, outcome, **about)
        if outcome == "denied":
            raise NotShownError(HTTPStatus.FORBIDDEN, "denied")
        if outcome == "not found":
            raise NotShownError(HTTPStatus.NOT_FOUND, "not_found")
        return life

    async def record(self, shows: str, outcome: str, **about: Any) -> None:
        """Put a look on record. Raises HTTPException where it cannot be."""
        told = {"shows": shows, "outcome": outcome} | about
        look = Look(ACT, [self.citizen], self.purpose, told)
        await self.parts.access.record(self.request, self.visitor, look)

    def of(self, citizen: str) -> "CitizenLook":
        """Return the look at another citizen, for the same purpose."""
        return CitizenLook(self.request, self.visitor, citizen, self.purpose)

    def token(self) -> str:
        """Give the token of the citizen in this session, and keep the purpose with it."""
        session = session_of(self.request)
        purposes: dict[str, str] = session.kept.setdefault(PURPOSES, {})
        purposes.pop(self.citizen, None)
        purposes[self.citizen] = self.purpose
        while len(purposes) > MOST_PURPOSES:
            del purposes[next(iter(purposes))]
        return tokens_of(session).token(self.citizen)


def session_of(request: Request) -> WebSession:
    """Return the session of a visitor who is logged on. Raises HTTPException without one."""
    session = parts_of(request).sessions.get(request.cookies.get(COOKIE, ""))
    if session is None:
        raise refused()
    return session


def count_search(request: Request, visitor: Visitor) -> None:
    """Count a search by a CPR number, whatever comes of it. Raises HTTPException for too many."""
    if not parts_of(request).limits.searches.passes(visitor.subject):
        log.warning("too many searches by CPR number of one account: see docs/web.md")
        raise too_many()


def purpose_in(text: str) -> str | None:
    """Return a purpose that may be kept; None where it may not."""
    try:
        return checked_reason(PURPOSE, text)
    except ReasonError:
        return None


def look_of_token(request: Request, visitor: Visitor, token: str) -> CitizenLook:
    """Make a look of a token of this session.

    Raises NotShownError where it is none, and where nobody has said why.
    """
    session = session_of(request)
    of_citizens = visitor.roles & CITIZENS.roles
    citizen = tokens_of(session).citizen(token)
    if citizen is None or not of_citizens:
        raise NotShownError(HTTPStatus.FORBIDDEN, "no_token")
    purpose = session.kept.get(PURPOSES, {}).get(citizen) or session.kept.get(PURPOSE, "")
    if not purpose or came_from_elsewhere(request):
        raise NotShownError(HTTPStatus.BAD_REQUEST, "purpose")
    return CitizenLook(request, visitor, citizen, purpose)
