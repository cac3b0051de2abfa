"""Does for the pages of the desk what the command line does: looks at the system, and acts in it.

Each method is called in a thread, and has an event loop of its own. Raises UserError where it
cannot be done, such as when no broker answers, and AwaitingApproval.
"""

import asyncio
import threading
from argparse import ArgumentError, ArgumentParser
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple, NoReturn, TypeVar

from streams.acts import four_eyes
from streams.acts.access_review import AccessReview, ReviewQuestion, reviewed
from streams.acts.act_search import ActQuestion, ActsFound, searched
from streams.acts.four_eyes import ApprovalRequest, requests_of
from streams.acts.topic import OpenActTopic, open_act_topic
from streams.acts.writer import ActWriter
from streams.dossier.package import MadePackage, make_package
from streams.dossier.package_content import PackageRequest
from streams.dossier.zip_file import digest_of, packed
from streams.kit.errors import UserError
from streams.lis.act_table import ActTable
from streams.operations import runs
from streams.operations.dead_letters import (
    Letter,
    Wanted,
    dead_letter_reader,
    unsealed,
    with_reporter,
)
from streams.operations.kept_differences import forget_request
from streams.operations.letter_counts import LetterCounts, counted
from streams.operations.letter_dispatch import Sent
from streams.operations.letter_retry import Retry, chosen_letters, sent_if_permitted
from streams.operations.notice_shelf import NoticeShelf, noticed
from streams.operations.record_mask import masked
from streams.operations.runs import Closed, Closing
from streams.operations.topic_sizes import TopicSizes, topic_sizes
from streams.settings import Settings
from streams.web.desk.chores import Show
from streams.web.desk.rule_book import listed_cases

Found = TypeVar("Found")
ANSWER_S: Final = 45.0
"""Seconds that a look at the topics may take."""
OVERLAP: Final = timedelta(hours=1)
"""The time before the last look that is read again: clocks of writers differ."""
MOST_SHELVES: Final = 4
"""Readings of notices that are kept, those that were asked for last; each some 25 MB at most."""
KEPT_DAYS: Final = 2 * four_eyes.STALE_DAYS
"""Days of which requests are shown."""


class WorkError(UserError):
    """A page's question cannot be answered; the message says why."""


class RetryOutcome(NamedTuple):
    """Refused records that were sent again, how many were left out, and why others cannot be."""

    sent: list[Sent]
    left_out: int
    cannot: list[str]


class ZippedPackage(NamedTuple):
    """An auditor's package that was made; `findings` says what does not hold."""

    run: int
    data_month: str
    content: bytes
    sha256: str
    findings: list[str]


class _Requests(NamedTuple):
    """The records about requests that were seen, by their place, and up to when."""

    identity: str
    seen_to: datetime
    entries: dict[int, Any]


class DeskWorks:
    """The operations of one system."""

    def __init__(self, settings: Settings, open_topic: OpenActTopic = open_act_topic) -> None:
        self.settings = settings
        self._open_topic = open_topic
        self._of_requests, self._of_notices = threading.Lock(), threading.Lock()
        self._notices: dict[tuple[int, str | None, str], NoticeShelf] = {}
        self._requests = _Requests("", datetime.min.replace(tzinfo=UTC), {})

    # --- approvals --------------------------------------------------------------------------------

    def requests(self) -> list[ApprovalRequest]:
        """Return the requests of the last days, oldest first; what was seen is not read again."""
        with self._of_requests:
            self._requests = self._ask(self._newer_requests(self._requests))
            entries = [entry for _, entry in sorted(self._requests.entries.items())]
        return requests_of(entries, datetime.now(UTC) - timedelta(days=four_eyes.STALE_DAYS))

    async def _newer_requests(self, seen: _Requests) -> _Requests:
        now = datetime.now(UTC)
        async with self._open_topic(self.settings) as topic:
            is_same = topic.identity == seen.identity
            since = seen.seen_to - OVERLAP if is_same else now - timedelta(days=KEPT_DAYS)
            entries = await ActWriter(self.settings, topic).entries(since)
            oldest = (now - timedelta(days=KEPT_DAYS)).isoformat()
            kept = dict(seen.entries) if is_same else {}
            kept |= {
                entry.record.offset: entry
                for entry in entries
                if entry.fields["type"] != "act" or entry.fields.get("request")
            }
            recent = {at: each for at, each in kept.items() if each.fields["at"] >= oldest}
            return _Requests(topic.identity, now, recent)

    def approve(self, request_id: str) -> ApprovalRequest:
        """Record that the visitor approves a request; WorkError where it is not done here."""
        approved = four_eyes.approve(
            self.settings, request_id, self._open_topic, check=self._check_done_here
        )
        return self._ask(approved)

    def refuse(self, request_id: str, reason: str) -> ApprovalRequest:
        """Record that the visitor refuses a request, or withdraws it."""
        refused = self._ask(four_eyes.refuse(self.settings, request_id, reason, self._open_topic))
        forget_request(self.settings.operations_dir, refused.id)
        return refused

    def carry_out(self, request: ApprovalRequest, show: Show) -> Any:
        """Do what was approved. Raises WorkError for what the command line alone does."""
        work = self._work_of(request.fields["command"])
        if work is None:
            raise _of_command_line(request)
        with four_eyes.carried_out(request):
            return work(show)

    def can_carry_out(self, request: ApprovalRequest) -> bool:
        """Tell whether the site does what a request asks for."""
        return self._work_of(request.fields["command"]) is not None

    def _check_done_here(self, request: ApprovalRequest) -> None:
        if not self.can_carry_out(request):
            raise _of_command_line(request)

    def _work_of(self, command: Sequence[str]) -> Callable[[Show], Any] | None:
        closing = closing_of(command)
        if closing is not None:
            return lambda show: self.close(closing, show)
        retry = retry_of(command)
        if retry is not None:
            return lambda _show: self.retry(retry)
        return None

    # --- runs -------------------------------------------------------------------------------------

    def close(self, closing: Closing, show: Show) -> Closed:
        """Close a run, ask for it, or look what would be in it."""
        jobs = 1  # more would not fit into the memory of a site
        closed = runs.close(
            self.settings, closing, lambda _what, done, total: show(done, total), jobs
        )
        return asyncio.run(closed)

    # --- dead letters -----------------------------------------------------------------------------

    def letters(self, wanted: Wanted) -> LetterCounts:
        """Count the refused records that are wanted; `since` is a time."""

        async def work() -> LetterCounts:
            async with dead_letter_reader(self.settings) as reader:
                return await counted(reader, wanted, datetime.fromisoformat(wanted.since))

        return self._ask(work())

    def masked_letter(self, place: str) -> tuple[Letter, str]:
        """Return a refused record, and its text without what may tell whom it is about."""

        async def work() -> Letter:
            async with dead_letter_reader(self.settings) as reader:
                return await reader.letter(place)

        letter = self._ask(work())
        text = masked(unsealed(self.settings, letter))
        return with_reporter(self.settings, letter), text

    def retry(self, asked: Retry) -> RetryOutcome:
        """Send refused records again."""

        async def work() -> RetryOutcome:
            async with dead_letter_reader(self.settings) as reader:
                chosen = await chosen_letters(self.settings, reader, asked)
                sent = await sent_if_permitted(self.settings, reader, chosen.letters, asked)
                return RetryOutcome(sent, chosen.left_out, chosen.cannot)

        return asyncio.run(work())

    # --- notices ----------------------------------------------------------------------------------

    def notices(self, days: int, place: str | None = None, code: str = "") -> NoticeShelf:
        """Return the notices of the last days that a municipality, or with None all, may see.

        What was read a moment ago is not read again.
        """
        with self._of_notices:
            shelf = self._notices.pop((days, place, code), None)
            if shelf is None or shelf.is_old:
                shelf = self._ask(noticed(self.settings, days, place, code))
            self._notices[days, place, code] = shelf
            while len(self._notices) > MOST_SHELVES:
                self._notices.pop(next(iter(self._notices)))
            return shelf

    # --- audit ------------------------------------------------------------------------------------

    def acts(self, question: ActQuestion) -> ActsFound:
        """Search the records of acts: in their table, and in the topic what is newer."""
        copy = ActTable(self.settings.ledger, self.settings.macs())
        return asyncio.run(searched(self.settings, question, self._open_topic, copy))

    def review(self, question: ReviewQuestion) -> AccessReview:
        """Add up who of a municipality used the site in a half-year."""
        return asyncio.run(reviewed(self.settings, question, self._open_topic))

    def package(self, run: int, draw: int, show: Show) -> ZippedPackage:
        """Make the auditor's package of a closed run."""
        asked = PackageRequest(run, draw, cases=listed_cases())
        return self.zipped(make_package(self.settings, asked, show))

    def zipped(self, made: MadePackage) -> ZippedPackage:
        """Zip a package that was made."""
        whole = packed(made.content)
        return ZippedPackage(made.run, made.data_month, whole, digest_of(whole), made.findings)

    def sizes(self) -> TopicSizes:
        """Count the records of the topics."""
        return self._ask(topic_sizes(self.settings))

    # --- all of them ------------------------------------------------------------------------------

    def _ask(self, work: Coroutine[Any, Any, Found]) -> Found:
        """Do work in a loop of its own. Raises WorkError where it takes too long."""

        async def within() -> Found:
            async with asyncio.timeout(ANSWER_S):
                return await work

        try:
            return asyncio.run(within())
        except TimeoutError:
            raise WorkError(
                f"the brokers have not answered within {ANSWER_S:.0f} seconds; look at them, and"
                " try again"
            ) from None


def _of_command_line(request: ApprovalRequest) -> WorkError:
    return WorkError(f"it is done on the command line: `refusion approve {request.id}`")


# --- commands -------------------------------------------------------------------------------------


class _WordsError(ValueError):
    """The words are those of another command."""


class _Words(ArgumentParser):
    """Reads the words of a command; what it does not know is an error, and ends nothing."""

    def __init__(self) -> None:
        super().__init__(exit_on_error=False, add_help=False, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        raise _WordsError(message)


def _parsed(parser: ArgumentParser, words: Sequence[str]) -> Any:
    """Read the words of a command; None where there are others than the parser knows."""
    try:
        return parser.parse_args([*words])
    except (ArgumentError, _WordsError):
        return None


def closing_of(command: Sequence[str]) -> Closing | None:
    """Return the closing that a command asks for; None where it is another command."""
    if [*command[:2]] != ["run", "close"]:
        return None
    parser = _Words()
    parser.add_argument("--month", required=True)
    parser.add_argument("--no-wait", action="store_true")
    parser.add_argument("--accept", action="append", default=[])
    parser.add_argument("--jobs", type=int)
    found = _parsed(parser, command[2:])
    if found is None:
        return None
    accepted = tuple(found.accept)
    return Closing(found.month, wait=not found.no_wait, accept=accepted, jobs=found.jobs)


def retry_of(command: Sequence[str]) -> Retry | None:
    """Return the retry that a command asks for; None where it is another command."""
    if [*command[:2]] != ["dead-letters", "retry"]:
        return None
    parser = _Words()
    parser.add_argument("--unchanged", action="store_true")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("places", nargs="+")
    found = _parsed(parser, command[2:])
    return found and Retry(tuple(found.places), again=found.again, unchanged=found.unchanged)
