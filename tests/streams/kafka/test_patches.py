"""The changes to aiokafka: made once, and only to the versions that they were written for."""

import asyncio
import logging
from contextlib import asynccontextmanager, suppress
from importlib import metadata
from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.errors import KafkaError, NoOffsetForPartitionError
from aiokafka.structs import OffsetAndMetadata

from streams.kafka import patches

AT = TopicPartition("postings", 0)


def test_another_version_of_the_client_is_refused_before_anything_is_changed(monkeypatch):
    changed: list[str] = []
    for name in ("report_lost_connections", "compress_quickly"):
        monkeypatch.setattr(patches, name, lambda: changed.append("changed"))
    monkeypatch.setattr(metadata, "version", lambda _name: "0.15.0")
    with pytest.raises(RuntimeError, match=r"aiokafka 0\.15\.0 is installed, .* for 0\.14\.x"):
        patches.apply.__wrapped__()
    assert changed == []


def test_the_installed_version_is_the_one_that_the_patches_are_for():
    assert metadata.version("aiokafka").startswith(patches.VERSION)


class _MovingCluster:
    """A client whose partition has another leader each time that it is asked for."""

    def __init__(self):
        self._leader = 0
        self.cluster = self
        self._metadata_max_age_ms = 2_000
        self._loop = asyncio.get_running_loop()

    def leader_for_partition(self, _at):
        return self._leader

    def moves(self):
        self._leader += 1


@asynccontextmanager
async def _fetching():
    """The part of a consumer that fetches, of one partition without a position in its group."""
    patches.apply()
    subscriptions = SubscriptionState()
    subscriptions.assign_from_user({AT})
    client = _MovingCluster()
    fetcher = Fetcher(client, subscriptions, auto_offset_reset="none")
    try:
        yield SimpleNamespace(
            fetcher=fetcher,
            client=client,
            state=subscriptions.subscription.assignment.state_value(AT),
        )
    finally:
        with suppress(KafkaError):
            await fetcher.close()


def test_fetching_goes_on_where_a_leader_changes_while_a_missing_position_is_asked_for():
    async def scenario():
        async with _fetching() as consumer:
            for _ in range(2):
                await asyncio.sleep(0.01)
                consumer.client.moves()
                consumer.fetcher._notify(consumer.fetcher._wait_consume_future)
            await asyncio.sleep(0.01)
            asked = len(consumer.fetcher._pending_tasks)
            consumer.state.update_committed(OffsetAndMetadata(-1, ""))
            await asyncio.sleep(0.01)
            with pytest.raises(NoOffsetForPartitionError):
                await consumer.fetcher.fetched_records([AT], 0.01)
            return asked, consumer.fetcher._fetch_task.done()

    assert asyncio.run(scenario()) == (3, False)


def test_a_consumer_whose_fetching_has_ended_says_so_instead_of_having_no_records(monkeypatch):
    monkeypatch.setattr(logging.getLogger("aiokafka.consumer.fetcher"), "disabled", True)

    async def scenario():
        async with _fetching() as consumer:
            monkeypatch.setattr(Fetcher, "_get_actions_per_node", None)
            await asyncio.sleep(0.01)
            consumer.fetcher._notify(consumer.fetcher._wait_consume_future)
            await asyncio.sleep(0.01)
            with pytest.raises(KafkaError, match="stopped fetching"):
                await consumer.fetcher.fetched_records([TopicPartition("", 0)])

    asyncio.run(scenario())
