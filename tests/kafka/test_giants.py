"""A state entry that outgrows what the brokers take costs the record that is too much, and no more.

The topic takes 8 MiB, which no real life comes near; here it takes less.
"""

import asyncio
import random
from collections import Counter

import orjson
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from streams.kafka import topics
from tests.support.lines import PAYMENT, changed

GIANT, OTHER = "6101801234", "6101801235"
MOST_BYTES = 40_000
"""A month of some 900 of the reports here."""
REPORTS = 1_400
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
        async with AIOKafkaAdminClient(bootstrap_servers=pipeline.settings.bootstrap) as admin:
            name = pipeline.topic(topics.CITIZENS)
            configs = {"max.message.bytes": str(MOST_BYTES), "cleanup.policy": "compact"}
            await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, configs)])

    asyncio.run(alter())


@pytest.mark.long
def test_a_state_entry_that_brokers_do_not_take_costs_the_reports_that_are_too_much(
    pipeline, tmp_path
):
    said = tmp_path / "said"
    with said.open("wb") as log:
        worker = pipeline.start(log=log)
        pipeline.wait_until_settled()
        take_less(pipeline)
        pipeline.publish(list(payments(REPORTS, GIANT)))
        pipeline.publish(list(payments(20, OTHER)))
        pipeline.wait_until_settled()
        assert worker.poll() is None
        pipeline.stop(worker)
    letters = [
        dict(record.headers)
        for records in pipeline.records(topics.DEAD_LETTERS).values()
        for record in records
    ]
    assert {(each["stage"], each["reason"]) for each in letters} == {(b"citizens", b"too_large")}
    reported, posted = Counter[bytes](), Counter[bytes]()
    for records in pipeline.records(topics.REPORTS).values():
        reported.update(record.key for record in records if record.key)
    for records in pipeline.records(topics.POSTINGS).values():
        for record in records:
            posted[record.key] = max(posted[record.key], orjson.loads(record.value)["revision"])
    giant, other = (key for key, _ in reported.most_common(2))
    assert (reported[giant], reported[other]) == (REPORTS, 20)
    assert posted[other] == 20, "the other citizen's reports are all posted"
    assert 0 < len(letters) == REPORTS - posted[giant] < REPORTS // 2
