"""The key gate: whatever writes with keys first holds them against those of the journal.

With another pseudonym key every citizen would be somebody else, whose weeks are counted and paid
from the beginning; with another seal key nobody could open what is sealed from then on together
with what was; with another journal key nobody would believe what is written. The journal tells:

* its records `keys` state the ids of its keys (`streams.operations.stated_keys` writes them), that
  of the key which marks what we write among them;
* of its first and of its newest records the MACs are ours, the seals open with our keys, and the
  CPR number in each has the citizen's name by our pseudonym key.

Where a record `keys` with a MAC of ours states the keys, nothing else is believed: what has no MAC
of ours, or one by a key that nobody stated, says nothing of our keys, however much there is of it.
Where none does, anybody may have written some of the records, so that most of them decide.
"""

import logging
import re
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import orjson

from domain.citizen.reports import KeysRecord
from streams.engine.ports import Record
from streams.kafka import topics
from streams.kafka.clients import KafkaClients
from streams.kafka.reading import PartitionReader, open_partition
from streams.kit.errors import UnworkableError
from streams.kit.foreign import Foreign
from streams.operations.key_statements import CLIENT, stated_keys, statements
from streams.privacy.identity import Identity, SealError
from streams.privacy.macs import MacKeys, marking_key
from streams.settings import Settings
from streams.settings_table import (
    BOOTSTRAP,
    DEMO_ANYWHERE,
    JOURNAL_KEY,
    PSEUDONYM_KEY,
    SEAL_KEY,
)
from streams.stages.journal_entries import check_marking_keys
from streams.wire.belief import is_marked
from streams.wire.readers import journal_reader

SAMPLES: Final = 20
"""First records of a partition that are looked at, and as many of its newest."""
_SEALED: Final = re.compile(r"k[0-9a-f]{8}\.[A-Za-z0-9_-]{35}")
_LOOPBACK: Final = re.compile(r"(localhost|127(\.[0-9]+){3}|\[::1\])(:[0-9]+)?")

DEMO_KEYS: Final = (
    "the keys are demo keys, which everybody knows: good for fictive persons alone; set"
    f" {PSEUDONYM_KEY.name} and {SEAL_KEY.name} for others"
)

SEALS_UNSTATED: Final = (
    "the first key in %s (%s), which seals, is not one that the journal states. Is it mistyped?"
    " Then nobody else can open what it seals. If it is a new key, have it stated: `refusion keys"
    " state --apply`"
)
log = logging.getLogger("refusion")


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


class Samples(NamedTuple):
    """Some records of a partition."""

    partition: int
    first: list[Record]
    newest: list[Record]


async def check_keys(settings: Settings, *, may_state: bool = False) -> bool:
    """Raise UnworkableError where the journal was written with other keys than ours.

    Returns whether it says whom to believe: it states our keys, or has no records yet. A journal
    without reports fits any keys. Without the keys that name and seal, as for who closes runs, the
    MACs alone are looked at. Who `may_state` keys may have some that are not stated yet.
    """
    check_demo_keys(settings)
    gate = KeyGate(settings.macs(), settings.identity() if settings.has_keys else None)
    clients = KafkaClients(settings.bootstrap, f"refusion-{CLIENT}")
    name = settings.topic(topics.REPORTS)
    samples: list[Samples] = []
    for partition in range(settings.partitions):
        async with open_partition(clients, name, partition) as reader:
            first = await _records(reader, 0)
            newest = await _records(reader, max(0, reader.end - SAMPLES))
        samples.append(Samples(partition, first, newest))
    is_in_doubt = any(gate.is_in_doubt(*each) for each in samples)
    is_in_doubt = is_in_doubt or bool(gate.unstated(samples) or gate.unstated_seal(samples))
    stated = await statements(settings) if is_in_doubt else []
    for each in samples:
        gate.look_at(*each, stated)
    if not may_state and (key_id := gate.unstated(samples, stated)):
        raise _unstated(key_id)
    if not may_state and (key_id := gate.unstated_seal(samples, stated)):
        log.warning(SEALS_UNSTATED, SEAL_KEY.name, key_id)
    return bool(stated) or not is_in_doubt


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

    def is_in_doubt(
        self, partition: int, first: Sequence[Record], newest: Sequence[Record]
    ) -> bool:
        """Tell whether these records leave open which keys the journal states.

        They do where none of the first states ours, or where a key that is not ours has marked some
        of the newest: with a key that was stated later, or by somebody else.
        """
        if not first:
            return False
        mac = self._macs.at("reports", partition)
        is_stated = any(stated_keys(record) and is_marked(mac, record) for record in first)
        return not is_stated or any(self._is_of_others(record) for record in newest)

    def unstated(self, samples: Iterable[Samples], stated: Iterable[KeysRecord] = ()) -> str | None:
        """Return the id of the key that marks what we write, where the journal does not state it.

        A record of ours that it marked tells that it was stated: nobody marks with it before.
        """
        by_us = self._by_us(samples)
        told = [*stated, *filter(None, map(stated_keys, by_us))]
        known = {key_id for keys in told for key_id in keys.journal_keys}
        known.update(filter(None, (marking_key(record.headers) for record in by_us)))
        return self._macs.key_id if told and self._macs.key_id not in known else None

    def unstated_seal(
        self, samples: Iterable[Samples], stated: Iterable[KeysRecord] = ()
    ) -> str | None:
        """Return the id of the key that seals, where the journal states keys and not this one."""
        told = [*stated, *filter(None, map(stated_keys, self._by_us(samples)))]
        if self._identity is None or not told:
            return None
        first = self._identity.seal_key_ids[0]
        return None if any(first in keys.seal_keys for keys in told) else first

    def _by_us(self, samples: Iterable[Samples]) -> list[Record]:
        return [
            record
            for partition, first, newest in samples
            for record in (*first, *newest)
            if is_marked(self._macs.at("reports", partition), record)
        ]

    def look_at(
        self,
        partition: int,
        first: Sequence[Record],
        newest: Sequence[Record],
        stated: Sequence[KeysRecord] = (),
    ) -> None:
        """Look at some records of a partition; `stated` is what states our keys elsewhere.

        Raises UnworkableError.
        """
        mac = self._macs.at("reports", partition)
        ours = [record for record in (*first, *newest) if is_marked(mac, record)]
        stated = [*stated, *filter(None, map(stated_keys, ours))]
        if stated:
            self._check_stated(stated)
            if self._identity is not None:
                check_samples(self._identity, ours, most=False)
            return
        self._check_unstated(
            [record for record in first if _may_be_ours(record, partition)],
            [record for record in newest if _may_be_ours(record, partition)],
        )

    def _check_stated(self, stated: Sequence[KeysRecord]) -> None:
        for keys in stated:
            if self._identity is not None:
                check_stated(self._identity, keys)
            check_marking_keys(self._macs.key_ids, keys)

    def _check_unstated(self, first: Sequence[Record], newest: Sequence[Record]) -> None:
        """Check records of a journal of which nothing with a MAC of ours states the keys."""
        others = [record for record in newest if self._is_of_others(record)]
        begins = next(filter(None, map(stated_keys, first[:1])), None)
        if begins is not None and self._identity:
            # said first: the key that marks may be derived from this one
            check_pseudonym(self._identity, begins)
        if begins is not None or 2 * len(others) > len(newest):
            raise UnworkableError(
                f"{JOURNAL_KEY.name} is not the key that the journal was written with: nobody would"
                " believe what this program writes; set that key, or, where no record of yours is"
                " in the journal yet, begin another under another REFUSION_PREFIX"
            )
        if self._identity is not None:
            check_samples(self._identity, first, most=True)
            check_samples(self._identity, newest, most=True)

    def _is_of_others(self, record: Record) -> bool:
        """Tell whether a record has a MAC by a key that is not ours."""
        key_id = marking_key(record.headers)
        return key_id is not None and key_id not in self._macs.key_ids


def _may_be_ours(record: Record, partition: int) -> bool:
    """Tell whether a record tells of keys; one that states keys has a MAC, by whatever key."""
    if record.key:
        return _sample(record) is not None
    entry = journal_reader("", partition).read(record)
    if isinstance(entry, Foreign):
        return False
    return not isinstance(entry.report, KeysRecord) or marking_key(record.headers) is not None


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


def _unstated(key_id: str) -> UnworkableError:
    return UnworkableError(
        f"the first key in {JOURNAL_KEY.name} ({key_id}) is not one that the journal states: nobody"
        " would believe what this program writes. Is it mistyped? If it is a new key, put it behind"
        " one that is stated, on every machine, and have it stated: `refusion keys state --apply`"
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
