"""Sends dead letters again: the same bytes, to the topic that each came from."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from streams.kafka import topics
from streams.kafka.clients import acknowledged
from streams.kafka.errors import KafkaError, explanation
from streams.kafka.topics import LARGE_BYTES, is_raw
from streams.operations.dead_letters import (
    OUR_FAULTS,
    DeadLetterReader,
    Letter,
    RefusalError,
    clients_of,
    unsealed,
)
from streams.operations.key_gate import check_keys
from streams.operations.publish import record_key
from streams.settings import Settings
from streams.stages.dead_letter import FIRST, RETRY_OF
from streams.wire.merge_records import merge_in
from streams.wire.rejections import FOREIGN_RECORD

SEND_S: Final = 30.0
"""Seconds for one request that sends a record again."""


class Sent(NamedTuple):
    """A letter that was sent again, and where its record is now."""

    letter: Letter
    place: str


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
        async with clients_of(settings, SEND_S).producer(
            enable_idempotence=True, max_request_size=LARGE_BYTES, compression_type="zstd"
        ) as producer:
            for letter, (topic, partition, key, value, headers) in zip(
                letters, messages, strict=True
            ):
                again = producer.send_and_wait(
                    topic, value, key, partition=partition, headers=headers
                )
                (done,) = await acknowledged([again])
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
    marks: list[tuple[str, bytes]] = [
        (RETRY_OF, place.encode()),
        (FIRST, (letter.first or place).encode()),
    ]
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
