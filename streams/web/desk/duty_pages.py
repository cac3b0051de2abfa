"""Makes the start page of who runs the system: what needs attention, what is new, how it went.

It reads what the board has seen, the requests and the refused records of a day, and files of this
machine.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from streams.acts.four_eyes import APPROVED, OPEN, ApprovalRequest
from streams.kit.last_outcomes import last_outcome
from streams.operations.duty import CHECKS, DAILY, FULL_PERCENT, disks, held_run
from streams.operations.kept_differences import REPLAY, kept_differences
from streams.operations.letter_counts import LetterCounts
from streams.operations.topic_sizes import COUNTED
from streams.settings import Settings
from streams.web.desk.last_checks import check_word
from streams.web.desk.small_charts import SmallChart, small_chart
from streams.web.lis_figures import Speaker
from streams.web.samples import Courses
from streams.web.seen import Seen

DAY: Final = timedelta(days=1)
STANDING: Final = timedelta(hours=1)
"""The time for which records have waited before a stage when somebody should look."""
STAGES: Final = ("intake", "citizens", "projections")


class DutyLine(NamedTuple):
    """A sentence of the page, and where it leads."""

    text: str
    link: str = ""


@dataclass(frozen=True)
class DutyState:
    """All that the page is made of; what could not be seen is None."""

    settings: Settings
    now: datetime
    seen: Seen | None
    unknown_since: datetime | None
    requests: Sequence[ApprovalRequest] | None
    letters: LetterCounts | None
    courses: Courses


class ShownCourse(NamedTuple):
    """A chart with what it says, and its figures for who does not see it."""

    title: str
    picture: SmallChart
    points: Sequence[tuple[datetime, str]]


# --- what needs attention -------------------------------------------------------------------------


def attention(state: DutyState, speaker: Speaker) -> Iterator[DutyLine]:
    """Yield a line for each thing that somebody should look at."""
    word = speaker.word
    if state.unknown_since is not None:
        yield DutyLine(word("duty.unknown"), "/drift")
    for stage in standing(state.courses, state.now):
        yield DutyLine(word("duty.standing", stage=word(f"operation.stage_{stage}")), "/drift")
    waiting = [each for each in state.requests or () if each.state in {OPEN, APPROVED}]
    if waiting:
        yield DutyLine(word("duty.approvals", number=len(waiting)), "/godkendelser")
    last = state.seen.last if state.seen else None
    if held := held_run(state.settings, last.run if last else 0):
        yield DutyLine(word("duty.held", run=held["run"] or "?"), "/koersler")
    if state.letters is not None and state.letters.ours:
        count = speaker.number("count", state.letters.ours)
        yield DutyLine(word("duty.ours", count=count), "/drift/doede-breve?dage=1")
    yield from _outcomes(state, speaker)
    for disk in disks(state.settings):
        if disk.used_percent >= FULL_PERCENT:
            name = word(f"audit.disk_{disk.name}")
            yield DutyLine(word("duty.full", disk=name, percent=round(disk.used_percent)))


def _outcomes(state: DutyState, speaker: Speaker) -> Iterator[DutyLine]:
    """Say what is wrong with the last checks; those of other machines are not known."""
    for name in CHECKS:
        outcome = last_outcome(state.settings.operations_dir, name)
        what = speaker.word(check_word(name))
        if outcome is None:
            continue
        if outcome.get("result") == "unsigned":
            yield DutyLine(speaker.word("duty.unsigned", what=what))
        elif not outcome.get("fine"):
            yield DutyLine(speaker.word("duty.not_fine", what=what))
        elif state.now - datetime.fromisoformat(outcome["at"]) > DAILY:
            yield DutyLine(speaker.word("duty.old", what=what))


def standing(courses: Courses, now: datetime) -> list[str]:
    """Return the stages before which some records have waited for an hour without a break."""
    found = []
    for stage in STAGES:
        points = courses.get(f"waiting/{stage}", ())
        late = [point for point in points if now - point.at <= STANDING]
        if len(late) > 1 and late[0].at < now - STANDING / 2 and all(each.value for each in late):
            found.append(stage)
    return found


# --- what is new ----------------------------------------------------------------------------------


def news(state: DutyState, speaker: Speaker) -> Iterator[DutyLine]:
    """Yield a line for each thing that is new since a day ago."""
    word, since = speaker.word, state.now - DAY
    last = state.seen.last if state.seen else None
    if last is not None:
        key = "duty.run_new" if last.closed_at > since else "duty.run_last"
        month = speaker.month(last.data_month)
        yield DutyLine(word(key, run=last.run, month=month), f"/koersler/{last.run}")
    if state.letters is not None:
        count = speaker.number("count", state.letters.total)
        yield DutyLine(word("duty.letters", count=count), "/drift/doede-breve?dage=1")
    decided = [each for each in state.requests or () if each.decided_at > since.isoformat()]
    if decided:
        yield DutyLine(word("duty.decided", number=len(decided)), "/godkendelser")
    for kept in kept_differences(state.settings.operations_dir):
        if kept.source == REPLAY and datetime.fromisoformat(kept.at) > since:
            amount = speaker.moved(kept.net_ore)
            yield DutyLine(
                word("duty.replay", rules=kept.rules, amount=amount),
                f"/koersler/genberegninger/{kept.id}",
            )
    for name, points in sorted(state.courses.items()):
        kind, _, topic = name.partition("/")
        late = [point for point in points if point.at >= since]
        if kind == "records" and late and late[-1].value > late[0].value:
            more = speaker.number("count", late[-1].value - late[0].value)
            key = f"audit.topic_{topic.replace('-', '_')}"
            yield DutyLine(word("duty.grown", topic=word(key), count=more))


# --- how it went ----------------------------------------------------------------------------------


def courses_shown(
    courses: Courses, since: datetime, now: datetime, speaker: Speaker, moment: Any
) -> list[ShownCourse]:
    """Draw the courses: lags, then sizes, then disks."""
    shown, known = [], [*(f"waiting/{stage}" for stage in STAGES)]
    known += [f"records/{topic.name}" for topic in COUNTED]
    for kind in ("waiting", "records", "disk"):
        names = sorted(each for each in courses if each.startswith(f"{kind}/"))
        for name in sorted(names, key=lambda name: known.index(name) if name in known else -1):
            points = courses[name]
            most = max(points, key=lambda point: point.value)
            what = _name(kind, name.partition("/")[2], speaker)
            title = speaker.word(
                f"duty.course_{kind}", what=what, now=speaker.number("count", points[-1].value)
            )
            told = speaker.word(
                "duty.course_told", first=speaker.number("count", points[0].value),
                began=moment(points[0].at), most=speaker.number("count", most.value),
                at=moment(most.at), last=speaker.number("count", points[-1].value),
            )  # fmt: skip
            figures = [(point.at, speaker.number("count", point.value)) for point in points]
            shown.append(ShownCourse(title, small_chart(points, since, now, told), figures))
    return shown


def _name(kind: str, name: str, speaker: Speaker) -> str:
    if kind == "waiting":
        return speaker.word(f"operation.stage_{name}")
    part = "topic" if kind == "records" else "disk"
    return speaker.word(f"audit.{part}_{name.replace('-', '_')}")
