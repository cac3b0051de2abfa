"""The routes of approvals: what waits for another person, approved and carried out, or refused."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Form, Path, Request
from fastapi.responses import Response

from streams.acts.acts import ReasonError, checked_reason
from streams.acts.four_eyes import APPROVED, OPEN, ApprovalRequest
from streams.acts.persons import Persons, read_persons
from streams.web.desk.actor import acting, acting_name
from streams.web.desk.answers import busy, moved, trouble_of
from streams.web.desk.request_facts import RequestFact, facts_of, title_of
from streams.web.desk.run_routes import CARRY, may_decide
from streams.web.desk.works import DeskWorks
from streams.web.lis_figures import Speaker
from streams.web.lis_told import speaker_of
from streams.web.parts import page, parts_of
from streams.web.rights import DECISIONS, OPERATION
from streams.web.visitors import Visitor

MOST_DECIDED: Final = 50
"""Decided requests that are shown, the newest ones."""
RequestId = Annotated[str, Path(pattern=r"^[a-z]{16}$")]
router = APIRouter()


@dataclass(frozen=True)
class RequestCard:
    """A request as a visitor sees it: who asked and decided, and what the visitor may do."""

    request: ApprovalRequest
    title: str
    facts: Sequence[RequestFact]
    asked_by: str
    decided_by: str
    is_own: bool
    may_approve: bool
    is_done_here: bool

    @property
    def is_open(self) -> bool:
        """True as long as it can be decided."""
        return self.request.state in (OPEN, APPROVED)

    @property
    def command(self) -> str:
        """The command with which it is done on the command line."""
        return f"refusion approve {self.request.id}"


@router.get("/godkendelser", include_in_schema=False)
async def approvals_page(
    request: Request, visitor: Annotated[Visitor, Depends(OPERATION)]
) -> Response:
    """Show the requests that wait, and those that were decided."""
    return await _page(request, visitor)


@router.post("/godkendelser/{request_id}/godkend", include_in_schema=False)
async def approve_request(
    request: Request, request_id: RequestId, visitor: Annotated[Visitor, Depends(DECISIONS)]
) -> Response:
    """Approve another person's request, and have it carried out."""
    parts = parts_of(request)
    if parts.chores.is_busy(CARRY):
        return busy(request)
    with acting(visitor):
        approved, trouble = await trouble_of(parts.lanes.desk, parts.works.approve, request_id)
        if approved is None:
            return await _page(request, visitor, HTTPStatus.CONFLICT, refused=trouble)
        _, is_new = parts.chores.begin(
            CARRY, approved.fields["act"], acting_name(visitor),
            partial(parts.works.carry_out, approved),
        )  # fmt: skip
    if not is_new:
        return busy(request, "desk.approved_not_begun")
    return moved(request, "/godkendelser#godkendt")


@router.post("/godkendelser/{request_id}/afvis", include_in_schema=False)
async def refuse_request(
    request: Request,
    request_id: RequestId,
    visitor: Annotated[Visitor, Depends(DECISIONS)],
    reason: Annotated[str, Form(max_length=500)] = "",
) -> Response:
    """Refuse a request, or withdraw one's own."""
    parts = parts_of(request)
    try:
        checked_reason("reason", reason)
    except ReasonError as error:
        return await _page(request, visitor, HTTPStatus.UNPROCESSABLE_ENTITY, refused=str(error))
    with acting(visitor):
        refused, trouble = await trouble_of(
            parts.lanes.desk, parts.works.refuse, request_id, reason
        )
    if refused is None:
        return await _page(request, visitor, HTTPStatus.CONFLICT, refused=trouble)
    return moved(request, "/godkendelser")


async def _page(
    request: Request, visitor: Visitor, status: int = HTTPStatus.OK, refused: str = ""
) -> Response:
    parts = parts_of(request)
    found, trouble = await trouble_of(parts.lanes.desk, _requests_and_persons, parts.works)
    requests, persons = found or ([], Persons({}, {}))
    cards = _cards(requests, persons, visitor, parts.works, speaker_of(request))
    return page(
        request,
        "desk/approvals.html",
        status,
        waiting=[card for card in cards if card.is_open],
        decided=[card for card in reversed(cards) if not card.is_open][:MOST_DECIDED],
        may_decide=may_decide(visitor),
        is_known=bool(persons.of([acting_name(visitor)])),
        subject=visitor.subject,
        carrying=parts.chores.last(CARRY),
        speaker=speaker_of(request),
        trouble=trouble,
        refused=refused,
    )


def _requests_and_persons(works: DeskWorks) -> tuple[list[ApprovalRequest], Persons]:
    return works.requests(), read_persons(works.settings.persons)


def _cards(
    requests: Sequence[ApprovalRequest],
    persons: Persons,
    visitor: Visitor,
    works: DeskWorks,
    speaker: Speaker,
) -> list[RequestCard]:
    own = persons.of([acting_name(visitor)])
    cards = []
    for request in requests:
        asking = persons.of(request.names)
        is_own = request.fields["user"] == acting_name(visitor) or bool(own & asking)
        is_done_here = works.can_carry_out(request)
        cards.append(
            RequestCard(
                request,
                title_of(request, speaker.word),
                facts_of(request, speaker),
                _name(persons, request.fields["user"]),
                _name(persons, request.decided_by),
                is_own,
                may_decide(visitor) and bool(own and asking) and not is_own and is_done_here,
                is_done_here,
            )
        )
    return cards


def _name(persons: Persons, user: str) -> str:
    return ", ".join(sorted(persons.of([user]))) or user
