"""Counts the dead letters that a rekey leaves behind.

The new journal is made from the old one alone. What settling refused is in that one, comes along
and is settled again; what intake refused is in no journal: it stays in the old topic, sealed by the
old key, and nothing of it is seen in the new system.
"""

from collections import Counter
from collections.abc import Mapping
from contextlib import aclosing

from streams.kafka import topics
from streams.kafka.reading import KafkaTopicReader
from streams.kafka.topics import is_raw
from streams.operations.dead_letters import OUR_FAULTS, DeadLetterReader, Letter, Wanted
from streams.settings import Settings


async def open_letters(settings: Settings, reader: KafkaTopicReader) -> dict[str, int]:
    """Count by reason the letters of raw records that nobody has sent again."""
    name, raw = settings.topic(topics.DEAD_LETTERS), settings.topic(topics.RAW)
    if not await reader.partitions(name):
        return {}
    letters, found = DeadLetterReader(settings, reader), list[Letter]()
    async with aclosing(letters.fitting(Wanted(), await reader.starts(name))) as kept:
        async for letter in kept:
            if is_raw(letter.source.rsplit("/", 2)[0], raw):
                found.append(letter._replace(sealed=b""))
    again = await letters.sent_again(found)
    return dict(Counter(each.reason for each in found if each.place not in again).most_common())


def told_of(letters: Mapping[str, int]) -> str:
    """Say what stays behind and what to do; "" where nothing does."""
    if not letters:
        return ""
    reasons = ", ".join(f"{number:,} {reason}" for reason, number in letters.items())
    ours = sum(number for reason, number in letters.items() if reason in OUR_FAULTS)
    return (
        f"{sum(letters.values()):,} dead letters of raw records are open ({reasons}) and do not"
        " come along: before the switch have these reports published again"
        + (", and send those of a defect with `refusion dead-letters retry`" if ours else "")
        + "; the new system knows nothing of them"
    )
