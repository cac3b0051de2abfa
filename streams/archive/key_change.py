"""Opens both systems of a rekey on Kafka: permission first, then the journal, then the proof.

Who asks needs another person, once for the same keys, prefix and list: a rekey that was stopped, or
that follows again, goes on without being asked for anew.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, date, datetime
from hashlib import file_digest
from pathlib import Path
from typing import Any, Final, NamedTuple

from streams.acts.acts import Act
from streams.acts.four_eyes import GuardedAct, is_confirmed, permission
from streams.archive.erasure import (
    check_retention,
    last_day_of,
    read_list,
    retention_rule,
)
from streams.archive.rekey import AGAIN, Rekeyed, RekeyError, Rekeying
from streams.archive.restore import under_prefix
from streams.archive.sameness import PartitionReading, PostedSystem, differences
from streams.kafka import topics
from streams.kafka.clients import KafkaClients
from streams.kafka.copy_writer import open_atomic_writer
from streams.kafka.errors import explained
from streams.kafka.reading import TopicReader, open_topics
from streams.kafka.rights import JOURNAL_WRITER
from streams.kafka.topic_layout import ensure_topics_of
from streams.kit.secrets import secret_in
from streams.operations.key_gate import check_keys
from streams.operations.stated_keys import begin_journal
from streams.settings import Settings, SettingsError
from streams.settings_table import JOURNAL_KEY, PSEUDONYM_KEY, SEAL_KEY
from streams.wire.belief import is_marked
from streams.wire.partitioner import partition_of

NAME: Final = JOURNAL_WRITER
KEY: Final = 32
"""Bytes of a key."""


class RekeyRequest(NamedTuple):
    """A request to write the journal anew; keys are files, None keeps what there is."""

    prefix: str
    partitions: int | None = None
    pseudonym_key: Path | None = None
    seal_key: Path | None = None
    journal_key: Path | None = None
    erase: Path | None = None

    def command(self) -> list[str]:
        """Return the arguments of `refusion` with which it is asked for again."""
        options = {
            "--partitions": self.partitions,
            "--new-pseudonym-key": self.pseudonym_key,
            "--new-seal-key": self.seal_key,
            "--new-journal-key": self.journal_key,
            "--erase": self.erase,
        }
        given = [f"{name}={value}" for name, value in options.items() if value is not None]
        return [NAME, f"--to-prefix={self.prefix}", *given]

    def erased(self) -> dict[str, str]:
        """Return the citizens to be erased, with the reasons."""
        return {} if self.erase is None else read_list(self.erase)


class ProvedSameness(NamedTuple):
    """The outcome of the proof: sentences about what is not the same, and what was compared."""

    wrong: list[str]
    citizens: int
    messages: int
    erased_ore: dict[int, list[int]]

    def as_json(self) -> dict[str, Any]:
        """Return it for a program."""
        return self._asdict() | {"fine": not self.wrong}

    def sentence(self) -> str:
        """Say it to people."""
        erased = "".join(
            f"\nrun {run or 'open'}: {refusion / 100:,.2f} kr. refusion and {other / 100:,.2f} kr."
            " medfinansiering were of who was erased"
            for run, (refusion, other) in sorted(self.erased_ore.items())
        )
        if self.wrong:
            return "\n".join([*self.wrong, f"{len(self.wrong)} things DIFFER"]) + erased
        return (
            f"{self.messages:,} postings of {self.citizens:,} citizens are the same but for names,"
            f" ids and revisions{erased}"
        )


def new_settings(settings: Settings, asked: RekeyRequest) -> Settings:
    """Return the settings of the new system. Raises UserError."""
    if asked.prefix in {settings.prefix, settings.journal_prefix}:
        raise RekeyError("--to-prefix is the prefix of the old journal: give another one")
    new = under_prefix(settings, asked.prefix, asked.partitions or settings.partitions)
    files = {
        PSEUDONYM_KEY.name: asked.pseudonym_key,
        SEAL_KEY.name: asked.seal_key,
        JOURNAL_KEY.name: asked.journal_key,
    }
    keys = {name: _key(path, name) for name, path in files.items() if path is not None}
    return replace(
        new, values={**new.values, **{name: (key, "file") for name, key in keys.items()}}
    )


def _key(path: Path, name: str) -> str:
    """Return a new key. Raises SettingsError, which holds nothing of it."""
    text = secret_in(path, f"the new {name}")
    try:
        if len(bytes.fromhex(text)) == KEY:
            return text
    except ValueError:
        pass
    raise SettingsError(f"{path}, the new {name}, must hold {2 * KEY} hex digits")


async def rekey(
    settings: Settings,
    asked: RekeyRequest,
    stopping: asyncio.Event,
    progress: Callable[[int], None],
) -> Rekeyed:
    """Write the journal anew. Raises UserErrors, and AwaitingApproval."""
    new, erased = new_settings(settings, asked), asked.erased()
    with explained(settings.bootstrap, RekeyError, advice=AGAIN):
        await check_keys(settings)
        clients = KafkaClients(settings.bootstrap, f"refusion-{NAME}")
        async with open_topics(clients) as reader:
            if erased:
                await _check_erasure(settings, reader, erased)
            await _permitted(settings, new, asked)
            await ensure_topics_of(new, (topics.REPORTS,))
            await begin_journal(new)
            async with open_atomic_writer(clients, new.prefix + NAME) as writer:
                rekeying = Rekeying(settings, new, erased, reader, writer)
                await rekeying.begin()
                return await rekeying.run(stopping, progress)


async def _permitted(settings: Settings, new: Settings, asked: RekeyRequest) -> None:
    """Ask for another person's approval, unless these keys and this list were approved before."""
    identity = new.identity()
    scope = {
        "prefix": new.prefix,
        "partitions": new.partitions,
        "keys": [identity.pseudonym_key_id, *identity.seal_key_ids, *identity.macs.key_ids],
        "erase": None if asked.erase is None else _digest(asked.erase),
    }
    files = {} if asked.erase is None else {str(asked.erase): asked.erase}
    act = Act(NAME, scope)
    if not await is_confirmed(settings, act):
        await permission(settings, GuardedAct(act, asked.command(), files))


def _digest(path: Path) -> str:
    """Return the SHA-256 of a file, in letters alone, so that none looks like a CPR number."""
    with path.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    return digest.translate(str.maketrans("0123456789", "ghijkmnpqr"))


async def _check_erasure(
    settings: Settings, reader: TopicReader, erased: Mapping[str, str]
) -> None:
    """Look when the records of each citizen end. Raises ErasureError."""
    today: date = datetime.now(UTC).date()
    name, keys = settings.topic(topics.REPORTS), {citizen.encode() for citizen in erased}
    last_days: dict[str, int] = {}
    ends = await reader.ends(name)
    for partition in sorted({partition_of(key, len(ends)) for key in keys}):
        mac = settings.macs().at("reports", partition)
        async with aclosing(reader.records(name, partition, 0, ends[partition])) as records:
            async for record in records:
                if record.key in keys and is_marked(mac, record):
                    citizen, last = record.key.decode(), last_day_of(record.value or b"")
                    last_days[citizen] = max(last, last_days.get(citizen, last))
    check_retention(erased, last_days, retention_rule(today), today)


# --- the proof ------------------------------------------------------------------------------------


async def prove(settings: Settings, asked: RekeyRequest) -> ProvedSameness:
    """Hold the postings of the new system against those of the old one. Raises UserErrors."""
    new, erased = new_settings(settings, asked), asked.erased()
    clients = KafkaClients(settings.bootstrap, f"refusion-{NAME}")
    with explained(settings.bootstrap, RekeyError):
        async with open_topics(clients) as reader:
            before = await _posted(settings, reader, erased)
            after = await _posted(new, reader, {})
    erased_ore = {run: sums for run, sums in before.erased_sums.items() if any(sums)}
    wrong = differences(before, after)
    return ProvedSameness(wrong, after.citizens.total(), after.messages, erased_ore)


async def _posted(
    settings: Settings, reader: TopicReader, erased: Mapping[str, str]
) -> PostedSystem:
    system, name = PostedSystem(), settings.topic(topics.POSTINGS)
    for partition, end in sorted((await reader.ends(name)).items()):
        reading = PartitionReading(system, erased)
        mac = settings.macs().at("postings", partition)
        async with aclosing(reader.records(name, partition, 0, end)) as records:
            async for record in records:
                if is_marked(mac, record):
                    reading.take(record.value or b"")
        reading.end()
    return system
