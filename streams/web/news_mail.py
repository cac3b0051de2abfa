"""Sends news by mail to who has confirmed that they want it.

A look each five minutes sends what is new and was the same at the look before, so that a half
written file is sent to nobody. What cannot be sent is tried again each hour, for a week.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Event
from typing import Final, NamedTuple

from streams.kit.web_settings import MailPlace
from streams.settings import Settings
from streams.web.attempts import Unfinished
from streams.web.dates import day_text
from streams.web.folder import Folder, NewsItem
from streams.web.mail import MailError, SiteMail, send_letter
from streams.web.pages import link
from streams.web.subscribers import Subscriber, Subscribers, SubscribersError
from streams.web.words import Language, words_in

CONFIRM: Final = "/nyhedsmail/bekraeft"
SIGN_OFF: Final = "/nyhedsmail/afmeld"
CONFIRM_S: Final = 24 * 60 * 60
"""Seconds for which a sign-up may be confirmed."""
LOOK_S: Final = 300.0
AGAIN_S: Final = 3_600.0
TRIED_DAYS: Final = 7
log = logging.getLogger("refusion")


class SignUp(NamedTuple):
    """An address that somebody typed, and that nobody has confirmed yet."""

    mail: str
    language: Language


class NewsMail:
    """The list of one site; without a mail server there is none."""

    def __init__(
        self,
        settings: Settings,
        folder: Folder,
        url: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._place = settings.web.mail
        self._folder = folder
        self._url = url
        self._clock = clock
        self._subscribers = Subscribers(settings.state_dir)
        self._sign_ups: Unfinished[SignUp] = Unfinished(CONFIRM_S, clock)
        self._seen: dict[str, NewsItem] = {}
        self._not_before: dict[str, float] = {}
        self._ends = Event()

    @property
    def place(self) -> MailPlace | None:
        """The mail server; None where there is none."""
        return self._place

    def ask(self, place: MailPlace, sign_up: SignUp) -> None:
        """Ask an address whether it wants news. Raises MailError.

        The same goes to one that gets them already: nobody learns from us who does.
        """
        word = words_in(sign_up.language)
        code = self._sign_ups.put(sign_up)
        address = self._address(sign_up.language, CONFIRM, code)
        text = word("news_mail.ask_text", address=address, site=self._url)
        send_letter(place, SiteMail(sign_up.mail, word("news_mail.ask_subject"), text))

    def confirm(self, code: str) -> bool:
        """Put the address of a code on the list. Returns whether there was one.

        Raises SubscribersError.
        """
        sign_up = self._sign_ups.take(code)
        if sign_up is not None:
            self._subscribers.add(*sign_up)
        return sign_up is not None

    def leave(self, code: str) -> bool:
        """Take the address of a code off the list. Returns whether there was one.

        Raises SubscribersError.
        """
        return self._subscribers.remove(code)

    async def run(self) -> None:
        """Look again and again, until the task is cancelled."""
        while self._place is not None:
            await asyncio.to_thread(self.look)
            await asyncio.sleep(LOOK_S)

    def close(self) -> None:
        """Send nothing more: a look that goes on ends after its mail."""
        self._ends.set()

    def look(self) -> None:
        """Send what is new and was the same at the look before."""
        items = {item.name: item for item in self._folder.news()}
        unchanged = [item for name, item in items.items() if self._seen.get(name) == item]
        self._seen = items
        if self._place is None:
            return
        try:
            if not self._subscribers.begin(items):
                for item in reversed(unchanged):
                    self._send(self._place, item)
        except SubscribersError as error:
            log.warning("the list of who gets news by mail cannot be used: %s", error)

    def _send(self, place: MailPlace, item: NewsItem) -> None:
        """Send a piece of news to whom it was not sent yet, where it is time."""
        if self._clock() < self._not_before.get(item.name, 0.0):
            return
        waiting, left = self._subscribers.waiting(item.name), 0
        why = ""
        for subscriber in waiting:
            if self._ends.is_set():
                return
            try:
                send_letter(place, self._letter(item, subscriber))
            except MailError as error:
                left, why = left + 1, str(error)
            else:
                self._subscribers.note(item.name, subscriber)
        if left:
            log.warning("news could not be sent to %s of %s addresses: %s", left, len(waiting), why)
        if left and (datetime.now(UTC).date() - item.day).days <= TRIED_DAYS:
            self._not_before[item.name] = self._clock() + AGAIN_S
        else:
            self._subscribers.finish(item.name)

    def _letter(self, item: NewsItem, subscriber: Subscriber) -> SiteMail:
        language = subscriber.language
        sign_off = self._address(language, SIGN_OFF, subscriber.code)
        text = words_in(language)(
            "news_mail.news_text",
            title=item.title,
            day=day_text(item.day, language),
            address=f"{self._url}{link(language, f'/nyheder/{item.name}')}",
            sign_off=sign_off,
        )
        return SiteMail(subscriber.mail, f"Ydelsesrefusion: {item.title}", text, sign_off)

    def _address(self, language: Language, path: str, code: str) -> str:
        return f"{self._url}{link(language, path)}?kode={code}"
