"""The topics and how long each is kept: created where missing, refused where they would lose data.

Source: contract section 1. What a topic needs to be correct is set on the topic itself and never
left to the cluster's defaults, which are made for another purpose (kept 7 days, one replica).
"""

import asyncio
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    NoError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    for_code,
)

from streams.kafka.clients import KafkaClients
from streams.kafka.errors import missing_right
from streams.kafka.security import logon_at
from streams.kafka.topic_settings import (
    BROKERS_TIME,
    FOR_EVER,
    Effect,
    Existing,
    TopicDifference,
    differences,
    enough_replicas,
    sentence,
    uneven,
)
from streams.kit.errors import UserError

DAY_MS: Final = 24 * 60 * 60 * 1000
RAW_BYTES: Final = 1024 * 1024
"""Bytes of the largest raw record, compressed. Reports over 64 KiB become dead letters, for which
they must get in first."""
LARGE_BYTES: Final = 8 * 1024 * 1024
"""Bytes of the largest message: a correction of a whole life, or a dead letter of the largest raw
record, sealed."""
CHANGELOG_SEGMENT_BYTES: Final = 64 * 1024 * 1024
"""Bytes of a segment of the changelog. Kafka compacts only what is before the newest segment: small
segments make a restore short."""
VISIBLE_SECONDS: Final = 30.0
"""Seconds until every partition of a new topic has a leader; under one is usual."""
CREATE_TIMEOUT_MS: Final = 30_000


class TopicError(UserError):
    """A topic is missing, or has unworkable settings; the message names it and says what to do."""


class TopicNotReadyError(TopicError):
    """A topic is there, and brokers that are away or coming back cannot serve it yet."""


class Topic(NamedTuple):
    """One row of the table; `settings` are Kafka's own names and texts."""

    name: str
    by_citizen: bool
    settings: Mapping[str, str]
    is_filled_here: bool = True
    """Our stages write into it; others write into the raw topics."""

    def differences(self, name: str, existing: Existing, replicas: int) -> list[TopicDifference]:
        """Compare a topic that is there with this row; nothing where we may not read it."""
        if not existing.is_readable:
            return []
        return list(
            differences(name, self.settings, replicas, existing, is_filled_here=self.is_filled_here)
        )


_SAFE: Final = {
    "message.timestamp.type": BROKERS_TIME,  # no clock but the brokers' decides what is old
    "unclean.leader.election.enable": "false",  # a broker that missed records does not lead
}
"""Settings of every topic, whatever it holds."""


def _kept(retention_ms: str, **more: str) -> dict[str, str]:
    """Settings of a topic that is kept by time alone: a limit by size would cut the journal."""
    return {
        "cleanup.policy": "delete",
        "retention.ms": retention_ms,
        "retention.bytes": FOR_EVER,
        **_SAFE,
        **{name.replace("_", "."): value for name, value in more.items()},
    }


_LARGE: Final = str(LARGE_BYTES)
RAW: Final = Topic(
    "reports.raw",
    by_citizen=False,
    settings=_kept(str(7 * DAY_MS), max_message_bytes=str(RAW_BYTES)),
    is_filled_here=False,
)
REPORTS: Final = Topic(
    "reports",
    by_citizen=True,
    settings=_kept(FOR_EVER, compression_type="zstd", max_message_bytes=_LARGE),
)
POSTINGS: Final = Topic(
    "postings",
    by_citizen=True,
    settings=_kept(FOR_EVER, compression_type="zstd", max_message_bytes=_LARGE),
)
CITIZENS: Final = Topic(
    "citizens",
    by_citizen=True,
    settings={
        "cleanup.policy": "compact",
        "compression.type": "zstd",
        "max.message.bytes": _LARGE,
        "segment.bytes": str(CHANGELOG_SEGMENT_BYTES),
        "segment.ms": str(DAY_MS),
        "min.compaction.lag.ms": "0",
        "max.compaction.lag.ms": str(7 * DAY_MS),
        **_SAFE,
    },
)
NOTICES: Final = Topic(
    "notices", by_citizen=True, settings=_kept(str(365 * DAY_MS), compression_type="zstd")
)
DEAD_LETTERS: Final = Topic(
    "dead-letters", by_citizen=False, settings=_kept(str(90 * DAY_MS), max_message_bytes=_LARGE)
)
RECEIPTS: Final = Topic(
    "receipts", by_citizen=True, settings=_kept(str(90 * DAY_MS), compression_type="zstd")
)
"""Made where receipts are told. Its key is the reporter; we give each a partition ourselves, so it
has as many as the topics by citizen."""
ACCESS: Final = Topic(
    "access",
    by_citizen=False,
    settings=_kept(FOR_EVER, compression_type="zstd", max_message_bytes=_LARGE),
)

INTAKE: Final = "intake"


def raw_of(source: str) -> Topic:
    """Return the raw topic of a source, or `reports.raw` for none ("")."""
    return RAW._replace(name=f"{RAW.name}.{source}") if source else RAW


def intake_of(source: str) -> str:
    """Return the stage that takes in a source's raw topic, each with a group of its own.

    So a source that is new or gone moves nobody else's partitions.

    >>> intake_of(""), intake_of("kmd")
    ('intake', 'intake.kmd')
    """
    return f"{INTAKE}.{source}" if source else INTAKE


def is_raw(name: str, raw: str) -> bool:
    """Tell whether a topic is `reports.raw`, whose full name is given, or the one of a source."""
    return name == raw or name.startswith(f"{raw}.")


TOPICS: Final = (RAW, REPORTS, POSTINGS, CITIZENS, NOTICES, DEAD_LETTERS, ACCESS)


def all_topics(sources: Iterable[str], *, receipts: bool = False) -> tuple[Topic, ...]:
    """Return the table with the raw topics of sources, and that of receipts where they are told."""
    return (*TOPICS, *map(raw_of, sources), *((RECEIPTS,) if receipts else ()))


NEEDED: Final = {
    INTAKE: (RAW, REPORTS, DEAD_LETTERS),
    "citizens": (REPORTS, CITIZENS, POSTINGS, NOTICES, DEAD_LETTERS),
    "projections": (POSTINGS, REPORTS),
}
"""Topics that each stage cannot do without; each role has rights to its own alone."""


NEEDED_TO_TELL: Final = (REPORTS, DEAD_LETTERS, NOTICES, RECEIPTS)


def needed_by(
    stages: Collection[str], sources: Iterable[str], *, receipts: bool = False
) -> list[Topic]:
    """Return the topics that stages cannot do without; intake reads those of sources too."""
    needed = [topic for stage in stages for topic in NEEDED[stage]]
    tells = receipts and "projections" in stages
    of_sources = [raw_of(source) for source in sources if RAW in needed]
    return [*needed, *of_sources, *(NEEDED_TO_TELL if tells else ())]


async def ensure_topics(
    bootstrap: str,
    prefix: str,
    partitions: int,
    journal_prefix: str = "",
    topics: Sequence[Topic] = TOPICS,
    replicas: int = 1,
    needed: Collection[Topic] | None = None,
    *,
    may_be_unread: bool = False,
) -> list[str]:
    """Create the topics that are missing and wait until all can be used; several may do so at once.

    Topics that are not `needed` are created too, but a client that may not do so goes on without
    them. With `may_be_unread` it goes on where it may not read a topic's settings.

    Where `journal_prefix` is another, the journal and what is taken into it are there (a rebuild).
    Returns a sentence for each topic that can be worked with and yet should be mended. Raises
    TopicError for the first that is there with a partition count or settings that cannot be worked
    with, and aiokafka's KafkaConnectionError where no broker answers. What is there is compared
    before anything is made: a number of partitions that is wrong must not be made again.
    """
    names = named(prefix, journal_prefix, topics)
    async with KafkaClients(bootstrap, "refusion-topics").admin() as admin:
        present = set(await admin.list_topics()) & set(names)
        await _checked(admin, bootstrap, names, present, partitions, replicas)
        denied = set()
        if missing := names.keys() - present:
            new = {name: names[name] for name in missing}
            denied = await _create(new, admin, partitions, replicas)
        strict = {name for name in names if needed is None or names[name] in needed}
        if unseen := sorted(denied & strict):
            raise TopicError(_unseen(bootstrap, unseen[0]))
        seen = names.keys() - denied
        await _wait_for_leaders(admin, seen)
        unread: set[str] = set() if may_be_unread else strict
        return await _checked(admin, bootstrap, names, seen, partitions, replicas, unread)


def _unseen(bootstrap: str, name: str) -> str:
    """Say of a topic that is not seen what may be the matter: brokers do not tell the two apart."""
    return (
        f"there is no topic {name} that {logon_at(bootstrap).principal} may see, and Kafka denies"
        " it the right Create: let somebody with that right start a worker or `refusion run status`"
        " first, or give this principal the right Describe on the topic; `refusion acl` prints the"
        " rights that each role needs"
    )


def named(prefix: str, journal_prefix: str, topics: Sequence[Topic]) -> dict[str, Topic]:
    """Return the topics by their full names."""
    of_the_journal = journal_prefix or prefix
    return {
        (of_the_journal if topic == REPORTS or is_raw(topic.name, RAW.name) else prefix)
        + topic.name: topic
        for topic in topics
    }


async def _checked(
    admin: AIOKafkaAdminClient,
    bootstrap: str,
    names: Mapping[str, Topic],
    present: set[str],
    partitions: int,
    replicas: int,
    must_be_read: Collection[str] = (),
) -> list[str]:
    """Compare the topics that are there. Returns warnings; raises TopicError."""
    there = await described(admin, [name for name in names if name in present])
    counts = {name: each.partitions for name, each in there.items() if names[name].by_citizen}
    if refusal := uneven(counts, partitions):
        raise TopicError(refusal)
    warnings = []
    for name, existing in there.items():
        if name in must_be_read and not existing.is_readable:
            raise TopicError(missing_right(bootstrap, "DescribeConfigs", "topic", name))
        found = names[name].differences(name, existing, replicas)
        if any(each.effect is Effect.REFUSED for each in found):
            raise TopicError(sentence(found, bootstrap))
        if found:
            warnings.append(sentence(found, bootstrap))
    return warnings


async def _create(
    missing: Mapping[str, Topic], admin: AIOKafkaAdminClient, partitions: int, replicas: int
) -> set[str]:
    """Create topics. Returns the names of those that this client may not create."""
    brokers = len((await admin.describe_cluster())["brokers"])
    if brokers < replicas:
        raise TopicError(
            f"{brokers} brokers answer, and the topics that are to be made need {replicas}"
            " (REFUSION_REPLICAS), for as long as they live; start the brokers that are missing,"
            f" or set REFUSION_REPLICAS={brokers} if no more are meant to be there"
        )
    wanted = [_new(name, topic, partitions, replicas) for name, topic in missing.items()]
    response = await admin.create_topics(wanted, timeout_ms=CREATE_TIMEOUT_MS)
    denied = set()
    for name, code, *reason in response.topic_errors:
        error = for_code(code)
        if error in {TopicAuthorizationFailedError, ClusterAuthorizationFailedError}:
            denied.add(name)
        elif error not in {
            NoError,
            TopicAlreadyExistsError,
        }:  # somebody else was first: as good
            why = (*reason, None)[0] or error.description
            raise TopicError(f"topic {name} cannot be created: {why}")
    return denied


def _new(name: str, topic: Topic, partitions: int, replicas: int) -> NewTopic:
    durable = {"min.insync.replicas": enough_replicas(replicas)}
    return NewTopic(name, partitions, replicas, topic_configs={**topic.settings, **durable})


async def _wait_for_leaders(admin: AIOKafkaAdminClient, names: set[str]) -> None:
    deadline = time.monotonic() + VISIBLE_SECONDS
    while not names <= {topic["topic"] for topic in await _all(admin) if _has_leaders(topic)}:
        if time.monotonic() > deadline:
            raise TopicNotReadyError(
                f"partitions of {', '.join(sorted(names))} have no leader after"
                f" {VISIBLE_SECONDS:.0f} s; look whether all brokers are up"
            )
        await asyncio.sleep(0.1)


def _has_leaders(topic: Mapping[str, Any]) -> bool:
    return topic["error_code"] == 0 and all(
        partition["leader"] >= 0 for partition in topic["partitions"]
    )


async def _all(admin: AIOKafkaAdminClient) -> list[dict[str, Any]]:
    """Describe every topic of the cluster: some clusters create one that is asked for by name."""
    described: list[dict[str, Any]] = await admin.describe_topics()
    return described


async def described(admin: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, Existing]:
    """Describe the topics with these names, in their order.

    A broker that has not heard of a new topic yet is asked again.
    """
    deadline = time.monotonic() + VISIBLE_SECONDS
    while True:
        partitions = {topic["topic"]: topic["partitions"] for topic in await _all(admin)}
        settings = await _settings_of(admin, names)
        unheard = [name for name in names if name not in partitions or name not in settings]
        if not unheard:
            return {name: _existing(partitions[name], settings[name]) for name in names}
        if time.monotonic() > deadline:
            raise TopicNotReadyError(
                f"some brokers do not know {', '.join(unheard)} after {VISIBLE_SECONDS:.0f} s;"
                " look whether all brokers are up and agree on their controller"
            )
        await asyncio.sleep(0.1)


def _existing(
    partitions: Sequence[Mapping[str, Any]], settings: Mapping[str, str] | None
) -> Existing:
    replicas = min(len(partition["replicas"]) for partition in partitions)
    return Existing(len(partitions), settings or {}, replicas, is_readable=settings is not None)


async def _settings_of(
    admin: AIOKafkaAdminClient, names: Sequence[str]
) -> dict[str, dict[str, str] | None]:
    """The settings of those topics that the broker which is asked knows; None without the right."""
    if not names:
        return {}
    (response,) = await admin.describe_configs(
        [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    )
    settings: dict[str, dict[str, str] | None] = {}
    for code, reason, _, name, entries in response.resources:
        error = for_code(code)
        if error is NoError:
            settings[name] = {setting: value for setting, value, *_ in entries}
        elif error is TopicAuthorizationFailedError:
            settings[name] = None
        elif error is not UnknownTopicOrPartitionError:
            raise TopicError(
                f"the settings of topic {name} cannot be read: {reason or error.description}"
            )
    return settings
