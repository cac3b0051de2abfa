"""Searches the records of acts: by time, act, person and citizen, within a bound on memory.

    found = await searched(settings, ActQuestion(since=…, act="site citizen"))

The topic is read once and what does not fit is let go, so a search costs the time that reading the
asked-for days takes, and no more memory than the lines that are shown.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from heapq import heappush, heapreplace
from typing import Any, Final, NamedTuple, Protocol

from streams.acts.chain import AccessRecord, entry_of, is_genuine
from streams.acts.topic import OpenActTopic, open_act_topic
from streams.kit.errors import UserError
from streams.settings import Settings

MOST: Final = 500
"""Records that a search gives, the newest ones."""


class ActQuestion(NamedTuple):
    """A question names what is wanted: "" leaves a field open, `since` None reads the topic whole.

    `sample` asks for so many looks at citizens, drawn by `draw`: the same number, the same sample.
    """

    since: datetime | None = None
    until: str = ""
    act: str = ""
    who: str = ""
    citizen: str = ""
    sample: int = 0
    draw: int = 0


class ActLine(NamedTuple):
    """A record of an act for people to read; of the citizens in it there is the number alone."""

    at: str
    offset: int
    id: str
    kind: str
    act: str
    who: str
    roles: str
    municipality: str
    page: str
    reason: str
    citizens: int


@dataclass
class ActsFound:
    """The newest records that fit, the newest first, and how many there are.

    `foreign` records would fit, but nobody of ours wrote them: nothing of them is shown.
    `copy_trouble` says why the topic was read whole, and not the copy.
    """

    lines: list[ActLine] = field(default_factory=list)
    count: int = 0
    foreign: int = 0
    copy_trouble: str = ""


class _Search:
    """Keeps the records that fit a question, within the bound."""

    def __init__(self, settings: Settings, question: ActQuestion) -> None:
        self._macs = settings.macs()
        self._question = question
        self._kept: list[tuple[int, ActLine]] = []
        self._most = question.sample or MOST
        self._count = 0
        self._foreign = 0

    def take(self, record: AccessRecord) -> bool:
        """Look at a record, and let go of it."""
        entry = entry_of(record)
        if entry is None or not self._fits(entry.fields):
            return False
        if not is_genuine(self._macs, record):
            self._foreign += 1
            return False
        self._count += 1
        line = _line(record.offset, entry.fields)
        rank = self._rank(line)
        if len(self._kept) < self._most:
            heappush(self._kept, (rank, line))
        elif rank > self._kept[0][0]:
            heapreplace(self._kept, (rank, line))
        return False

    def found(self, copy_trouble: str) -> ActsFound:
        """Return what was kept, the newest first."""
        lines = sorted((line for _, line in self._kept), key=lambda line: -line.offset)
        return ActsFound(lines, self._count, self._foreign, copy_trouble)

    def _rank(self, line: ActLine) -> int:
        """Rank a record: the newest first, or by a draw that nobody can choose afterwards."""
        if not self._question.sample:
            return line.offset
        drawn = blake2b(f"{self._question.draw}/{line.id}".encode(), digest_size=16)
        return int.from_bytes(drawn.digest())

    def _fits(self, fields: Mapping[str, Any]) -> bool:
        asked, scope = self._question, scope_of(fields)
        citizens = citizens_in(scope)
        return (
            (not asked.until or fields["at"] < asked.until)
            and asked.act in ("", fields.get("act"))
            and (not asked.who or asked.who.casefold() in _who(fields).casefold())
            and (not asked.citizen or asked.citizen in citizens)
            and (not asked.sample or bool(citizens))
        )


class ActCopy(Protocol):
    """A copy of the topic, which is read more quickly than the topic itself."""

    def take(self, identity: str, start: int, take: Callable[[AccessRecord], bool]) -> int:
        """Hand in the copied records of a topic from an offset on; return where to go on.

        Raises UserError where it cannot be read, or is not whole.
        """


async def searched(
    settings: Settings,
    question: ActQuestion,
    open_topic: OpenActTopic = open_act_topic,
    copy: ActCopy | None = None,
) -> ActsFound:
    """Search the records; with a copy, what is not in it yet is read from the topic alone.

    Where the copy cannot be used, the topic is read instead, and what was found says so. Raises
    UserError where the topic cannot be read.
    """
    search, start, trouble = _Search(settings, question), 0, ""
    async with open_topic(settings) as topic:
        if copy is not None:
            first = await topic.first(question.since)
            try:
                start = await asyncio.to_thread(copy.take, topic.identity, first, search.take)
            except UserError as error:
                search, trouble = _Search(settings, question), str(error)
        await topic.records(search.take, question.since, start)
    return search.found(trouble)


def scope_of(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the scope of an act; empty where there is none."""
    scope = fields.get("scope")
    return scope if isinstance(scope, dict) else {}


def citizens_in(scope: Mapping[str, Any]) -> list[str]:
    """Return the pseudonyms that an act was about; commands name one, lists several."""
    several, one = scope.get("citizens"), scope.get("citizen")
    found = several if isinstance(several, list) else []
    return [*found, one] if isinstance(one, str) and one else [*found]


def _who(fields: Mapping[str, Any]) -> str:
    visitor = scope_of(fields).get("visitor")
    subject = visitor.get("subject") if isinstance(visitor, dict) else None
    return str(subject or fields.get("user") or "")


def _line(offset: int, fields: Mapping[str, Any]) -> ActLine:
    scope = scope_of(fields)
    visitor = scope.get("visitor")
    visitor = visitor if isinstance(visitor, dict) else {}
    persons = scope.get("persons")
    citizens = len(citizens_in(scope))
    return ActLine(
        fields["at"],
        offset,
        fields["id"],
        fields["type"],
        str(fields.get("act") or ""),
        _who(fields),
        ", ".join(map(str, visitor.get("roles") or ())),
        str(visitor.get("municipality") or scope.get("municipality") or ""),
        str(scope.get("page") or ""),
        str(fields.get("reason") or ""),
        citizens or (persons if isinstance(persons, int) else 0),
    )
