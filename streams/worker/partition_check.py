"""Checks that the journal has the number of partitions that it was written with.

Partitions can be added to a topic, and then the topic has another number than the one by which
citizens were put into it. A citizen's next report would go to another partition, where nothing is
known of the citizen: weeks would be counted and paid from the beginning. So a worker looks at the
first reports of the journal before it does anything.
"""

from typing import Final

from streams.kafka import topics
from streams.kafka.clients import KafkaClients
from streams.kafka.reading import open_partition
from streams.kit.errors import UnworkableError
from streams.settings import PARTITIONS, Settings
from streams.wire.partitioner import partition_of

CLIENT: Final = "refusion-partitions"
CITIZENS: Final = 20
"""Citizens that are looked at, at most."""
FEW: Final = 4
"""One citizen in so many may be misplaced: a record that nobody of ours wrote. With partitions
added, it is at least one in two."""
FEW_ALONE: Final = 2
"""Misplaced citizens from which it counts: one record of nobody's stops no worker."""
KEY_BYTES: Final = 32
MISPLACED: Final = (
    "the journal was written with another number of partitions than the {partitions} that it has:"
    " citizens would part from their past; stop all workers and see `Partitions that differ` in"
    f" docs/operations.md, and do not change {PARTITIONS.name}"
)


async def check_partitions(settings: Settings) -> None:
    """Raise UnworkableError where citizens of the journal are not in their partitions of today."""
    places = await _places(settings)
    if are_misplaced(places, settings.partitions):
        raise UnworkableError(MISPLACED.format(partitions=settings.partitions))


def are_misplaced(places: dict[bytes, int], partitions: int) -> bool:
    """Return whether citizens, by key, are in other partitions than their keys say.

    >>> are_misplaced({b"8e35727e3d8d2d44a802ca54e344d263": 0}, 1)
    False
    """
    wrong = sum(partition_of(key, partitions) != place for key, place in places.items())
    return wrong >= FEW_ALONE and wrong * FEW > len(places)


async def _places(settings: Settings) -> dict[bytes, int]:
    """Return the partitions of some first citizens."""
    name = settings.topic(topics.REPORTS)
    clients = KafkaClients(settings.bootstrap, CLIENT)
    places: dict[bytes, int] = {}
    for partition in range(settings.partitions):
        async with open_partition(clients, name, partition) as reader:
            async for batch in reader.read(0):
                places |= {
                    record.key: partition
                    for record in batch.records
                    if record.key and len(record.key) == KEY_BYTES
                }
                if places:
                    break
        if len(places) >= CITIZENS:
            break
    return places
