"""Publishes reports: lines to `reports.raw`, all acknowledged or an error that says how many were.

    1. Make sure of `reports.raw`: a publisher needs the rights Describe and Write on it, and on
       nothing else.
    2. Each line that is not blank goes, byte for byte, into the batch of its partition; a full
       batch is handed to the producer, which sends a partition's batches one after the other
       (`streams.kafka.bulk`).
    3. At the end hand over what is left and wait for every acknowledgement.

Nothing is validated: that is intake's work, which keeps what it rejects. Publishing the same
lines again is harmless, because a report that comes again changes nothing.

A record's key is 16 bits of a digest of its CPR (contract section 1: a CPR is never in a key). It
puts a citizen's reports in one partition and in order. Some ninety persons share each key, so that
it names nobody; a whole digest of ten digits would, because anybody can try them all. Where no CPR
can be read, the digest is that of the line.
"""

import time
from asyncio import CancelledError
from collections.abc import Callable, Iterable
from contextlib import suppress
from hashlib import blake2b
from typing import Final, NamedTuple

from streams.kafka import bulk
from streams.kafka.bulk import BulkSender
from streams.kafka.clients import KafkaClients
from streams.kafka.errors import KafkaError, explanation, is_outage, refusal, refused
from streams.kafka.topic_layout import ensure_topics_of
from streams.kafka.topics import RAW_BYTES, TopicError, raw_of
from streams.kit.errors import UserError
from streams.offline.inputs import CutLine
from streams.privacy.cpr import cpr_of_line
from streams.settings import Settings

KEY_BYTES: Final = 2
"""Bytes of the digest that is a record's key."""
RECORD_OVERHEAD_BYTES: Final = 1000
"""The most bytes that come on top: a batch's header, a record's, and what zstd adds to bytes it
cannot compress."""
MAX_LINE_BYTES: Final = RAW_BYTES - RECORD_OVERHEAD_BYTES
"""Bytes of the longest line that Kafka takes."""


class PublishError(UserError):
    """Some lines were not acknowledged; the message says how many were and what to do.

    It holds nothing of the records.
    """


class Published(NamedTuple):
    """Sums of what was acknowledged, and the seconds that it took."""

    records: int
    bytes: int
    seconds: float

    def sentence(self) -> str:
        """Say it to people."""
        rate = self.records / self.seconds if self.seconds else 0
        return (
            f"published {self.records:,} records, {self.bytes / 1e6:,.1f} MB in"
            f" {self.seconds:.1f} s ({rate:,.0f}/s)"
        )


async def publish(
    lines: Iterable[bytes], settings: Settings, progress: Callable[[int], None], source: str = ""
) -> Published:
    """Send lines to `reports.raw`, or to the raw topic of a source.

    `progress` is told how many records are acknowledged so far. Raises PublishError, also on
    cancellation, SettingsError and TopicError.
    """
    started = time.monotonic()
    sending = _Sending(BulkSender(settings.topic(raw_of(source)), progress))
    clients = KafkaClients(settings.bootstrap, "refusion-publish")
    try:
        await ensure_topics_of(settings, [raw_of(source)], may_be_unread=True)
        await _make_the_others(settings)
        async with sending.sender.connected(clients):
            await sending.send(lines)
    except (KafkaError, OSError, CancelledError) as error:
        raise PublishError(_explained(error, settings, sending)) from error
    sender = sending.sender
    return Published(sender.acknowledged, sender.acknowledged_bytes, time.monotonic() - started)


async def _make_the_others(settings: Settings) -> None:
    """Make the topics that are missing where we may; what is wrong with one is not our affair.

    So a command that reads them finds them, also before the first worker has started.
    """
    with suppress(TopicError, KafkaError):
        await ensure_topics_of(settings, needed=[], may_be_unread=True)


def _explained(error: BaseException, settings: Settings, sending: "_Sending") -> str:
    match error:
        case CancelledError():
            what = "interrupted"
        case TimeoutError():
            what = (
                f"Kafka at {settings.bootstrap} has acknowledged nothing for {bulk.SILENCE_S:.0f} s"
            )
        case _ if (said := refusal(error, settings.bootstrap)) is not None:
            what = said
        case _ if is_outage(error) and not sending.sender.acknowledged:
            what = explanation(error, settings.bootstrap)
        case _:
            return refused(error, sending.state(), "a batch")
    return f"{what}; {sending.state()}"


def record_key(line: bytes) -> bytes:
    """Return the key of a line: four hex digits."""
    return blake2b(cpr_of_line(line) or line, digest_size=KEY_BYTES).hexdigest().encode()


class _Sending:
    """Lines on their way, and how many of them were read."""

    def __init__(self, sender: BulkSender) -> None:
        self.sender = sender
        self._read = 0

    def state(self) -> str:
        """Say for an error how much was acknowledged and what to do."""
        return (
            f"{self.sender.acknowledged:,} of the {self._read:,} records read so far were"
            " acknowledged, others may have arrived; publish everything again when the cause is"
            " mended: a report that comes again changes nothing"
        )

    async def send(self, lines: Iterable[bytes]) -> None:
        """Send all lines but blank ones, until they are acknowledged."""
        for number, line in enumerate(lines, 1):
            record = line.rstrip(b"\r\n")
            if not record:
                continue
            length = line.length if isinstance(line, CutLine) else len(record)
            if length > MAX_LINE_BYTES:
                raise PublishError(
                    f"line {number} has {length:,} bytes and Kafka takes"
                    f" {MAX_LINE_BYTES:,} at most; take it out; {self.state()}"
                )
            self._read += 1
            await self.sender.add(record_key(record), record)
        await self.sender.finish()
