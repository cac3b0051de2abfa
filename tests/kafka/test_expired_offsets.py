"""Groups whose offsets Kafka has forgotten: the state and the journal know how far they were."""

import asyncio

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.admin import DeleteGroupsRequest

from streams.audit.verify import VerifyRequest, verify
from streams.kafka import topics
from tests.support.pipeline import SETTLING


async def forget(settings):
    """Delete the groups, with their offsets: what brokers do when these have expired."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.bootstrap)
    await admin.start()
    try:
        for stage in SETTLING:
            group = settings.group(stage)
            coordinator = await admin.find_coordinator(group)
            answer = await admin._send_request(DeleteGroupsRequest([group]), coordinator)
            assert [error for _, error in answer.results] == [0]
    finally:
        await admin.close()


@pytest.mark.long
def test_after_the_offsets_have_expired_nothing_is_posted_again(pipeline, lives, tmp_path):
    worker = pipeline.start()
    pipeline.publish(lives[0])
    pipeline.wait_until_settled()
    pipeline.close_run("2023-03")
    pipeline.wait_until_settled()
    pipeline.stop(worker)
    before = {at: len(found) for at, found in pipeline.records(topics.POSTINGS).items()}
    asyncio.run(forget(pipeline.settings))
    with (tmp_path / "said").open("wb") as log:
        worker = pipeline.start(log=log)
    pipeline.wait_until_settled()
    after = {at: len(found) for at, found in pipeline.records(topics.POSTINGS).items()}
    assert after == before
    pipeline.publish(lives[1])
    pipeline.wait_until_settled()
    pipeline.stop(worker)
    assert (tmp_path / "said").read_text().count("goes on at") == pipeline.settings.partitions
    pipeline.audit()
    assert verify(pipeline.settings, VerifyRequest(), lambda *_: None).violations.named == []
