"""Asks the brokers, for the metrics, how far the stages are and whether the topics are in order."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final

from streams.citizens.register_file import sources_of
from streams.engine.ports import Stage
from streams.engine.tenure import described
from streams.kafka.clients import KafkaClients
from streams.kafka.errors import KafkaError
from streams.kafka.reading import open_topics
from streams.kafka.topic_settings import TopicDifference
from streams.kafka.topics import TopicError, all_topics, named
from streams.settings import Settings
from streams.worker.metrics import Metrics

ASK_S: Final = 15.0
"""Seconds between two questions to the brokers: as often as Prometheus usually asks us."""
LOOK_S: Final = 60.0
"""Seconds between two looks at the topics' settings."""
PEEK_MS: Final = 500
"""Milliseconds to wait for the oldest records."""
PEEK_BYTES: Final = 16_384
"""Bytes of one fetch for them: a broker sends at least one batch."""

log = logging.getLogger("refusion")


async def watch(metrics: Metrics, settings: Settings, stages: Sequence[Stage]) -> None:
    """Ask the brokers how far the stages are, for as long as the process lives."""
    asked = (
        _repeat(partial(_ask, metrics, settings, stage.name, stage.topic), ASK_S)
        for stage in stages
    )
    await asyncio.gather(_repeat(partial(_look_at_topics, metrics, settings), LOOK_S), *asked)


async def _repeat(ask: Callable[[], Awaitable[None]], pause_s: float) -> None:
    """Ask now and then, connected anew each time: so no broker that went away is waited for.

    No error ends the asking silently: a defect of ours is logged once, and asked on.
    """
    told = ""
    while True:
        try:
            async with asyncio.timeout(ASK_S):
                await ask()
        except (KafkaError, OSError, TopicError):
            pass  # the stages say so
        except Exception as error:  # noqa: BLE001 - a defect of ours
            if told != (told := described(error)):
                log.error("metrics: the brokers cannot be asked: %s", told)  # noqa: TRY400
        await asyncio.sleep(pause_s)


async def _ask(metrics: Metrics, settings: Settings, stage: str, topic: str) -> None:
    """Measure the lag of the partitions that a stage has here, and the age of the oldest record."""
    clients = KafkaClients(settings.bootstrap, "refusion-metrics")
    async with open_topics(clients, max_partition_fetch_bytes=PEEK_BYTES) as topics_read:
        committed = await topics_read.committed(settings.group(stage))
        ends, starts = await topics_read.ends(topic), await topics_read.starts(topic)
        behind = {}
        for partition in [number for name, number in metrics.held if name == stage]:
            position = max(starts[partition], committed.get(partition, 0))
            metrics.lag.labels(stage, partition).set(max(0, ends[partition] - position))
            if ends[partition] > position:
                behind[partition] = position
        written_ms = await topics_read.oldest_ms(topic, behind, PEEK_MS)
        metrics.oldest.labels(stage).set(metrics.age_s(written_ms))


async def _look_at_topics(metrics: Metrics, settings: Settings) -> None:
    """Compare the topics' settings: an operator may change them meanwhile."""
    metrics.show_topics(await topic_differences(settings))


async def topic_differences(settings: Settings) -> list[TopicDifference]:
    """Compare the topics that are there with what they must be."""
    async with open_topics(KafkaClients(settings.bootstrap, "refusion-metrics")) as topics_read:
        names = named(settings.prefix, settings.journal_prefix, all_topics(sources_of(settings)))
        seen = [name for name in names if await topics_read.partitions(name)]
        there = await topics_read.described(seen)  # a worker sees the topics of its roles alone
        return [
            difference
            for name, existing in there.items()
            for difference in names[name].differences(name, existing, settings.replicas)
        ]
