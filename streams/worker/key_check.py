"""Checks that the keys are those that the journal was written with, before a worker does anything.

With another pseudonym key every citizen would be somebody else, whose weeks are counted and paid
from the beginning; with another seal key nobody could open what is sealed from then on together
with what was. An accepted report tells: its seal opens with one of our keys, and the CPR number in
it has the citizen's name by our pseudonym key.
"""

import re
from typing import Final

import orjson

from streams.kafka import topics
from streams.kafka.clients import KafkaClients
from streams.kafka.reading import open_partition
from streams.kit.errors import UnworkableError
from streams.privacy.identity import Identity, SealError
from streams.settings import PSEUDONYM_KEY, SEAL_KEY, Settings

CLIENT: Final = "keys"
SAMPLES: Final = 20
"""Reports of the journal that are looked at, at most."""
_SEALED: Final = re.compile(r"k[0-9a-f]{8}\.[A-Za-z0-9_-]{35}")


async def check_keys(settings: Settings) -> None:
    """Raise UnworkableError where the journal was written with other keys.

    A journal without reports fits any keys.
    """
    identity, refusal = settings.identity(), None
    for citizen, sealed in await _samples(settings):
        try:
            check_sample(identity, citizen, sealed)
        except UnworkableError as error:
            refusal = error
        else:
            return
    if refusal is not None:
        raise refusal


def check_sample(identity: Identity, citizen: str, sealed: str) -> None:
    """Raise UnworkableError where a citizen of the journal is not ours."""
    try:
        cpr = identity.unseal(citizen, sealed)
    except SealError:
        raise UnworkableError(
            f"the CPR numbers of the journal are sealed with a key ({sealed.partition('.')[0]})"
            f" that is not in {SEAL_KEY.name}: set the keys that it was written with, the newest"
            " first"
        ) from None
    if identity.of(cpr)[0] != citizen:
        raise UnworkableError(
            f"{PSEUDONYM_KEY.name} is not the key that the journal was written with: every"
            " citizen would become another and be paid anew; set that key, or make everything anew"
            " under another REFUSION_PREFIX"
        )


async def _samples(settings: Settings) -> list[tuple[str, str]]:
    """Return citizen and sealed CPR of some first reports: one alone might not be ours."""
    name = settings.topic(topics.REPORTS)
    clients = KafkaClients(settings.bootstrap, f"refusion-{CLIENT}")
    samples: list[tuple[str, str]] = []
    for partition in range(settings.partitions):
        async with open_partition(clients, name, partition) as reader:
            async for batch in reader.read(0):
                samples += [
                    sample
                    for record in batch.records
                    if (sample := _read(record.key, record.value))
                ]
                if len(samples) >= SAMPLES:
                    return samples[:SAMPLES]
    return samples


def _read(key: bytes | None, value: bytes | None) -> tuple[str, str] | None:
    try:
        sealed = orjson.loads(value or b"")["cpr_sealed"]
        return ((key or b"").decode(), sealed) if _SEALED.fullmatch(sealed) else None
    except (ValueError, KeyError, TypeError):
        return None
