"""Prepares what the stages of a worker need: topics, keys, and a journal that begins."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress

from streams.citizens.register_file import sources_of
from streams.engine.liveness import Outage
from streams.engine.timing import RETRY_S
from streams.kafka import topics
from streams.kafka.errors import KafkaError, explanation, is_outage, refusal
from streams.kafka.topic_layout import ensure_topics_of
from streams.kafka.topics import TopicNotReadyError
from streams.kit.errors import UnworkableError
from streams.operations.key_gate import check_keys
from streams.operations.stated_keys import begin_journal
from streams.settings import Settings
from streams.worker.partition_check import check_partitions

log = logging.getLogger("refusion")


async def prepare(
    names: Sequence[str], settings: Settings, outage: Outage, stopping: asyncio.Event
) -> None:
    """Create or check the topics and check our keys, as soon as a broker answers.

    Intake states the keys of a journal that is empty. Brokers that come back answer with many
    errors before they answer well: what is not ours to mend is said once, and tried again.
    """
    sources, told_to = sources_of(settings), settings.receipts
    needed = topics.needed_by(names, sources, receipts=told_to)
    told = ""
    while not stopping.is_set():
        try:
            warnings = await ensure_topics_of(
                settings, topics.all_topics(sources, receipts=told_to), needed=needed
            )
            is_checked = await check_keys(settings)
            await check_partitions(settings)
            if topics.INTAKE in names:
                await begin_journal(settings)
                is_checked = is_checked or await check_keys(settings)
        except (KafkaError, TimeoutError, TopicNotReadyError) as error:
            if (said := refusal(error, settings.bootstrap)) is not None:
                raise UnworkableError(said) from error
            if is_outage(error):
                outage.began(error)
            elif told != (said := _in_words(error, settings)):
                log.warning("cannot start yet, and tries again: %s", said)
                told = said
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), RETRY_S)
        else:
            outage.ended()
            for warning in warnings:
                log.warning("should be mended: %s", warning)
            if not is_checked:
                log.warning(
                    "the journal does not state its keys: whoever may write to it is believed"
                )
            return


def _in_words(error: Exception, settings: Settings) -> str:
    is_said = isinstance(error, TopicNotReadyError)
    return str(error) if is_said else explanation(error, settings.bootstrap)
