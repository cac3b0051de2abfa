"""The topics and how long each is kept: created where missing, refused where they would lose data.

Source: contract section 1. What a topic needs to be correct is set on the topic itself and never
left to the cluster's defaults, which are made for another purpose (kept 7 days, one replica).
"""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import NoError, TopicAlreadyExistsError, UnknownTopicOrPartitionError, for_code

from streams.kafka.clients import KafkaClients
from streams.kit.errors import UserError

FOR_EVER: Final = "-1"
"""Kafka's word for no limit, of time or of bytes."""
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
REPLICAS: Final = 3
ENOUGH_REPLICAS: Final = 2
VISIBLE_SECONDS: Final = 30.0
"""Seconds until every partition of a new topic has a leader; under one is usual."""
CREATE_TIMEOUT_MS: Final = 30_000


class TopicError(UserError):
    """A topic is missing, or has unworkable settings; the message names it and says what to do."""


class Existing(NamedTuple):
    """A topic as the cluster describes it."""

    partitions: int
    settings: Mapping[str, str]


class Topic(NamedTuple):
    """One row of the table; `settings` are Kafka's own names and texts."""

    name: str
    by_citizen: bool
    settings: Mapping[str, str]

    def refusal(self, name: str, existing: Existing, partitions: int) -> str | None:
        """Say why an existing topic cannot be worked with and what to do; None where it can."""
        if self.by_citizen and existing.partitions != partitions:
            return (
                f"topic {name} has {existing.partitions} partitions, {partitions} are asked for: a"
                " citizen's reports and state would part; set"
                f" REFUSION_PARTITIONS={existing.partitions}, or another REFUSION_PREFIX"
            )
        for setting in _LOSES_DATA:
            there, needed = existing.settings.get(setting), self.settings.get(setting)
            if there != needed and (setting == "cleanup.policy" or needed == FOR_EVER):
                return (
                    f"topic {name} has {setting}={there} and would lose data, {needed} is needed;"
                    " set it with kafka-configs.sh --alter --entity-type topics --entity-name"
                    f" {name} --add-config {setting}={needed}, and look whether anything is lost"
                    " already"
                )
        return None


_LOSES_DATA: Final = ("cleanup.policy", "retention.ms", "retention.bytes")
"""Settings by which a topic may lose data. A topic that is kept for some time only may be kept for
any time: that is the operator's choice."""


def _kept(retention_ms: str, **more: str) -> dict[str, str]:
    """Settings of a topic that is kept by time alone: a limit by size would cut the journal."""
    return {
        "cleanup.policy": "delete",
        "retention.ms": retention_ms,
        "retention.bytes": FOR_EVER,
        **{name.replace("_", "."): value for name, value in more.items()},
    }


_LARGE: Final = str(LARGE_BYTES)
RAW: Final = Topic(
    "reports.raw",
    by_citizen=False,
    # By the broker's clock: a publisher's wrong one must not make records older than their seven
    # days.
    settings=_kept(
        str(7 * DAY_MS), max_message_bytes=str(RAW_BYTES), message_timestamp_type="LogAppendTime"
    ),
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
    },
)
NOTICES: Final = Topic(
    "notices", by_citizen=True, settings=_kept(str(365 * DAY_MS), compression_type="zstd")
)
DEAD_LETTERS: Final = Topic(
    "dead-letters", by_citizen=False, settings=_kept(str(90 * DAY_MS), max_message_bytes=_LARGE)
)

TOPICS: Final = (RAW, REPORTS, POSTINGS, CITIZENS, NOTICES, DEAD_LETTERS)


async def ensure_topics(
    bootstrap: str,
    prefix: str,
    partitions: int,
    journal_prefix: str = "",
    topics: Sequence[Topic] = TOPICS,
) -> None:
    """Create the topics that are missing and wait until all can be used; several may do so at once.

    Where `journal_prefix` is another, the journal and what is taken into it are there (a rebuild).
    Raises TopicError for the first that is there with a partition count or a retention that cannot
    be worked with, and aiokafka's KafkaConnectionError where no broker answers.
    """
    shared = (
        [topic for topic in topics if topic in (RAW, REPORTS)]
        if journal_prefix not in ("", prefix)
        else []
    )
    if shared:
        await ensure_topics(bootstrap, journal_prefix, partitions, topics=shared)
        topics = [topic for topic in topics if topic not in shared]
    async with KafkaClients(bootstrap, "refusion-topics").admin() as admin:
        await _create_missing(admin, prefix, partitions, topics)
        there = await _described(admin, [prefix + topic.name for topic in topics])
        for topic, (name, existing) in zip(topics, there.items(), strict=True):
            if refusal := topic.refusal(name, existing, partitions):
                raise TopicError(refusal)


async def _create_missing(
    admin: AIOKafkaAdminClient, prefix: str, partitions: int, topics: Iterable[Topic]
) -> None:
    names = {prefix + topic.name for topic in topics}
    missing = names - set(await admin.list_topics())
    if missing:
        replicas = min(REPLICAS, len((await admin.describe_cluster())["brokers"]))
        wanted = [
            _new(topic, prefix, partitions, replicas)
            for topic in topics
            if prefix + topic.name in missing
        ]
        response = await admin.create_topics(wanted, timeout_ms=CREATE_TIMEOUT_MS)
        for name, code, *reason in response.topic_errors:
            if for_code(code) not in {
                NoError,
                TopicAlreadyExistsError,
            }:  # somebody else was first: as good
                why = (*reason, None)[0] or for_code(code).description
                raise TopicError(f"topic {name} cannot be created: {why}")
    await _wait_for_leaders(admin, names)


def _new(topic: Topic, prefix: str, partitions: int, replicas: int) -> NewTopic:
    durable = {"min.insync.replicas": str(ENOUGH_REPLICAS)} if replicas >= REPLICAS else {}
    return NewTopic(
        prefix + topic.name, partitions, replicas, topic_configs=dict(topic.settings) | durable
    )


async def _wait_for_leaders(admin: AIOKafkaAdminClient, names: set[str]) -> None:
    deadline = time.monotonic() + VISIBLE_SECONDS
    while not names <= {topic["topic"] for topic in await _all(admin) if _has_leaders(topic)}:
        if time.monotonic() > deadline:
            raise TopicError(
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


async def _described(admin: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, Existing]:
    """Describe the topics with these names, in their order.

    A broker that has not heard of a new topic yet is asked again.
    """
    deadline = time.monotonic() + VISIBLE_SECONDS
    while True:
        partitions = {topic["topic"]: len(topic["partitions"]) for topic in await _all(admin)}
        settings = await _settings_of(admin, names)
        unheard = [name for name in names if name not in partitions or name not in settings]
        if not unheard:
            return {name: Existing(partitions[name], settings[name]) for name in names}
        if time.monotonic() > deadline:
            raise TopicError(
                f"some brokers do not know {', '.join(unheard)} after {VISIBLE_SECONDS:.0f} s;"
                " look whether all brokers are up and agree on their controller"
            )
        await asyncio.sleep(0.1)


async def _settings_of(
    admin: AIOKafkaAdminClient, names: Iterable[str]
) -> dict[str, dict[str, str]]:
    """The settings of those topics that the broker which is asked knows."""
    (response,) = await admin.describe_configs(
        [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    )
    settings: dict[str, dict[str, str]] = {}
    for code, reason, _, name, entries in response.resources:
        error = for_code(code)
        if error is NoError:
            settings[name] = {setting: value for setting, value, *_ in entries}
        elif error is not UnknownTopicOrPartitionError:
            raise TopicError(
                f"the settings of topic {name} cannot be read: {reason or error.description}"
            )
    return settings
