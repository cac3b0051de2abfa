"""Reads the records of the topics: each is content of ours, or `Foreign`, which is a place alone.

There is a reader for each topic, and whatever reads a topic reads it through this: stages and
commands agree on what is foreign. A topic is open to whoever has the right to write to it, so a
record may hold any bytes as its key, value and headers.
"""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from typing import Any, Final, Generic, NamedTuple, TypedDict, TypeVar

import orjson
from msgspec import convert

from domain.citizen.reports import Freeing, KeysRecord, Recalculation, RulesRecord, RunMarker
from projections.postings.reading import PostedMessage, read_message
from projections.runs.left_out import own_notice
from streams.engine.ports import Record
from streams.kit.errors import UnworkableError
from streams.kit.foreign import Foreign, passed_over
from streams.privacy.macs import LetterMac, MacKeys, PlaceMac
from streams.wire import journal
from streams.wire.belief import JournalBelief, PostingOrder, is_marked
from streams.wire.journal import JournalEntry

Content = TypeVar("Content")
NoticeMessage = Mapping[str, Any]
"""A notice, to a citizen's municipalities or to a reporter."""

CITIZEN: Final = re.compile(rb"[0-9a-f]{32}")
"""The key of a citizen's record."""
_CONTROLS: Final = (RunMarker, RulesRecord, Recalculation, KeysRecord, Freeing)


class ForeignError(ValueError):
    """A record is none of ours."""


class RecordReader(Generic[Content]):
    """Reads the records of one partition of a topic."""

    def __init__(
        self,
        decode: Callable[[Record], Content],
        topic: str,
        partition: int,
        is_ours: Callable[[Record], bool] | None = None,
    ) -> None:
        """`is_ours` tells by its MAC whether a record is one of ours, where that is known."""
        self._decode = decode
        self._topic = topic
        self._partition = partition
        self._is_ours = is_ours

    def read(self, record: Record) -> Content | Foreign:
        """Read a record; whatever goes wrong in reading it makes it foreign, but want of memory.

        Raises UnworkableError where a newer version of ours wrote it.
        """
        try:
            if self._is_ours is not None and not self._is_ours(record):
                return self.place_of(record)
            return self._decode(record)
        except (MemoryError, UnworkableError):
            raise
        except Exception:  # noqa: BLE001 - the bytes may be anything
            return self.place_of(record)

    def place_of(self, record: Record) -> Foreign:
        """Name the place of a record."""
        return Foreign(self._topic, self._partition, record.offset)

    async def ours(
        self, records: AsyncIterator[Record]
    ) -> AsyncGenerator[tuple[Record, Content], None]:
        """Yield each record with its content; pass over what is foreign, aloud."""
        async for record in records:
            content = self.read(record)
            if isinstance(content, Foreign):
                passed_over(content)
            else:
                yield record, content


# --- the journal ----------------------------------------------------------------------------------


def journal_reader(
    topic: str, partition: int, belief: JournalBelief | None = None
) -> RecordReader[JournalEntry]:
    """A reader of a partition of `reports`; with a `belief` what does not count is foreign too."""
    if belief is None:
        return RecordReader(_entry, topic, partition)

    def entry(record: Record) -> JournalEntry:
        try:
            return _entry(record)
        except Exception:
            if belief.is_proved(record):
                refuse_newer(record, Foreign(topic, partition, record.offset))
            raise

    return RecordReader(entry, topic, partition, lambda record: belief.of(record) == "ours")


def refuse_newer(record: Record, place: Foreign) -> None:
    """Raise UnworkableError for a record of ours that only a newer version can read."""
    if schema := journal.newer_schema(record.value):
        raise UnworkableError(
            f"the record {place} has schema {schema}, which this program does not know: a newer"
            " version has written it, so run that version; nothing is lost until then"
        )


def _entry(record: Record) -> JournalEntry:
    """Read a record of the journal: a control record has no key, every other one a citizen."""
    key = record.key
    entry = journal.decode(key, record.value)
    if entry.citizen:  # a control record has none, whatever its key
        if not key or not CITIZEN.fullmatch(key):
            raise ForeignError("the key is no citizen")
    elif key or not isinstance(entry.report, _CONTROLS):
        raise ForeignError("a control record has a key, or a report none")
    return entry


# --- postings and notices -------------------------------------------------------------------------


def posting_reader(topic: str, partition: int) -> RecordReader[PostedMessage]:
    """A reader of a partition of `postings`."""
    return RecordReader(_posted, topic, partition)


def once_each(topic: str, partition: int, mac: PlaceMac | None) -> RecordReader[PostedMessage]:
    """A reader of postings in their order.

    What lacks the `mac` is foreign, where one is given, and so is a copy of a message before.
    """
    order = PostingOrder()

    def first(record: Record) -> PostedMessage:
        if order.is_copy(message := _posted(record)):
            raise ForeignError("the message came before")
        return message

    is_ours = None if mac is None else lambda record: is_marked(mac, record)
    return RecordReader(first, topic, partition, is_ours)


def _posted(record: Record) -> PostedMessage:
    return read_message(record.value or b"")


class _ToReporter(TypedDict):
    code: str
    reporter: str


def notice_reader(topic: str, partition: int) -> RecordReader[NoticeMessage]:
    """A reader of a partition of `notices`."""
    return RecordReader(_noticed, topic, partition)


def _noticed(record: Record) -> NoticeMessage:
    """Read a notice about a citizen's report, or one to a reporter."""
    notice = orjson.loads(record.value or b"")
    if "citizen" not in notice:
        return convert(notice, _ToReporter)
    if (own := own_notice(notice)) is None:
        raise ForeignError("the fields are not those of a notice")
    return own


# --- dead letters ---------------------------------------------------------------------------------


class LetterHeaders(NamedTuple):
    """The headers of a dead letter; those that it may lack are "" or 0.

    `cut_from` is the length in bytes of a record that was too long to be kept whole, `last_offset`
    the last of several offsets of which nothing is kept, `raw` the raw record of one that was
    refused at settling. `is_proved` says that one of us wrote all this; former versions proved
    nothing.
    """

    stage: str
    reason: str
    field: str
    topic: str
    partition: int
    offset: int
    last_offset: int
    citizen: str
    cut_from: int
    retry_of: str
    first: str
    raw: str = ""
    is_proved: bool = False


_NUMBER: Final = r"[0-9]{1,18}"
_PLACE: Final = r"[A-Za-z0-9._-]{1,249}/[0-9]{1,9}/[0-9]{1,18}"
_LETTER_HEADERS: Final = {
    name: re.compile(form)
    for name, form in {
        "stage": "[a-z]{1,20}",
        "reason": "[a-z_]{1,40}",
        "field": r"[^\x00-\x1f]{0,100}",
        "topic": "[A-Za-z0-9._-]{1,249}",
        "partition": "[0-9]{1,9}",
        "offset": _NUMBER,
        "last_offset": f"(?:{_NUMBER})?",
        "citizen": f"(?:{CITIZEN.pattern.decode()})?",
        "bytes": f"(?:{_NUMBER})?",
        "retry-of": f"(?:{_PLACE})?",
        "first": f"(?:{_PLACE})?",
        "raw": f"(?:{_PLACE})?",
    }.items()
}


Source = tuple[str, str, int, int, bool]
"""The stage that refused a record, the record's place, and whether the letter is proved."""


def letter_reader(
    topic: str, partition: int, macs: MacKeys | None = None, seen: set[Source] | None = None
) -> RecordReader[LetterHeaders]:
    """A reader of a partition of `dead-letters`; the value stays sealed.

    A record is refused once. With `seen`, which the partitions share, further letters of it are
    foreign: copies, or what an intake that died has written again. A letter that somebody else
    wrote before ours keeps ours from nobody.
    """
    mac = None if macs is None else LetterMac(macs)

    def letter_of(record: Record) -> LetterHeaders:
        letter = _letter(record)
        return letter._replace(
            is_proved=mac is not None and mac.is_of(record.value, record.headers)
        )

    if seen is None:
        return RecordReader(letter_of, topic, partition)

    def first(record: Record) -> LetterHeaders:
        letter = letter_of(record)
        source = letter.stage, letter.topic, letter.partition, letter.offset
        if (*source, True) in seen or (*source, letter.is_proved) in seen:
            raise ForeignError("the record was refused before")
        seen.add((*source, letter.is_proved))
        return letter

    return RecordReader(first, topic, partition)


def _letter(record: Record) -> LetterHeaders:
    given = {name: text.decode() for name, text in record.headers if name in _LETTER_HEADERS}
    texts = {name: given.get(name, "") for name in _LETTER_HEADERS}
    if not all(form.fullmatch(texts[name]) for name, form in _LETTER_HEADERS.items()):
        raise ForeignError("the headers are not those of a dead letter")
    return LetterHeaders(
        texts["stage"],
        texts["reason"],
        texts["field"],
        texts["topic"],
        int(texts["partition"]),
        int(texts["offset"]),
        int(texts["last_offset"] or texts["offset"]),
        texts["citizen"],
        int(texts["bytes"] or 0),
        texts["retry-of"],
        texts["first"],
        texts["raw"],
    )
