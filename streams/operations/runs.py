"""`refusion run close` and `refusion run status` close runs: a run is a cut of the journal.

    1. Wait until intake has taken in what lay in `reports.raw` when we were called.
    2. Read the open run and compare it with the months before (`projections.runs.completeness`).
       Findings hold the run, unless somebody accepts them with a reason.
    3. Fence all other closers of the prefix. Look again whether a run was closed meanwhile.
    4. Write in one transaction the marker to every partition of the journal, and the notices of
       missing reporters.
    5. Keep what was received and expected, and the control sums, in tables beside the ledger, for
       LIS.

Steps 3 and 4 are those of `streams.kafka.control`: a closer that dies before 4 has done nothing.
What intake adds between 2 and 4 is in the run and was not looked at: seconds at the end of a
reading.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Final, NamedTuple

import orjson

from domain.basics.weeks import month_number, month_text
from domain.citizen.doubts import ADVICE
from domain.citizen.reports import RunMarker
from domain.law.staircase import Law
from projections.postings.messages import run_message
from projections.runs.completeness import Finding, amounts_at_stake, findings, lines
from streams.acts.acts import Act, record_act
from streams.acts.four_eyes import GuardedAct, is_approved, permission
from streams.citizens.register_file import sources_of
from streams.citizens.rule_sets import load_rule_set
from streams.engine.fault_points import reached
from streams.engine.ports import Headers
from streams.kafka import topics
from streams.kafka.clients import KafkaClients
from streams.kafka.control import (
    COMMIT_S,
    ControlRecord,
    ControlWriter,
    KeyedRecord,
    OvertakenError,
    UnconfirmedError,
    control_writer,
)
from streams.kafka.errors import explained
from streams.kafka.reading import Offsets
from streams.kafka.topic_layout import ensure_topics_of
from streams.kit.errors import UserError
from streams.kit.last_outcomes import RUN_CLOSE, keep_outcome
from streams.operations.key_gate import check_keys
from streams.operations.run_checks import (
    RunError,
    check_month,
    check_reasons,
    month_asked_for,
)
from streams.operations.run_survey import CLIENT, RunTopics, Survey, run_topics
from streams.operations.stated_keys import begin_journal
from streams.settings import Settings
from streams.wire.cloudevents import event_headers
from streams.wire.control_records import run_of

LOOK_S: Final = 0.2
"""Seconds between two looks at how far intake is."""
STILL_S: Final = 60.0
"""Seconds after which intake that takes in nothing is taken to be gone."""
VISIBLE_S: Final = 30.0
"""Seconds until the marker can be read in every partition; milliseconds are usual."""

Progress = Callable[[str, int, int], None]
"""Told the unit that is counted, how far it is, and how much there is in all."""


class Closing(NamedTuple):
    """A request to close the run of a month; `at` is another time than now, of a demonstration.

    `by_two`: another person agrees also where nothing is in doubt. `jobs`: processes, at most;
    None is as many as there is work for.
    """

    month: str
    wait: bool = True
    dry_run: bool = False
    accept: Sequence[str] = ()
    by_two: bool = False
    at: str = ""
    jobs: int | None = None


@dataclass
class Closed:
    """The outcome of a request to close a run.

    `left` records of `reports.raw` were not taken in. `closed_at` is "" where the run is held.
    `unkept` says why the table of completeness was not written; "" where all is well.
    """

    run: int
    data_month: str
    survey: Survey
    findings: list[Finding]
    left: int = 0
    closed_at: str = ""
    accepted: Sequence[str] = ()
    unkept: str = ""
    at: str = ""
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def closed(self) -> bool:
        """Return whether the run was closed."""
        return bool(self.closed_at)


class Status(NamedTuple):
    """The last run, the open one, and how many records each stage has before it."""

    last: RunMarker | None
    survey: Survey
    lag: dict[str, int]


# --- status ---------------------------------------------------------------------------------------


async def status(settings: Settings, progress: Progress, jobs: int | None = None) -> Status:
    """Look at the runs; nothing is written but topics that are missing. Raises UserError."""
    law, told = Law(load_rule_set()), partial(progress, "records")
    async with _opened(settings) as topics_read:
        last = await topics_read.last_run(told)
        survey = await topics_read.survey(law, last, None, told, jobs)
        left = await topics_read.left_in_raw(await topics_read.raw_ends())
        return Status(last, survey, {"intake": left, "citizens": survey.books.waiting})


async def last_run(settings: Settings) -> int:
    """The number of the last run that was closed, 0 where none was. Raises UserError."""
    async with _opened(settings) as topics_read:
        last = await topics_read.last_run(lambda _done, _total: None)
        return last.run if last else 0


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[RunTopics]:
    """Open the topics; Kafka's errors become those that the user can act on."""
    with explained(
        settings.bootstrap, RunError, advice="see with `refusion run status` what is closed"
    ):
        sources = sources_of(settings)
        await ensure_topics_of(settings, topics.all_topics(sources, receipts=settings.receipts))
        async with run_topics(settings) as topics_read:
            yield topics_read


# --- close ----------------------------------------------------------------------------------------


async def close(
    settings: Settings, asked: Closing, progress: Progress, jobs: int | None = None
) -> Closed:
    """Close a month's run, or say what holds it: the steps above. Raises UserError.

    `jobs` are the processes that fit here, whatever was asked for.
    """
    month = month_asked_for(asked.month)
    check_reasons(asked.accept)
    law, told = Law(load_rule_set()), partial(progress, "records")
    began = time.monotonic()
    async with _opened(settings) as topics_read:
        await check_keys(settings)
        last = await topics_read.last_run(told)
        check_month(month, last)
        left = await _wait_for_intake(topics_read, asked, progress)
        waited = time.monotonic()
        survey = await topics_read.survey(law, last, month, told, jobs or asked.jobs)
        held_by = [*_too_early(month), *findings(survey.books, month)]
        outcome = Closed(run_of(month), asked.month, survey, held_by, left, at=asked.at)
        outcome.seconds = {"waited": waited - began, "read": time.monotonic() - waited}
        if not asked.dry_run:
            outcome.accepted = tuple(asked.accept) if held_by else ()
            if outcome.accepted or (asked.by_two and not held_by) or is_approved():
                await permission(settings, _guarded(asked, outcome))
            elif not held_by:
                await record_act(settings, _guarded(asked, outcome).act)
            await _cut(settings, topics_read, outcome, last)
            about = {"fine": outcome.closed, "run": outcome.run, "month": asked.month}
            keep_outcome(settings.operations_dir, RUN_CLOSE, about)
        return outcome


def _guarded(asked: Closing, outcome: Closed) -> GuardedAct:
    """Return the closing of a run, by two persons where there are doubts or it was asked for so.

    The second one accepts the doubts that the first one saw, no others, and no larger ones.
    """
    amounts = amounts_at_stake(outcome.findings)
    scope = {"run": outcome.run, "month": asked.month, "doubts": sorted(amounts)}
    reasons = [part for reason in asked.accept for part in ("--accept", reason)]
    how = [] if asked.wait else ["--no-wait"]
    how += ["--jobs", str(asked.jobs)] if asked.jobs else []
    name = "run close --accept" if outcome.accepted else "run close"
    return GuardedAct(
        Act(name, scope, "; ".join(asked.accept)),
        ["run", "close", "--month", asked.month, *how, *reasons],
        at_most=amounts,
    )


def _too_early(month: int) -> list[Finding]:
    """Find a month that has not begun: it is closed by mistake, and there is no way back."""
    now = month_number(datetime.now(UTC).strftime("%Y-%m"))
    return [Finding("future_month", "", "", month_text(month), 0)] if month > now else []


async def _wait_for_intake(topics_read: RunTopics, asked: Closing, progress: Progress) -> int:
    """Step 1. Returns how many records are left."""
    ends = await topics_read.raw_ends()
    at_call = left = await topics_read.left_in_raw(ends)
    moved = time.monotonic()
    while left and asked.wait and not asked.dry_run:
        if time.monotonic() - moved > STILL_S:
            raise RunError(
                f"intake has taken in nothing for {STILL_S:.0f} s and {left:,} records of"
                " reports.raw are before it; start `refusion worker intake`, or close without"
                " them by --no-wait"
            )
        progress("records taken in", at_call - left, at_call)
        await asyncio.sleep(LOOK_S)
        before, left = left, await topics_read.left_in_raw(ends)
        moved = time.monotonic() if left < before else moved
    return left


async def _cut(
    settings: Settings, topics_read: RunTopics, outcome: Closed, last: RunMarker | None
) -> None:
    """Steps 3 and 4: the marker, unless the run is held; the notices in any case."""
    notices = await _notices(topics_read, outcome, last)
    holds = bool(outcome.findings) and not outcome.accepted
    if holds and not notices:
        return
    clients = KafkaClients(settings.bootstrap, f"refusion-{CLIENT}")
    await begin_journal(settings)
    try:
        macs, name = settings.macs(), f"{settings.prefix}{CLIENT}"
        async with control_writer(clients, macs, name, CLIENT) as writer:
            check_month(month_number(outcome.data_month), await topics_read.newer_run() or last)
            marker = None if holds else _marker(outcome)
            ends = await _write(writer, settings, marker, notices)
    except OvertakenError:
        raise RunError(
            "another `refusion run close` came in between, or a merge; see `refusion run status`"
        ) from None
    except UnconfirmedError:
        raise RunError(
            f"Kafka has not confirmed the cut in {COMMIT_S:.0f} s; see `refusion run status`, or"
            " close again: a run that is closed is not closed twice"
        ) from None
    if marker is not None:
        outcome.closed_at = marker.closed_at
        outcome.unkept = await asyncio.to_thread(_keep_completeness, settings, outcome)
        await _visible(topics_read, ends)


def _keep_completeness(settings: Settings, outcome: Closed) -> str:
    """Keep what nobody could find out later, beside the ledger; return why it could not be kept.

    The run is closed all the same. Delta Lake has 20 MB, which no other step needs.
    """
    from streams.lis.completeness import KEPT, kept_lines  # noqa: PLC0415
    from streams.lis.control_sums import KEPT_SUMS, kept_sums  # noqa: PLC0415
    from streams.lis.expected import KEPT_EXPECTED, kept_expected  # noqa: PLC0415

    run, survey, month = outcome.run, outcome.survey, month_number(outcome.data_month)
    told = lines(survey.books, month, outcome.findings)
    try:
        KEPT.keep(settings.ledger, run, kept_lines(run, told, outcome.accepted))
        KEPT_SUMS.keep(settings.ledger, run, kept_sums(run, survey.books, survey.settled_to))
        if survey.expected:
            KEPT_EXPECTED.keep(settings.ledger, run, [*kept_expected(run, survey.expected)])
    except UserError as error:
        return str(error)
    return ""


def _marker(outcome: Closed) -> RunMarker:
    at = outcome.at or datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return RunMarker(outcome.run, at, month_number(outcome.data_month), tuple(outcome.accepted))


async def _write(
    writer: ControlWriter,
    settings: Settings,
    marker: RunMarker | None,
    notices: list[tuple[bytes, bytes]],
) -> Offsets:
    """Step 4. Returns the offset after the marker in each partition."""
    markers = [] if marker is None else [_marker_record(marker)]
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    notice_records = [
        KeyedRecord(
            settings.topic(topics.NOTICES),
            key,
            notice,
            _headers(f"missing_reporter/{key.decode()}", "refusion.notice", now),
        )
        for key, notice in notices
    ]
    offsets = await writer.write(
        settings.topic(topics.REPORTS), settings.partitions, markers, notice_records
    )
    reached(CLIENT, "after_commit")
    return {partition: offset + 1 for partition, offset in offsets.items()}


def _marker_record(marker: RunMarker) -> ControlRecord:
    headers = _headers(f"run/{marker.run}", "refusion.run", marker.closed_at)
    return ControlRecord(run_message(marker), headers)


def _headers(name: str, kind: str, at: str) -> Headers:
    return event_headers(name.encode(), kind.encode(), b"refusion/run", at)


async def _visible(topics_read: RunTopics, ends: Offsets) -> None:
    """Wait until everybody sees the cut.

    The broker ends a transaction in each partition after it has confirmed the commit.
    """
    deadline = time.monotonic() + VISIBLE_S
    while any(end < ends[at] for at, end in (await topics_read.ends(topics.REPORTS)).items()):
        if time.monotonic() > deadline:
            raise RunError(
                "the run is closed, but its marker cannot be read yet; look at the brokers"
            )
        await asyncio.sleep(LOOK_S / 10)


async def _notices(
    topics_read: RunTopics, outcome: Closed, last: RunMarker | None
) -> list[tuple[bytes, bytes]]:
    """Return key and value of the notice of each missing reporter that has none yet."""
    wanted = [
        (finding.reporter.encode(), _notice(outcome.run, finding))
        for finding in outcome.findings
        if finding.code == "missing"
    ]
    known = await topics_read.noticed({notice for _, notice in wanted}, last) if wanted else set()
    return [(key, notice) for key, notice in wanted if notice not in known]


def _notice(run: int, finding: Finding) -> bytes:
    missing = {"benefit": finding.benefit, "month": finding.month}
    advice = ADVICE["missing_reporter"]
    detail = missing | {"expected_ore": finding.amount_ore, "advice": advice}
    common = {"schema": 1, "type": "notice", "code": "missing_reporter"}
    about = {"reporter": finding.reporter, "cause": f"run/{run}", "detail": detail}
    return orjson.dumps(common | about)
