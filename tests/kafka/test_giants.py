"""A state entry that outgrows what brokers take costs the reports that are too much, and no more.

The topic takes 8 MiB, which no real life comes near; here it takes less.
"""

import asyncio
import random
from collections import Counter
from itertools import islice

import orjson
import pytest
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from streams.kafka import topics
from streams.kafka.clients import KafkaClients
from tests.support.lines import PAYMENT, changed

GIANT, OTHER = "6101801234", "6101801235"
MOST_BYTES = 40_000
"""A month of some hundreds of the reports here."""
FIRST, FEW, MOST = 300, 20, 1_500
"""Reports that fit, those that are added until one does not fit, and when that must have been."""
LETTERS = "abcdefghijklmnopqrstuvwxyzæøåABCDEFGHIJKLMNOPQRSTUVWXYZÆØÅ"


def payments(number, cpr):
    """Payments of one month, whose ids are long and cannot be packed well."""
    rng = random.Random(cpr)
    for _ in range(number):
        report_id = "".join(rng.choices(LETTERS, k=90))
        yield changed(
            PAYMENT, cpr=cpr, report_id=report_id, amount_ore=rng.randrange(1, 5), atp_ore=0
        )


def take_less(pipeline):
    """Have the changelog take small messages alone, as an operator could."""

    async def alter():
        clients = KafkaClients(pipeline.settings.bootstrap, "refusion-test")
        async with clients.admin() as admin:
            configs = {"max.message.bytes": str(MOST_BYTES), "cleanup.policy": "compact"}
            name = pipeline.topic(topics.CITIZENS)
            await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, configs)])

    asyncio.run(alter())


def letters(pipeline):
    """Stage and reason of each dead letter."""
    return [
        (given["stage"], given["reason"])
        for records in pipeline.records(topics.DEAD_LETTERS).values()
        for record in records
        for given in [dict(record.headers)]
    ]


@pytest.mark.long
def test_a_state_entry_that_brokers_do_not_take_costs_the_reports_that_are_too_much(pipeline):
    worker = pipeline.start()
    pipeline.wait_until_settled()
    take_less(pipeline)
    giants = payments(MOST, GIANT)
    reported = 0
    number = FIRST
    while not letters(pipeline):
        pipeline.publish(list(islice(giants, number)))
        reported, number = reported + number, FEW
        assert reported < MOST, "the changelog takes them all"
        pipeline.wait_until_settled()
    pipeline.publish([*payments(20, OTHER), next(giants)])
    pipeline.wait_until_settled()
    assert worker.poll() is None
    pipeline.stop(worker)
    refused = letters(pipeline)
    assert set(refused) == {(b"citizens", b"too_large")}
    posted = Counter[bytes]()
    for records in pipeline.records(topics.POSTINGS).values():
        for record in records:
            posted[record.key] = max(posted[record.key], orjson.loads(record.value)["revision"])
    assert sorted(posted.values()) == [20, reported + 1 - len(refused)]
    assert 2 <= len(refused) <= FEW + 1
