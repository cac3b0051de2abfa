"""The topics of a process's settings, made where they are missing."""

from collections.abc import Collection, Sequence
from typing import Protocol

from streams.kafka.topics import TOPICS, Topic, ensure_topics


class TopicLayout(Protocol):
    """The settings that say where topics are and how they are made."""

    @property
    def bootstrap(self) -> str:
        """The addresses of the brokers."""

    @property
    def prefix(self) -> str:
        """The beginning of the names of all topics."""

    @property
    def journal_prefix(self) -> str:
        """The beginning of the names of the journal and of what is taken into it."""

    @property
    def partitions(self) -> int:
        """The number of partitions of the topics by citizen."""

    @property
    def replicas(self) -> int:
        """The number of brokers that have each record of a new topic."""


async def ensure_topics_of(
    settings: TopicLayout,
    topics: Sequence[Topic] = TOPICS,
    needed: Collection[Topic] | None = None,
    *,
    may_be_unread: bool = False,
) -> list[str]:
    """Create the topics of some settings where they are missing, as `ensure_topics` does."""
    return await ensure_topics(
        settings.bootstrap,
        settings.prefix,
        settings.partitions,
        settings.journal_prefix,
        topics,
        settings.replicas,
        needed,
        may_be_unread=may_be_unread,
    )
