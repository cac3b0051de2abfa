"""Opens both systems of a rekey on Kafka: permission first, then the journal, then the proof.

Who asks needs another person, once for the same keys, prefix and list: a rekey that was stopped, or
that follows again, goes on without being asked for anew.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Container, Mapping
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from domain.basics.weeks import first_day, month_number
from streams.acts.acts import Act, record_act
from streams.acts.confirmed import is_confirmed
from streams.acts.four_eyes import GuardedAct, is_approved, permission
from streams.acts.topic import OpenActTopic, open_act_topic
from streams.acts.writer import ActWriter
from streams.archive.erasure import (
    check_merges,
    check_retention,
    last_day_of,
    merged_with,
    read_list,
    retention_rule,
)
from streams.archive.open_letters import open_letters, told_of
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
from streams.kit.foreign import Foreign
from streams.kit.secrets import secret_in
from streams.operations.key_gate import check_keys
from streams.operations.stated_keys import begin_journal
from streams.settings import Settings, SettingsError
from streams.settings_table import JOURNAL_KEY, PSEUDONYM_KEY, SEAL_KEY
from streams.wire.journal_checks import journal_checks
from streams.wire.partitioner import partition_of
from streams.wire.readers import journal_reader, once_each

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

    def erased(self) -> tuple[dict[str, str], str | None]:
        """Return the citizens to be erased with the reasons, and the digest of their list.

        Both are of one reading: whoever agrees to the digest agrees to these citizens.
        """
        if self.erase is None:
            return {}, None
        content = self.erase.read_bytes()
        return read_list(content, self.erase), _digest(content)


class ProvedSameness(NamedTuple):
    """The outcome of the proof: sentences about what is not the same, and what was compared."""

    wrong: list[str]
    citizens: int
    messages: int
    erased_ore: dict[int, list[int]]
    open_letters: dict[str, int]

    def as_json(self) -> dict[str, Any]:
        """Return it for a program."""
        erased_ore = {str(run): sums for run, sums in self.erased_ore.items()}
        return self._asdict() | {"fine": not self.wrong, "erased_ore": erased_ore}

    def sentence(self) -> str:
        """Say it to people."""
        erased = "".join(
            f"\nrun {run or 'open'}: {refusion / 100:,.2f} kr. refusion and {other / 100:,.2f} kr."
            " medfinansiering were of who was erased"
            for run, (refusion, other) in sorted(self.erased_ore.items())
        )
        behind = f"\n{told}" if (told := told_of(self.open_letters)) else ""
        if self.wrong:
            return "\n".join([*self.wrong, f"{len(self.wrong)} things DIFFER"]) + erased + behind
        return (
            f"{self.messages:,} postings of {self.citizens:,} citizens are the same but for names,"
            f" ids and revisions{erased}{behind}"
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
    warn: Callable[[str], None],
) -> Rekeyed:
    """Write the journal anew. Raises UserErrors, and AwaitingApproval.

    What does not come along is said before anybody is asked for permission.
    """
    new, (erased, digest) = new_settings(settings, asked), asked.erased()
    with explained(settings.bootstrap, RekeyError, advice=AGAIN):
        await check_keys(settings)
        clients = KafkaClients(settings.bootstrap, f"refusion-{NAME}")
        async with open_topics(clients) as reader:
            if erased:
                await check_erasure(settings, reader, erased)
            act = act_of(new, digest)
            await check_prefix(settings, new, act, reader)
            if told := told_of(await open_letters(settings, reader)):
                warn(told)
            await permitted(settings, asked, act)
            await ensure_topics_of(new, needed=(topics.REPORTS,))  # workers may make none
            await begin_journal(new)
            await check_keys(new)
            async with open_atomic_writer(clients, new.prefix + NAME) as writer:
                rekeying = Rekeying(settings, new, erased, reader, writer)
                await rekeying.begin()
                return await rekeying.run(stopping, progress)


def act_of(new: Settings, erase: str | None = None) -> Act:
    """Return the act: its scope has the ids of the keys, and the digest of who is erased."""
    identity = new.identity()
    scope = {
        "prefix": new.prefix,
        "partitions": new.partitions,
        "keys": [identity.pseudonym_key_id, *identity.seal_key_ids, *identity.macs.key_ids],
        "erase": erase,
    }
    return Act(NAME, scope)


async def check_prefix(
    settings: Settings,
    new: Settings,
    act: Act,
    reader: TopicReader,
    open_topic: OpenActTopic = open_act_topic,
) -> None:
    """Raise RekeyError where the new journal was begun with other keys or another list."""
    if not await _has_citizens(new, reader):
        return
    async with open_topic(settings) as topic:
        entries = await ActWriter(settings, topic).entries()
    scopes = [entry.fields["scope"] for entry in entries if is_done(entry.fields, act)]
    if scopes and scopes[-1] != dict(act.scope):
        raise RekeyError(
            f"what is under {new.prefix} was written with other keys, another number of partitions"
            " or another list of who is erased: go on with those, or take another prefix"
        )


def is_done(fields: Mapping[str, Any], act: Act) -> bool:
    """Tell whether a record of `access` says that a rekey into the same prefix was done."""
    is_rekey = (fields["type"], fields.get("act")) == ("act", act.name)
    return is_rekey and fields["scope"].get("prefix") == act.scope["prefix"]


async def _has_citizens(new: Settings, reader: TopicReader) -> bool:
    """Tell whether records of citizens are in the new journal."""
    name = new.topic(topics.REPORTS)
    if not await reader.partitions(name):
        return False
    for partition, end in (await reader.ends(name)).items():
        async with aclosing(reader.records(name, partition, 0, end)) as records:
            async for record in records:
                if record.key:
                    return True
    return False


async def permitted(
    settings: Settings, asked: RekeyRequest, act: Act, open_topic: OpenActTopic = open_act_topic
) -> None:
    """Ask for another person's approval; what was approved before is recorded once more.

    Who carries out a request does that one, also where the same was approved before: else it would
    stay open for ever, and could be carried out again.
    """
    files = {} if asked.erase is None else {str(asked.erase): asked.erase}
    if not is_approved() and await is_confirmed(settings, act, open_topic):
        await record_act(settings, act, open_topic)
    else:
        await permission(settings, GuardedAct(act, asked.command(), files), open_topic)


def _digest(content: bytes) -> str:
    """Return the SHA-256 of a file, in letters alone, so that none looks like a CPR number."""
    digest = sha256(content).hexdigest()
    return digest.translate(str.maketrans("0123456789", "ghijkmnpqr"))


async def check_erasure(settings: Settings, reader: TopicReader, erased: Mapping[str, str]) -> None:
    """Look when the records of each citizen end. Raises ErasureError."""
    today: date = datetime.now(UTC).date()
    name, keys = settings.topic(topics.REPORTS), {citizen.encode() for citizen in erased}
    last_days: dict[str, int] = {}
    others: defaultdict[str, set[str]] = defaultdict(set)
    ends = await reader.ends(name)
    checks = await journal_checks(reader, name, settings.macs())
    for partition in sorted({partition_of(key, len(ends)) for key in keys}):
        entries = journal_reader(name, partition, checks.journal(partition))
        async with aclosing(reader.records(name, partition, 0, ends[partition])) as records:
            async for record in records:
                content = entries.read(record)  # each one: the order tells what is believed
                if record.key in keys and not isinstance(content, Foreign):
                    citizen, last = record.key.decode(), last_day_of(record.value or b"")
                    if other := merged_with(record.value or b""):
                        others[citizen].add(other)
                    last_days[citizen] = max(last, last_days.get(citizen, last))
    for citizen, booked in (await last_booked(settings, reader, keys)).items():
        last_days[citizen] = max(booked, last_days.get(citizen, booked))
    check_merges(erased, others)
    check_retention(erased, last_days, retention_rule(today), today)


async def last_booked(
    settings: Settings, reader: TopicReader, keys: Container[bytes]
) -> dict[str, int]:
    """Return the last day of the last month in whose run something of each citizen was booked.

    A recalculation books long after the last report. What no run has closed yet is of the month
    after the last run's; where none was closed, the reports alone tell.
    """
    found: dict[str, int] = {}
    name = settings.topic(topics.POSTINGS)
    if not await reader.partitions(name):
        return found
    checks = await journal_checks(reader, settings.topic(topics.REPORTS), settings.macs())
    for partition, end in sorted((await reader.ends(name)).items()):
        waiting: set[str] = set()
        month = None
        messages = once_each(name, partition, checks.mac("postings", partition))
        async with (
            aclosing(reader.records(name, partition, 0, end)) as records,
            aclosing(messages.ours(records)) as ours,
        ):
            async for record, _ in ours:
                message = orjson.loads(record.value or b"{}")
                if message["type"] == "run":
                    month = month_number(message["data_month"])
                    found |= dict.fromkeys(waiting, first_day(month + 1) - 1)
                    waiting.clear()
                elif record.key in keys and message["rows"]:
                    waiting.add(message["citizen"])
        if month is not None:
            found |= dict.fromkeys(waiting, first_day(month + 2) - 1)
    return found


# --- the proof ------------------------------------------------------------------------------------


async def prove(settings: Settings, asked: RekeyRequest) -> ProvedSameness:
    """Hold the postings of the new system against those of the old one. Raises UserErrors."""
    new, (erased, _) = new_settings(settings, asked), asked.erased()
    clients = KafkaClients(settings.bootstrap, f"refusion-{NAME}")
    with explained(settings.bootstrap, RekeyError):
        async with open_topics(clients) as reader:
            before = await posted(settings, reader, erased)
            after = await posted(new, reader, {})
            letters = await open_letters(settings, reader)
    erased_ore = {run: sums for run, sums in before.erased_sums.items() if any(sums)}
    wrong = differences(before, after)
    return ProvedSameness(wrong, after.citizens.total(), after.messages, erased_ore, letters)


async def posted(
    settings: Settings, reader: TopicReader, erased: Mapping[str, str]
) -> PostedSystem:
    """Read the postings of a system that count: ours, and each of them once."""
    checks = await journal_checks(reader, settings.topic(topics.REPORTS), settings.macs())
    system, name = PostedSystem(), settings.topic(topics.POSTINGS)
    for partition, end in sorted((await reader.ends(name)).items()):
        reading = PartitionReading(system, erased)
        messages = once_each(name, partition, checks.mac("postings", partition))
        async with (
            aclosing(reader.records(name, partition, 0, end)) as records,
            aclosing(messages.ours(records)) as ours,
        ):
            async for record, _ in ours:
                reading.take(record.value or b"")
        reading.end()
    return system
