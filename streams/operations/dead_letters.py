"""`refusion dead-letters`: what was refused, looked at by operators, and sent again after a repair of ours.

A dead letter is never edited and never taken away. Sending it again means the same bytes to the topic that they came
from: a raw report to `reports.raw`, a record of the journal to its partition of the journal. The new record has the
header `retry-of`, the place of the dead letter, and `first`, that of the first one if it had been sent before. Both
go on with it, into the accepted report or into another dead letter. So everybody can find out what was sent
again and what came of it; nothing is remembered elsewhere.
"""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaConnectionError, KafkaError

from streams.engine.ports import Headers, Record
from streams.kafka import topics
from streams.kafka.brokers import KafkaBrokers
from streams.kafka.topics import LARGE_BYTES
from streams.kit.errors import UserError
from streams.operations.publish import record_key
from streams.privacy.identity import SealError
from streams.settings import Settings, SettingsError
from streams.stages.dead_letter import FIRST, RETRY_OF

CLIENT: Final = "dead-letters"
OUR_FAULTS: Final = frozenset({"internal_error"})
"""Reasons that a repair of this program takes away; all others are errors in content."""
SEND_S: Final = 30.0
MASK: Final = "**********"


class RefusalError(UserError):
    """What was asked for cannot be done; the message says why and what to do."""


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
    """The record's length where it was too long to be kept whole, else 0."""
    retry_of: str
    first: str
    sealed: bytes
    reporter: str

    @property
    def place(self) -> str:
        """How a user names it."""
        return f"{self.partition}/{self.offset}"

    def as_json(self) -> dict[str, Any]:
        """For programs; the record itself is not in it."""
        return {"place": self.place} | {
            name: value for name, value in self._asdict().items() if name != "sealed"
        }


class Wanted(NamedTuple):
    """Which letters; what is "" is of no matter. Times are RFC 3339 or dates, compared as text."""

    reason: str = ""
    stage: str = ""
    since: str = ""
    until: str = ""
    reporter: str = ""

    def fits(self, letter: Letter) -> bool:
        """Whether a letter is wanted."""
        return (
            self.reason in ("", letter.reason)
            and self.stage in ("", letter.stage)
            and self.reporter in ("", letter.reporter)
            and self.since <= letter.at
            and (not self.until or letter.at < self.until)
        )


class Sent(NamedTuple):
    """A letter that was sent again, and where its record stands now."""

    letter: Letter
    place: str


# --- reading
# ----------------------------------------------------------------------------------------


class Desk:
    """The dead letters of a prefix, open for reading."""

    def __init__(self, settings: Settings, consumer: AIOKafkaConsumer) -> None:
        self._settings = settings
        self._consumer = consumer
        self._brokers = KafkaBrokers(settings.bootstrap, CLIENT)
        self._topic = settings.topic(topics.DEAD_LETTERS)

    async def letters(self, wanted: Wanted) -> list[Letter]:
        """The letters that fit, oldest first."""
        found = []
        for partition in await self._partitions(self._topic):
            async for record in self._records(self._topic, partition, 0):
                letter = _letter(self._settings, partition, record)
                if wanted.fits(letter):
                    found.append(letter)
        return sorted(found, key=lambda letter: (letter.at, letter.partition, letter.offset))

    async def letter(self, place: str) -> Letter:
        """The letter at a place. Raises RefusalError where there is none."""
        found = re.fullmatch(r"(?:[\w.-]+/)?(\d+)/(\d+)", place)
        if found is None:
            raise RefusalError(
                f"{place}: a dead letter is named by partition/offset, as `dead-letters list` shows it"
            )
        partition, offset = int(found[1]), int(found[2])
        if partition in await self._partitions(self._topic):
            async for record in self._records(self._topic, partition, offset):
                if record.offset == offset:
                    return _letter(self._settings, partition, record)
                break
        raise RefusalError(
            f"there is no dead letter {place}; they are kept for 90 days, see `dead-letters list`"
        )

    async def sent_again(self, letters: Sequence[Letter]) -> set[str]:
        """The places of those letters that were sent again: their records stand in a topic and say so."""
        if not letters:
            return set()
        since = min(letter.at for letter in letters)
        ms = int(datetime.fromisoformat(since).timestamp() * 1000)
        found: set[str] = set()
        for topic in (topics.DEAD_LETTERS, topics.RAW, topics.REPORTS):
            name = self._settings.topic(topic)
            at = [TopicPartition(name, partition) for partition in await self._partitions(name)]
            for where, each in (
                await self._consumer.offsets_for_times(dict.fromkeys(at, ms))
            ).items():
                if each is not None:
                    async for record in self._records(name, where.partition, each.offset):
                        found.update(
                            value.decode() for header, value in record.headers if header == RETRY_OF
                        )
        return {letter.place for letter in letters} & {place.partition("/")[2] for place in found}

    async def original(self, letter: Letter) -> Record | None:
        """The record of the journal that a letter was made of; None where it is gone."""
        topic, partition, offset = letter.source.rsplit("/", 2)
        async for record in self._records(topic, int(partition), int(offset)):
            return record if record.offset == int(offset) else None
        return None

    async def _partitions(self, name: str) -> list[int]:
        return sorted(self._consumer.partitions_for_topic(name) or await self._asked_for(name))

    async def _asked_for(self, name: str) -> list[int]:
        client = self._consumer._client  # noqa: SLF001 - aiokafka knows a topic only once it was asked for
        await client.add_topic(name)
        partitions = self._consumer.partitions_for_topic(name)
        if not partitions:
            raise RefusalError(
                f"there is no topic {name}; see REFUSION_PREFIX with `refusion settings`"
            )
        return list(partitions)

    async def _records(self, topic: str, partition: int, start: int) -> AsyncIterator[Record]:
        async with self._brokers.changelog(topic, partition) as log:
            first = (
                await self._consumer.beginning_offsets([TopicPartition(topic, partition)])
            ).popitem()[1]
            async for batch in log.read(max(start, first)):
                for record in batch.records:
                    yield record


@asynccontextmanager
async def desk(settings: Settings) -> AsyncIterator[Desk]:
    """The dead letters. Raises RefusalError where no broker answers."""
    try:
        async with AIOKafkaConsumer(
            bootstrap_servers=settings.bootstrap, client_id=f"refusion-{CLIENT}"
        ) as consumer:
            await asyncio.sleep(0)  # aiokafka cannot be stopped before its own tasks have begun
            yield Desk(settings, consumer)
    except KafkaConnectionError as error:
        raise RefusalError(
            f"no Kafka answers at {settings.bootstrap} (REFUSION_BOOTSTRAP)"
        ) from error
    except KafkaError as error:
        raise RefusalError(
            f"Kafka refused a request ({type(error).__name__}); look at the brokers"
        ) from error


def _letter(settings: Settings, partition: int, record: Any) -> Letter:
    headers = {name: value.decode(errors="replace") for name, value in record.headers}
    sealed = record.value or b""
    at = datetime.fromtimestamp(record.timestamp / 1000, UTC).isoformat(timespec="seconds")
    return Letter(
        partition,
        record.offset,
        at.replace("+00:00", "Z"),
        headers.get("stage", ""),
        headers.get("reason", ""),
        headers.get("field", ""),
        "/".join(headers.get(name, "") for name in ("topic", "partition", "offset")),
        headers.get("citizen", ""),
        int(headers.get("bytes", 0)),
        headers.get(RETRY_OF, ""),
        headers.get(FIRST, ""),
        sealed,
        _reporter(settings, sealed),
    )


_REPORTER: Final = re.compile(r"[0-9]{8}")


def _reporter(settings: Settings, sealed: bytes) -> str:
    """The reporter that a refused record names, if the key is here and the record can be read."""
    try:
        reporter = orjson.loads(settings.identity().unseal_record(sealed))["reporter"]
    except (SettingsError, SealError, ValueError, KeyError, TypeError):
        return ""
    return reporter if isinstance(reporter, str) and _REPORTER.fullmatch(reporter) else ""


def summary(letters: Iterable[Letter]) -> dict[tuple[str, str, str], int]:
    """How many there are by stage, reason and reporter."""
    return dict(
        Counter((letter.stage, letter.reason, letter.reporter) for letter in letters).most_common()
    )


# --- showing
# ----------------------------------------------------------------------------------------


def unsealed(settings: Settings, letter: Letter) -> bytes:
    """The refused record, byte for byte as it came. Raises RefusalError where the key is not here."""
    try:
        return settings.identity().unseal_record(letter.sealed)
    except SealError as error:
        raise RefusalError(f"dead letter {letter.place}: {error}") from error


_DIGITS: Final = re.compile(r"(?<!\d)\d{6}[- ]?\d{4}(?!\d)")
_CPR_FIELD: Final = re.compile(r'("cpr"\s*:\s*)("[^"]*"?|[^,}\s]+)')
_ESCAPED: Final = re.compile(r"\\u[0-9A-Fa-f]{4}")


def masked(record: bytes) -> str:
    """A record for people who need not know whom it is about: whatever may be a CPR number is masked."""
    try:
        return orjson.dumps(_masked(orjson.loads(record), "")).decode()
    except ValueError:
        text = _ESCAPED.sub("?", record.decode(errors="replace"))
        return _DIGITS.sub(MASK, _CPR_FIELD.sub(rf'\1"{MASK}"', text))


def _masked(value: Any, name: str) -> Any:
    match value:
        case dict():
            return {_DIGITS.sub(MASK, key): _masked(each, key) for key, each in value.items()}
        case list():
            return [_masked(each, name) for each in value]
        case _ if name == "cpr":
            return MASK
        case str():
            return _DIGITS.sub(MASK, value)
        case int() if not name.endswith("_ore") and _DIGITS.fullmatch(str(value)):
            return MASK
        case _:
            return value


# --- sending again
# ----------------------------------------------------------------------------------


def check_sendable(letter: Letter, *, unchanged: bool) -> None:
    """Raises RefusalError for a letter whose record is for somebody else to correct, or is not here as it came."""
    if letter.cut_from:
        raise RefusalError(
            f"dead letter {letter.place}: the record had {letter.cut_from:,} bytes and was cut, it cannot be sent again"
            f" as it came; it stood at {letter.source}"
        )
    if letter.reason not in OUR_FAULTS and not unchanged:
        raise RefusalError(
            f"dead letter {letter.place} is an error in content ({letter.reason}): its reporter corrects it and reports"
            " anew, it is never edited here. Where a rule or a check of ours was wrong and is repaired, send the same"
            " bytes again with --unchanged"
        )


async def send_again(settings: Settings, at: Desk, letters: Sequence[Letter]) -> list[Sent]:
    """Send the records of letters again, each acknowledged. Raises RefusalError, also when only some were."""
    messages = [await _message(settings, at, letter) for letter in letters]
    sent: list[Sent] = []
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.bootstrap,
        client_id=f"refusion-{CLIENT}",
        enable_idempotence=True,
        max_request_size=LARGE_BYTES,
        compression_type="zstd",
        request_timeout_ms=int(SEND_S * 1000),
    )
    try:
        async with producer:
            for letter, (topic, partition, key, value, headers) in zip(
                letters, messages, strict=True
            ):
                done = await producer.send_and_wait(
                    topic, value, key, partition=partition, headers=headers
                )
                sent.append(Sent(letter, f"{topic}/{done.partition}/{done.offset}"))
    except KafkaError as error:
        raise RefusalError(
            f"{len(sent)} of {len(letters)} were sent, then Kafka refused ({type(error).__name__}); do it again: what"
            " was sent is left out"
        ) from error
    return sent


async def _message(
    settings: Settings, at: Desk, letter: Letter
) -> tuple[str, int | None, bytes, bytes, Sequence[tuple[str, bytes]]]:
    """Topic, partition, key, value and headers of the record of a letter, to be sent."""
    place = f"{settings.topic(topics.DEAD_LETTERS)}/{letter.place}"
    marks: Headers = [(RETRY_OF, place.encode()), (FIRST, (letter.first or place).encode())]
    record = unsealed(settings, letter)
    topic, partition, _ = letter.source.rsplit("/", 2)
    if topic == settings.topic(topics.RAW):
        return topic, None, record_key(record), record, marks
    if topic != settings.topic(topics.REPORTS):
        raise RefusalError(
            f"dead letter {letter.place} came from {topic}, which is none of ours; see REFUSION_PREFIX"
        )
    original = await at.original(letter)
    if original is None or original.value != record:
        raise RefusalError(
            f"dead letter {letter.place}: the journal no longer has its record at {letter.source}"
        )
    kept = [(name, value) for name, value in original.headers if name not in (RETRY_OF, FIRST)]
    return topic, int(partition), original.key or b"", record, [*kept, *marks]
