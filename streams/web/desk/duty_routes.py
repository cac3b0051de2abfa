"""The route of the operator's start page: what needs attention, what is new, sizes and lags."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from streams.operations.dead_letters import Wanted
from streams.web.dates import moment_text
from streams.web.desk.answers import UNKEPT, trouble_of
from streams.web.desk.duty_pages import DAY, DutyState, attention, courses_shown, news
from streams.web.desk.last_checks import checks_told
from streams.web.lis_figures import Speaker
from streams.web.lis_told import speaker_of
from streams.web.parts import page, parts_of
from streams.web.rights import OPERATION
from streams.web.samples import SampleBook, drawn
from streams.web.visitors import Visitor

DAYS: Final = (1, 7, 31)
"""The lengths of a course that one may choose, in days."""
router = APIRouter()


@router.get("/drift/vagt", include_in_schema=False)
async def duty_page(
    request: Request,
    _visitor: Annotated[Visitor, Depends(OPERATION)],
    dage: Annotated[int, Query(ge=1, le=31)] = 1,
) -> Response:
    """Show what needs attention, what is new since yesterday, and how sizes and lags went."""
    parts, speaker = parts_of(request), speaker_of(request)
    now, board, desk = datetime.now(UTC), parts.board, parts.lanes.desk
    wanted = Wanted(since=(now - DAY).strftime("%Y-%m-%dT%H:%M:%SZ"))
    (requests, trouble), (letters, no_letters) = await asyncio.gather(
        trouble_of(desk, parts.works.requests), trouble_of(desk, parts.works.letters, wanted)
    )
    state = DutyState(parts.settings, now, board.seen, board.unknown_since, requests, letters, {})
    since = now - timedelta(days=dage)
    shown = await desk.run(_shown, state, board.samples, since, speaker)
    answer = page(
        request,
        "desk/duty.html",
        **shown,
        days=DAYS,
        chosen=dage,
        speaker=speaker,
        trouble=trouble or no_letters,
    )
    answer.headers.update(UNKEPT)
    return answer


def _shown(
    state: DutyState, samples: SampleBook | None, since: datetime, speaker: Speaker
) -> dict[str, Any]:
    """Make what the page lists and draws; files are read here, so it is work for a thread.

    What needs attention and what is new comes from every sample of the last day, however long the
    courses are.
    """
    now = state.now
    seen = samples.seen(since) if samples else {}
    of_a_day = {name: [each for each in points if each.at >= now - DAY]
                for name, points in seen.items()}  # fmt: skip
    state = replace(state, courses=of_a_day)
    in_view = {name: drawn(points, since, now) for name, points in seen.items()}
    told = partial(moment_text, language=speaker.language)
    return {
        "points": [*attention(state, speaker)],
        "news": [*news(state, speaker)],
        "checks": [*checks_told(state.settings.operations_dir, speaker)],
        "courses": courses_shown(in_view, since, now, speaker, told),
    }
