"""Tells contact persons by mail what happens to runs and to the system, where they asked for it.

Who gets what is in `contacts.yaml` (`status_mails`): `closed`, `held`, `delivered`, `disturbance`,
`window`. A mail names a month, a run or a time, and what operators wrote on the public pages; it
has nothing of a person. What happened before the first look is told to nobody; what cannot be sent
is tried again each hour, for a week.
"""

import asyncio
import hashlib
import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Final, NamedTuple

from streams.kit.last_outcomes import RUN_CLOSE, last_outcome
from streams.kit.web_settings import MailPlace
from streams.privacy.cpr import may_hold_cpr
from streams.settings import Settings
from streams.web.board import Board
from streams.web.dates import moment_text, month_words
from streams.web.folder import STATUS_MAILS, ContactPerson, Folder
from streams.web.mail import MailError, SiteMail, send_letter
from streams.web.told_events import ToldEvents, ToldEventsError
from streams.web.words import Language, words_in

LOOK_S: Final = 300.0
AGAIN: Final = timedelta(hours=1)
TRIED: Final = timedelta(days=7)
OF_THE_BOARD: Final = frozenset({"closed", "delivered"})
"""Kinds that are known once the board has read the journal."""
log = logging.getLogger("refusion")


class StatusEvent(NamedTuple):
    """Something that contact persons are told once; `key` names it for ever.

    `month` is a data month, `moments` are times, `text` is what operators wrote.
    """

    kind: str
    key: str
    month: str = ""
    run: int = 0
    moments: tuple[datetime, ...] = ()
    text: str = ""


class StatusMail:
    """The mails of one site; without a mail server there are none."""

    def __init__(self, settings: Settings, folder: Folder, board: Board, url: str) -> None:
        self._place = settings.web.mail
        self._operations_dir = settings.operations_dir
        self._folder = folder
        self._board = board
        self._url = url
        self._told = ToldEvents(settings.state_dir)
        self._seen: set[str] = set()
        self._ends = Event()

    async def run(self) -> None:
        """Look again and again, until the task is cancelled."""
        while self._place is not None:
            await asyncio.to_thread(self.look)
            await asyncio.sleep(LOOK_S)

    def close(self) -> None:
        """Send nothing more: a look that goes on ends after its mail."""
        self._ends.set()

    def look(self, now: datetime | None = None) -> None:
        """Send what has happened and was so at the look before: no half written file is sent."""
        now = now or datetime.now(UTC)
        events = list(self._events(now))
        unchanged = [event for event in events if event.key in self._seen]
        self._seen = {event.key for event in events}
        if self._place is None:
            return
        try:
            begun = self._begun_now(events)
            for event in unchanged:
                if event.kind not in begun:
                    self._send(self._place, event, now)
        except ToldEventsError as error:
            log.warning("the list of status mails that were sent cannot be used: %s", error)

    def _begun_now(self, events: Sequence[StatusEvent]) -> set[str]:
        """Return the kinds of which this look is the first that can see them.

        What the ledger has is seen when the board has read it, which may be long after the start.
        """
        visible = STATUS_MAILS - (OF_THE_BOARD if self._board.seen is None else set())
        return {
            kind
            for kind in sorted(visible)
            if self._told.begin(kind, [event.key for event in events if event.kind == kind])
        }

    def _events(self, now: datetime) -> Iterator[StatusEvent]:
        """Yield what there is to tell, whoever was told already."""
        if (seen := self._board.seen) is not None and (last := seen.last) is not None:
            yield StatusEvent("closed", f"closed/{last.run}", last.data_month, last.run)
            if last.delivered_at:
                yield StatusEvent("delivered", f"delivered/{last.run}", last.data_month, last.run)
        held = last_outcome(self._operations_dir, RUN_CLOSE)
        if held is not None and not held.get("fine") and "month" in held:
            yield StatusEvent("held", f"held/{held['month']}/{held['at']}", str(held["month"]))
        for fault in self._folder.faults():
            text = f"{fault.text}\n{fault.state}"
            key = f"disturbance/{fault.since}/{_digest(text)}"
            yield from _without_persons(StatusEvent("disturbance", key, text=text))
        for window in self._folder.windows():
            times = window.begins.isoformat(), window.ends.isoformat()
            key = f"window/{'/'.join(times)}/{_digest(window.text)}"
            moments = (window.begins, window.ends)
            if window.begins > now:
                event = StatusEvent("window", key, moments=moments, text=window.text)
                yield from _without_persons(event)

    def _send(self, place: MailPlace, event: StatusEvent, now: datetime) -> None:
        """Send an event to whom it was not sent yet, where it is time."""
        persons = {
            person.mail.lower(): person
            for of_place in self._folder.contacts().values()
            for person in of_place
            if event.kind in person.status_mails and person.mail
        }
        waiting = self._told.waiting(event.key, persons, now)
        left, why = 0, ""
        for address in waiting:
            if self._ends.is_set():
                return
            try:
                send_letter(place, self._letter(event, persons[address]))
            except MailError as error:
                left, why = left + 1, str(error)
            else:
                self._told.note(event.key, address)
        if left:
            log.warning(
                "status mails could not be sent to %s of %s addresses: %s", left, len(waiting), why
            )
        self._told.end_look(event.key, now, left, AGAIN, TRIED)

    def _letter(self, event: StatusEvent, person: ContactPerson) -> SiteMail:
        language: Language = "en" if person.language == "en" else "da"
        word = words_in(language)
        values = {
            "month": month_words(event.month, language) if event.month else "",
            "run": event.run,
            "times": " – ".join(moment_text(moment, language) for moment in event.moments),
            "text": event.text,
            "address": self._url + ("/en/drift" if language == "en" else "/drift"),
        }
        subject = word(f"status_mail.{event.kind}_subject", **values)
        text = word(f"status_mail.{event.kind}_text", **values)
        return SiteMail(person.mail, subject, text + word("status_mail.foot"))


def _without_persons(event: StatusEvent) -> Iterator[StatusEvent]:
    """Yield an event unless its text has what looks like a CPR number."""
    if may_hold_cpr(event.text):
        log.warning("a file of the site's folder cannot be used: %s", "operation.yaml")
    else:
        yield event


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
