"""`refusion dead-letters` shows operators refused records, and sends them again after a repair.

A dead letter is never edited and never deleted. To send it again is to send the same bytes to the
topic that they came from: a raw report to `reports.raw`, a record of the journal to its
partition. The new record has the header `retry-of`, the place of the dead letter, and `first`, the
place of the first one if it had been sent before. Both headers go on with it, into the accepted
report or into another dead letter. So everybody can find out what was sent again and what came of
it; nothing is remembered elsewhere.
"""

import re
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import orjson

from streams.engine.ports import Record
from streams.kafka import topics
from streams.kafka.clients import KafkaClients
from streams.kafka.errors import explained
from streams.kafka.reading import KafkaTopicReader, Offsets, open_topics, written_ms
from streams.kafka.topics import is_raw
from streams.kit.errors import UserError
from streams.kit.foreign import Foreign
from streams.privacy.identity import SealError
from streams.settings import Settings, SettingsError
from streams.stages.dead_letter import RETRY_OF
from streams.wire.readers import LetterHeaders, Source, letter_reader

CLIENT: Final = "dead-letters"
OUR_FAULTS: Final = frozenset({"internal_error"})
"""Reasons that a repair of this program removes; all others are errors in content."""
LAST_MS: Final = 253_402_300_799_000
"""The end of the year 9999, in ms since 1970: whoever wrote a record may have given any time."""


class RefusalError(UserError):
    """A request is refused; the message says why and what to do."""


class Letter(NamedTuple):
    """A dead letter. `reporter` is "" where the record is not readable or no key is set."""

    partition: int
    offset: int
    at: str
    stage: str
    reason: str
    field: str
    source: str
    citizen: str
    cut_from: int
    """Length of the record in bytes where it was too long to be kept whole, else 0."""
    retry_of: str
    first: str
    sealed: bytes
    reporter: str
    last_offset: int = -1
    """The last offset of a batch of which nothing was read, or that of the record."""
    is_proved: bool = False
    """True if a MAC says that one of us wrote this; of former versions nothing does."""

    @property
    def place(self) -> str:
        """Partition and offset, as a user names the letter: `3/17`."""
        return f"{self.partition}/{self.offset}"

    def as_json(self) -> dict[str, Any]:
        """Return the letter for programs, without the record itself."""
        return {"place": self.place} | {
            name: value
            for name, value in self._asdict().items()
            if name not in ("sealed", "is_proved")
        }


class Wanted(NamedTuple):
    """Letters that are asked for; "" leaves a field open. Times are RFC 3339, compared as text."""

    reason: str = ""
    stage: str = ""
    since: str = ""
    until: str = ""
    reporter: str = ""

    def fits(self, letter: Letter) -> bool:
        """Return whether a letter is wanted."""
        return (
            self.reason in ("", letter.reason)
            and self.stage in ("", letter.stage)
            and self.reporter in ("", letter.reporter)
            and self.since <= letter.at
            and (not self.until or letter.at < self.until)
        )


# --- reading --------------------------------------------------------------------------------------


class DeadLetterReader:
    """The dead letters of a prefix, open for reading."""

    def __init__(self, settings: Settings, topics_read: KafkaTopicReader) -> None:
        self._settings = settings
        self._topics = topics_read
        self._dead_letters = settings.topic(topics.DEAD_LETTERS)
        self._macs = settings.macs_if_set()

    async def letters(self, wanted: Wanted, since: datetime | None = None) -> list[Letter]:
        """The letters that fit, oldest first; with `since`, those before it are not read."""
        name = self._dead_letters
        starts = await (self._topics.since(name, since) if since else self._topics.starts(name))
        return sorted([letter async for letter in self.fitting(wanted, starts)], key=age_of)

    async def starts(self, since: datetime, most: int) -> tuple[Offsets, bool]:
        """Return from where to read the newest letters, and whether older ones are left out."""
        starts = await self._topics.since(self._dead_letters, since)
        ends = await self._topics.ends(self._dead_letters)
        share = most // max(1, len(starts))
        read = {at: max(start, ends[at] - share) for at, start in starts.items()}
        return read, read != starts

    async def fitting(self, wanted: Wanted, starts: Offsets) -> AsyncGenerator[Letter]:
        """Yield the letters that fit, partition by partition, from these offsets on."""
        seen: set[Source] = set()
        for partition, start in starts.items():
            records = self._records(self._dead_letters, partition, start)
            reader = letter_reader(self._dead_letters, partition, self._macs, seen)
            async for record, headers in reader.ours(records):
                letter = with_reporter(self._settings, _letter(partition, record, headers))
                if wanted.fits(letter):
                    yield letter

    async def letter(self, place: str) -> Letter:
        """The letter at a place, not opened: its `reporter` is "". Raises RefusalError."""
        match = re.fullmatch(r"(?:[\w.-]+/)?(\d+)/(\d+)", place)
        if match is None:
            raise RefusalError(
                f"{place}: a dead letter is named by partition/offset, as `dead-letters list` shows"
                " it"
            )
        partition, offset = int(match[1]), int(match[2])
        record = await self._record(self._dead_letters, partition, offset)
        if record is None:
            raise RefusalError(
                f"there is no dead letter {place}; they are kept for 90 days, see"
                " `dead-letters list`"
            )
        headers = letter_reader(self._dead_letters, partition, self._macs).read(record)
        if isinstance(headers, Foreign):
            raise RefusalError(f"{headers} is no dead letter of ours; see `dead-letters list`")
        return _letter(partition, record, headers)

    async def sent_again(self, letters: Sequence[Letter]) -> set[str]:
        """The places of those letters that were sent again: a record in a topic names each."""
        if not letters:
            return set()
        since = datetime.fromisoformat(min(letter.at for letter in letters))
        named: set[str] = set()
        ours = (topics.DEAD_LETTERS, topics.RAW, topics.REPORTS)
        raw = {letter.source.rsplit("/", 2)[0] for letter in letters}
        of_sources = {name for name in raw if is_raw(name, self._settings.topic(topics.RAW))}
        for name in {*map(self._settings.topic, ours), *of_sources}:
            if not await self._topics.partitions(name):  # somebody else's letter may name any
                continue
            for partition, start in (await self._topics.since(name, since)).items():
                async for record in self._records(name, partition, start):
                    named.update(
                        (value or b"").decode(errors="replace")
                        for header, value in record.headers
                        if header == RETRY_OF
                    )
        return {letter.place for letter in letters} & {place.partition("/")[2] for place in named}

    async def original(self, letter: Letter) -> Record | None:
        """The record that a letter was made of; None where it is gone."""
        topic, partition, offset = letter.source.rsplit("/", 2)
        if not await self._topics.partitions(topic):
            return None
        return await self._record(topic, int(partition), int(offset))

    async def _record(self, topic: str, partition: int, offset: int) -> Record | None:
        """The record at an offset; None where there is none, or none any more."""
        ends = await self._topics.ends(topic)
        if offset >= ends.get(partition, 0):
            return None
        async with aclosing(self._records(topic, partition, offset)) as records:
            async for record in records:
                return record if record.offset == offset else None
        return None

    async def _records(self, topic: str, partition: int, start: int) -> AsyncGenerator[Record]:
        end = (await self._topics.ends(topic))[partition]
        async for record in self._topics.records(topic, partition, start, end):
            yield record


@asynccontextmanager
async def dead_letter_reader(settings: Settings) -> AsyncIterator[DeadLetterReader]:
    """Open the dead letters. Raises RefusalError where no broker answers."""
    with explained(settings.bootstrap, RefusalError):
        async with open_topics(clients_of(settings)) as topics_read:
            yield DeadLetterReader(settings, topics_read)


def clients_of(settings: Settings, request_timeout_s: float = 40.0) -> KafkaClients:
    """Return the clients of Kafka that read letters, and send their records."""
    return KafkaClients(
        settings.bootstrap, f"refusion-{CLIENT}", request_timeout_ms=int(request_timeout_s * 1000)
    )


def _letter(partition: int, record: Record, headers: LetterHeaders) -> Letter:
    at = datetime.fromtimestamp(min(max(written_ms(record), 0), LAST_MS) / 1000, UTC)
    return Letter(
        partition,
        record.offset,
        at.isoformat(timespec="seconds").replace("+00:00", "Z"),
        headers.stage,
        headers.reason,
        headers.field,
        f"{headers.topic}/{headers.partition}/{headers.offset}",
        headers.citizen,
        headers.cut_from,
        headers.retry_of,
        headers.first,
        record.value or b"",
        "",
        headers.last_offset,
        headers.is_proved,
    )


def age_of(letter: Letter) -> tuple[str, int, int]:
    """Return what letters are sorted by, the oldest first."""
    return letter.at, letter.partition, letter.offset


def with_reporter(settings: Settings, letter: Letter) -> Letter:
    """Return a letter with the reporter that its record names, for which the record is opened."""
    return letter._replace(reporter=_reporter(settings, letter.sealed))


_REPORTER: Final = re.compile(r"[0-9]{8}")


def _reporter(settings: Settings, sealed: bytes) -> str:
    """The reporter that a refused record names, if the key is here and the record can be read."""
    try:
        reporter = orjson.loads(settings.identity().unseal_record(sealed))["reporter"]
    except (SettingsError, SealError, ValueError, KeyError, TypeError):
        return ""
    return reporter if isinstance(reporter, str) and _REPORTER.fullmatch(reporter) else ""


def summary(letters: Iterable[Letter]) -> dict[tuple[str, str, str], int]:
    """Count letters by stage, reason and reporter."""
    return dict(
        Counter((letter.stage, letter.reason, letter.reporter) for letter in letters).most_common()
    )


# --- showing --------------------------------------------------------------------------------------


def unsealed(settings: Settings, letter: Letter) -> bytes:
    """Return the record byte for byte as it came. Raises RefusalError without its key."""
    try:
        return settings.identity().unseal_record(letter.sealed)
    except SealError as error:
        raise RefusalError(f"dead letter {letter.place}: {error}") from error
