"""The key gate: whatever writes with keys first holds them against those of the journal.

With another pseudonym key every citizen would be somebody else, whose weeks are counted and paid
from the beginning; with another seal key nobody could open what is sealed from then on together
with what was; with another journal key nobody would believe what is written. The journal tells:

* its record `keys` states the ids of its keys (`streams.operations.stated_keys` writes it);
* of its first and of its newest records the MACs are ours, the seals open with our keys, and the
  CPR number in each has the citizen's name by our pseudonym key.

Where the journal is checked, what has no MAC of ours says nothing of our keys. Elsewhere anybody
may have written some of the records, so that most of them decide.
"""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

import orjson

from domain.citizen.reports import KeysRecord
from streams.engine.ports import Record
from streams.kafka import topics
from streams.kafka.clients import KafkaClients
from streams.kafka.reading import PartitionReader, open_partition
from streams.kit.errors import UnworkableError
from streams.kit.foreign import Foreign
from streams.privacy.identity import Identity, SealError
from streams.privacy.macs import MacKeys, has_mac
from streams.settings import Settings
from streams.settings_table import (
    BOOTSTRAP,
    DEMO_ANYWHERE,
    JOURNAL_KEY,
    PSEUDONYM_KEY,
    SEAL_KEY,
)
from streams.wire.readers import journal_reader

CLIENT: Final = "keys"
SAMPLES: Final = 20
"""First records of a partition that are looked at, and as many of its newest."""
_SEALED: Final = re.compile(r"k[0-9a-f]{8}\.[A-Za-z0-9_-]{35}")
_LOOPBACK: Final = re.compile(r"(localhost|127(\.[0-9]+){3}|\[::1\])(:[0-9]+)?")

DEMO_KEYS: Final = (
    "the keys are demo keys, which everybody knows: good for fictive persons alone; set"
    f" {PSEUDONYM_KEY.name} and {SEAL_KEY.name} for others"
)


class _Sample(NamedTuple):
    """A sample is what a record of the journal tells of the keys it was written with."""

    citizen: str
    sealed: str


def check_demo_keys(settings: Settings) -> None:
    """Raise UnworkableError where the demo keys are used for brokers of another machine."""
    if not settings.has_demo_keys or settings.demo_anywhere:
        return
    if not all(_LOOPBACK.fullmatch(broker.strip()) for broker in settings.bootstrap.split(",")):
        raise UnworkableError(
            f"{BOOTSTRAP.name} is another machine's, and {DEMO_KEYS} ({DEMO_ANYWHERE.name}=1 takes"
            " the demo keys for any broker)"
        )


async def check_keys(settings: Settings) -> None:
    """Raise UnworkableError where the journal was written with other keys than ours.

    A journal without reports fits any keys. Without the keys that name and seal, as for who closes
    runs, the MACs alone are looked at.
    """
    check_demo_keys(settings)
    gate = KeyGate(settings.macs(), settings.identity() if settings.has_keys else None)
    clients = KafkaClients(settings.bootstrap, f"refusion-{CLIENT}")
    for partition in range(settings.partitions):
        name = settings.topic(topics.REPORTS)
        async with open_partition(clients, name, partition) as reader:
            first = await _records(reader, 0)
            newest = await _records(reader, max(0, reader.end - SAMPLES))
        gate.look_at(partition, first, newest)


async def _records(reader: PartitionReader, start: int) -> list[Record]:
    """Some records of a partition from an offset on."""
    records: list[Record] = []
    async for batch in reader.read(start):
        records += batch.records
        if len(records) >= SAMPLES:
            break
    return records[:SAMPLES]


class KeyGate:
    """The gate holds records of one partition after the other against our keys."""

    def __init__(self, macs: MacKeys, identity: Identity | None) -> None:
        self._macs = macs
        self._identity = identity

    def look_at(self, partition: int, first: Sequence[Record], newest: Sequence[Record]) -> None:
        """Look at some records of a partition. Raises UnworkableError."""
        mac = self._macs.at("reports", partition)
        first = [record for record in first if _may_be_ours(record, partition)]
        newest = [record for record in newest if _may_be_ours(record, partition)]
        stated = [keys for record in first if (keys := stated_keys(record))]
        begins_stated = bool(first) and stated_keys(first[0]) is not None
        ours = [
            record
            for record in (*first, *newest)
            if mac.is_of(record.key, record.value, record.headers)
        ]
        if self._identity and stated:  # said first: the key that marks may be derived from this one
            check_pseudonym(self._identity, stated[0])
        if (begins_stated and first[0] not in ours) or _are_of_others(newest, ours):
            raise UnworkableError(
                f"{JOURNAL_KEY.name} is not the key that the journal was written with: nobody would"
                " believe what this program writes; set that key"
            )
        if self._identity is None:
            return
        if begins_stated:
            check_stated(self._identity, stated[0])
            check_samples(self._identity, ours, most=False)
        else:
            check_samples(self._identity, first, most=True)
            check_samples(self._identity, newest, most=True)


def _are_of_others(newest: Sequence[Record], ours: Sequence[Record]) -> bool:
    """Tell whether most of the newest records have a MAC by a key that is not ours."""
    others = [record for record in newest if has_mac(record.headers) and record not in ours]
    return 2 * len(others) > len(newest)


def _may_be_ours(record: Record, partition: int) -> bool:
    """Tell whether a record tells of keys; one that states keys has a MAC, by whatever key."""
    if record.key:
        return _sample(record) is not None
    entry = journal_reader("", partition).read(record)
    if isinstance(entry, Foreign):
        return False
    return not isinstance(entry.report, KeysRecord) or has_mac(record.headers)


def stated_keys(record: Record) -> KeysRecord | None:
    """The keys that a record of the journal states; None for any other record."""
    if record.key or b'"keys"' not in (record.value or b""):
        return None
    entry = journal_reader("", 0).read(record)
    if isinstance(entry, Foreign) or not isinstance(entry.report, KeysRecord):
        return None
    return entry.report


def check_pseudonym(identity: Identity, stated: KeysRecord) -> None:
    """Raise UnworkableError where a journal states another key that names persons."""
    if stated.pseudonym_key != identity.pseudonym_key_id:
        raise _other_pseudonyms()


def check_stated(identity: Identity, stated: KeysRecord) -> None:
    """Raise UnworkableError where a journal states other keys."""
    check_pseudonym(identity, stated)
    if missing := sorted(set(stated.seal_keys) - set(identity.seal_key_ids)):
        raise _other_seals(missing[0])


def check_samples(identity: Identity, records: Sequence[Record], *, most: bool) -> None:
    """Raise UnworkableError where reports are of other keys: one of them, or `most`."""
    samples = [sample for record in records if (sample := _sample(record))]
    errors = [error for sample in samples if (error := _misfit(identity, sample))]
    if errors and (not most or 2 * len(errors) > len(samples)):
        raise errors[0]


def _misfit(identity: Identity, sample: _Sample) -> UnworkableError | None:
    """Say that a citizen of the journal is not ours."""
    try:
        cpr = identity.unseal(sample.citizen, sample.sealed)
    except SealError:
        return _other_seals(sample.sealed.partition(".")[0])
    return None if identity.of(cpr)[0] == sample.citizen else _other_pseudonyms()


def _other_seals(key_id: str) -> UnworkableError:
    return UnworkableError(
        f"the CPR numbers of the journal are sealed with a key ({key_id}) that is not in"
        f" {SEAL_KEY.name}: set the keys that it was written with, the newest first"
    )


def _other_pseudonyms() -> UnworkableError:
    return UnworkableError(
        f"{PSEUDONYM_KEY.name} is not the key that the journal was written with: every citizen"
        " would become another and be paid anew; set that key, or make everything anew under"
        " another REFUSION_PREFIX"
    )


def _sample(record: Record) -> _Sample | None:
    """Return citizen and sealed CPR of a report; None for what has none."""
    try:
        sealed = orjson.loads(record.value or b"")["cpr_sealed"]
        citizen = (record.key or b"").decode()
        return _Sample(citizen, sealed) if _SEALED.fullmatch(sealed) else None
    except (ValueError, KeyError, TypeError):
        return None
