"""States the keys of a journal in it: a record `keys` in every partition, in one transaction.

From its place on, a record of the journal counts only if it has a MAC. The first intake writes it
into a journal that is empty, so that a new journal is checked from its beginning. One that an
earlier version began is checked from where an operator states its keys, when every program that
writes to it is of a version that makes MACs: `refusion keys state --apply`.

Another key marks from when the journal states it: in a record that a key which is stated already
has marked. So nobody else can state keys, and who lacks the new key knows that it is missing. An
operator says so with the same command, and another person approves it: a start alone states no
further key, for then a mistyped one would be the journal's for ever.
"""

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Final, NamedTuple
from uuid import uuid4

from domain.citizen.reports import KeysRecord
from streams.acts.acts import Act
from streams.acts.four_eyes import GuardedAct, permission
from streams.engine.ports import Headers
from streams.kafka import topics
from streams.kafka.clients import KafkaClients
from streams.kafka.control import (
    ControlRecord,
    OvertakenError,
    UnconfirmedError,
    UnwrittenError,
    control_writer,
)
from streams.kafka.errors import explained
from streams.kafka.groups import makes_macs
from streams.kafka.reading import KafkaTopicReader, Offsets, TopicReader, open_topics
from streams.kafka.rights import STAGES
from streams.kit.errors import UserError
from streams.operations.key_gate import check_keys
from streams.operations.key_statements import CLIENT, statements
from streams.privacy.macs import MacKeys
from streams.settings import Settings
from streams.settings_table import PSEUDONYM_KEY, SEAL_KEY
from streams.wire import journal
from streams.wire.cloudevents import event_headers
from streams.wire.journal_checks import beginning, stated_from

AGAIN_S: Final = 0.5
"""Seconds until a writer that another one overtook looks again."""
KEYS_EVENT: Final = b"refusion.keys"
_LETTERS: Final = str.maketrans("0123456789", "ghijkmnpqr")


class UnstatedError(UserError):
    """The keys cannot be stated; the message says why and what to do."""


def keys_record(settings: Settings) -> KeysRecord:
    """The record that states our keys; its id has letters alone, so that none looks like a CPR."""
    identity = settings.identity()
    return KeysRecord(
        uuid4().hex[:12].translate(_LETTERS),
        identity.pseudonym_key_id,
        identity.seal_key_ids,
        identity.macs.key_ids,
        settings.has_demo_keys,
    )


async def begin_journal(settings: Settings) -> None:
    """State our keys in a journal that has no record of ours yet; any other is left as it is.

    Whatever writes to the journal asks for it first. Where a worker without MACs takes reports in,
    the keys stay unstated: see `state_keys`. Raises UnstatedError where the keys that name and
    seal, which have to be stated, are not set.
    """
    clients = KafkaClients(settings.bootstrap, f"refusion-{CLIENT}")
    async with open_topics(clients) as topics_read:
        while await _is_empty(settings, topics_read):
            if await _unmarked(topics_read, settings.group(topics.INTAKE)):
                return
            if not settings.has_keys:
                raise UnstatedError(
                    "the journal does not state the keys that it is to be written with: start"
                    f" `refusion worker intake`, or set {PSEUDONYM_KEY.name} and {SEAL_KEY.name}"
                )
            try:
                await _write(settings, clients, settings.macs(), topics_read)
            except UnwrittenError:
                raise  # a broker that gives no id now would be asked without end
            except (OvertakenError, UnconfirmedError):
                await asyncio.sleep(AGAIN_S)


class KeysStated(NamedTuple):
    """Our keys by their ids, and from where on the journal is checked by them."""

    keys: KeysRecord
    checked_from: Offsets
    written: bool


async def state_keys(settings: Settings, *, apply: bool) -> KeysStated:
    """Look where the keys are stated; with `apply` state those that are not, with permission.

    Raises UserError where the journal has other keys, or where workers that make no MACs are at
    work: what they write would not be believed from then on. Raises AwaitingApproval.
    """
    clients = KafkaClients(settings.bootstrap, f"refusion-{CLIENT}")
    with explained(settings.bootstrap, UnstatedError, advice="ask again"):
        await check_keys(settings, may_state=True)
        async with open_topics(clients) as topics_read:
            journal = settings.topic(topics.REPORTS)
            places = await stated_from(topics_read, journal, settings.macs())
            marking: MacKeys | None = settings.macs()
            if places:
                marking = await _marking_a_rotation(settings)
            elif apply:
                await _check_workers(settings, topics_read)
        if marking is None or not apply:
            return KeysStated(keys_record(settings), places, written=False)
        await permission(settings, _guarded(settings))
        try:
            written = await _write(settings, clients, marking)
        except (OvertakenError, UnconfirmedError):
            raise UnstatedError("the keys may be stated by now, or not: ask again") from None
        return KeysStated(keys_record(settings), places or written, written=True)


async def _marking_a_rotation(settings: Settings) -> MacKeys | None:
    """Return the keys to mark with where the journal states some of ours, but not all of them."""
    macs, told = settings.macs(), await statements(settings)
    stated = {key_id for keys in told for key_id in (*keys.journal_keys, *keys.seal_keys)}
    known = [key_id for key_id in macs.key_ids if key_id in stated]
    ours = {*macs.key_ids, *settings.identity().seal_key_ids}
    return None if ours <= stated else macs.marking_with(known[0])


def _guarded(settings: Settings) -> GuardedAct:
    keys = keys_record(settings)
    scope = {"seal_keys": sorted(keys.seal_keys), "journal_keys": sorted(keys.journal_keys)}
    act = Act(f"{CLIENT} state", scope | {"pseudonym_key": keys.pseudonym_key, "demo": keys.demo})
    return GuardedAct(act, [CLIENT, "state", "--apply"])


async def _check_workers(settings: Settings, topics_read: KafkaTopicReader) -> None:
    for stage in STAGES:
        if number := await _unmarked(topics_read, settings.group(stage)):
            raise UnstatedError(
                f"{number} workers of a version without MACs are at work on {stage}: what they"
                " write would not be believed once the keys are stated; upgrade all of them first"
            )


async def _unmarked(topics_read: KafkaTopicReader, group: str) -> int:
    """Count the members of a group that make no MACs."""
    return sum(not makes_macs(member) for member in await topics_read.members(group))


async def _write(
    settings: Settings,
    clients: KafkaClients,
    marking: MacKeys,
    topics_read: TopicReader | None = None,
) -> Offsets:
    """Write the record; with `topics_read`, nothing where another writer has made it needless."""
    name = f"{settings.journal_prefix}{CLIENT}"
    async with control_writer(clients, marking, name, CLIENT) as writer:
        if topics_read is not None and not await _is_empty(settings, topics_read):
            return {}
        at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        record = keys_record(settings)
        control = ControlRecord(journal.encode_control(record, at), _headers(record, at))
        return await writer.write(settings.topic(topics.REPORTS), settings.partitions, [control])


def _headers(record: KeysRecord, at: str) -> Headers:
    return event_headers(f"keys/{record.id}".encode(), KEYS_EVENT, b"refusion/keys", at)


async def _is_empty(settings: Settings, topics_read: TopicReader) -> bool:
    """Tell whether the journal has no record of ours; what nobody can read is none."""
    topic, macs = settings.topic(topics.REPORTS), settings.macs()
    for partition, end in (await topics_read.ends(topic)).items():
        if not end:
            continue
        async with aclosing(topics_read.records(topic, partition, 0, end)) as records:
            how, _ = await beginning(macs.at("reports", partition), records)
        if how != "nothing":
            return False
    return True
