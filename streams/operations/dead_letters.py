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

from streams.engine.ports import Headers, Record
from streams.kafka import topics
from streams.kafka.clients import KafkaClients
from streams.kafka.errors import KafkaError, explained, explanation
from streams.kafka.reading import KafkaTopicReader, open_topics
from streams.kafka.topics import LARGE_BYTES, is_raw
from streams.kit.errors import UserError
from streams.kit.foreign import Foreign
from streams.operations.key_gate import check_keys
from streams.operations.publish import record_key
from streams.privacy.identity import SealError
from streams.settings import Settings, SettingsError
from streams.stages.dead_letter import FIRST, RETRY_OF
from streams.wire.merge_records import merge_in
from streams.wire.readers import LetterHeaders, Source, letter_reader
from streams.wire.rejections import FOREIGN_RECORD

CLIENT: Final = "dead-letters"
OUR_FAULTS: Final = frozenset({"internal_error"})
"""Reasons that a repair of this program removes; all others are errors in content."""
LAST_MS: Final = 253_402_300_799_000
"""The end of the year 9999, in ms since 1970: whoever wrote a record may have given any time."""
SEND_S: Final = 30.0
"""Seconds for one request that sends a record again."""


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


class Sent(NamedTuple):
    """A letter that was sent again, and where its record is now."""

    letter: Letter
    place: str


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
        fitting: list[Letter] = []
        seen: set[Source] = set()
        name = self._dead_letters
        starts = await (self._topics.since(name, since) if since else self._topics.starts(name))
        for partition, start in starts.items():
            records = self._records(self._dead_letters, partition, start)
            reader = letter_reader(self._dead_letters, partition, self._macs, seen)
            async for record, headers in reader.ours(records):
                letter = with_reporter(self._settings, _letter(partition, record, headers))
                if wanted.fits(letter):
                    fitting.append(letter)
        return sorted(fitting, key=lambda letter: (letter.at, letter.partition, letter.offset))

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
        async with open_topics(_clients(settings)) as topics_read:
            yield DeadLetterReader(settings, topics_read)


def _clients(settings: Settings, request_timeout_s: float = 40.0) -> KafkaClients:
    return KafkaClients(
        settings.bootstrap, f"refusion-{CLIENT}", request_timeout_ms=int(request_timeout_s * 1000)
    )


def _letter(partition: int, record: Any, headers: LetterHeaders) -> Letter:
    at = datetime.fromtimestamp(min(max(record.timestamp, 0), LAST_MS) / 1000, UTC)
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


# --- sending again --------------------------------------------------------------------------------


def check_asked(letter: Letter, *, unchanged: bool) -> None:
    """Raise RefusalError for a letter that its reporter has to correct."""
    if letter.reason not in {*OUR_FAULTS, FOREIGN_RECORD.reason} and not unchanged:
        raise RefusalError(
            f"dead letter {letter.place} is an error in content ({letter.reason}): its reporter"
            " corrects it and reports anew, it is never edited here. Where a rule or a check of"
            " ours was wrong and is repaired, send the same bytes again with --unchanged"
        )


def check_sendable(letter: Letter, *, unchanged: bool = False) -> None:
    """Raise RefusalError for a letter that is not whole, or that nobody of ours wrote.

    The reason of a letter that nothing proves may be anybody's word: two persons look at it.
    """
    if letter.reason in OUR_FAULTS and not (letter.is_proved or unchanged):
        raise RefusalError(
            f"dead letter {letter.place}: a former version wrote it, or somebody else: nothing"
            f" proves its reason ({letter.reason}); where it is right, send the same bytes again"
            " with --unchanged"
        )
    if letter.last_offset > int(letter.source.rpartition("/")[2]):
        raise RefusalError(
            f"dead letter {letter.place}: nothing of its batch was read, up to offset"
            f" {letter.last_offset}; its sender has it, and sends it in parts"
        )
    if letter.cut_from:
        raise RefusalError(
            f"dead letter {letter.place}: the record had {letter.cut_from:,} bytes and was cut, it"
            f" cannot be sent again as it came; it was at {letter.source}"
        )
    if letter.reason == FOREIGN_RECORD.reason:
        raise RefusalError(
            f"dead letter {letter.place}: nobody of ours wrote the record, so it is not sent again;"
            " what is right in it has to be reported anew"
        )


async def sendable(
    settings: Settings,
    reader: DeadLetterReader,
    letters: Sequence[Letter],
    *,
    unchanged: bool = False,
) -> tuple[list[Letter], list[str]]:
    """Return the letters that can be sent again, and why others cannot.

    Whoever may write to `dead-letters` or to the journal can add letters that nobody can send: they
    must not keep the others back.
    """
    can_be: list[Letter] = []
    cannot: list[str] = []
    for letter in letters:
        try:
            check_sendable(letter, unchanged=unchanged)
            await _message(settings, reader, letter)
        except RefusalError as error:
            cannot.append(str(error))
        else:
            can_be.append(letter)
    return can_be, cannot


async def send_again(
    settings: Settings, reader: DeadLetterReader, letters: Sequence[Letter]
) -> list[Sent]:
    """Send records again, each acknowledged. Raises RefusalError with the number that were sent."""
    await check_keys(settings)
    messages = [await _message(settings, reader, letter) for letter in letters]
    sent: list[Sent] = []
    try:
        async with _clients(settings, SEND_S).producer(
            enable_idempotence=True, max_request_size=LARGE_BYTES, compression_type="zstd"
        ) as producer:
            await producer.start()
            for letter, (topic, partition, key, value, headers) in zip(
                letters, messages, strict=True
            ):
                done = await producer.send_and_wait(
                    topic, value, key, partition=partition, headers=headers
                )
                sent.append(Sent(letter, f"{topic}/{done.partition}/{done.offset}"))
    except KafkaError as error:
        cause = explanation(error, settings.bootstrap, "do it again: what was sent is left out")
        raise RefusalError(f"{len(sent)} of {len(letters)} were sent, then {cause}") from error
    return sent


async def _message(
    settings: Settings, reader: DeadLetterReader, letter: Letter
) -> tuple[str, int | None, bytes, bytes, Sequence[tuple[str, bytes]]]:
    """Return topic, partition, key, value and headers of a letter's record, to be sent."""
    place = f"{settings.topic(topics.DEAD_LETTERS)}/{letter.place}"
    marks: Headers = [(RETRY_OF, place.encode()), (FIRST, (letter.first or place).encode())]
    record = unsealed(settings, letter)
    topic, partition, _ = letter.source.rsplit("/", 2)
    if is_raw(topic, settings.topic(topics.RAW)):
        if not letter.is_proved:
            await _check_origin(reader, letter, record)
        return topic, None, record_key(record), record, marks
    if topic != settings.topic(topics.REPORTS):
        raise RefusalError(
            f"dead letter {letter.place} came from {topic}, which is none of ours; see"
            " REFUSION_PREFIX"
        )
    original = await reader.original(letter)
    if original is None or original.value != record:
        raise RefusalError(
            f"dead letter {letter.place}: the journal no longer has its record at {letter.source}"
        )
    if merge_in(record)[0]:
        raise RefusalError(
            f"dead letter {letter.place} begins or ends a merge, which counts with what stands"
            " behind it alone: part the two (`refusion merge --undo`) and merge them again"
        )
    kept = [(name, value) for name, value in original.headers if name not in (RETRY_OF, FIRST)]
    return topic, int(partition), original.key or b"", record, [*kept, *marks]


async def _check_origin(reader: DeadLetterReader, letter: Letter, record: bytes) -> None:
    """Raise RefusalError where nothing tells that a record came from the topic of that source.

    Whoever may write to `dead-letters` can copy a letter of ours, and name another one.
    """
    original = await reader.original(letter)
    if original is None or original.value != record:
        raise RefusalError(
            f"dead letter {letter.place}: a former version wrote it, or somebody else, and nothing"
            f" proves that its record was at {letter.source}: its reporter sends it anew"
        )
