"""The topics that an audit reads, and how it opens them."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Final

from streams.kafka import topics
from streams.kafka.clients import KafkaClients
from streams.kafka.reading import TopicReader, open_topics
from streams.kit.errors import UserError
from streams.settings import Settings

CLIENT: Final = "refusion-verify"
"""Client id, as brokers see it."""

OpenTopics = Callable[[Settings], AbstractAsyncContextManager[TopicReader]]
"""Opens the topics for reading. Another process calls it too, so it must be a plain function."""


class VerifyError(UserError):
    """The topics cannot be audited; the message says why and what to do."""


def open_live_topics(settings: Settings) -> AbstractAsyncContextManager[TopicReader]:
    """Open the topics of the brokers in the settings."""
    return open_topics(KafkaClients(settings.bootstrap, CLIENT))


def dead_letter_topics(settings: Settings) -> list[str]:
    """The names of our topic of dead letters and, after a rebuild, of the journal's own one.

    A rebuild writes postings, state and dead letters under another prefix than the journal's.
    """
    return sorted(
        {settings.topic(topics.DEAD_LETTERS), settings.journal_prefix + topics.DEAD_LETTERS.name}
    )
