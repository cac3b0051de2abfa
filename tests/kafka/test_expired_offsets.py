"""Groups whose offsets Kafka has forgotten: the state and the journal know how far they were."""

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
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


@pytest.mark.long
def test_an_offset_that_somebody_else_committed_is_said_at_once(pipeline, lives, tmp_path):
    said = tmp_path / "said"
    settings = pipeline.settings

    def work(reports):
        with said.open("wb") as log:
            worker = pipeline.start("intake", log=log)
        pipeline.publish(reports)
        pipeline.wait_until_settled(["intake"])
        pipeline.stop(worker)
        return said.read_text().count("no worker of this version committed")

    assert [work(lives[0][:20]), work(lives[0][20:40])] == [0, 0], "a restart is no news"
    asyncio.run(pass_over(settings))
    assert work(lives[0][60:80]) == 1


async def pass_over(settings):
    """Publish a report, and let the group be past it, as whoever may read with it can."""
    async with AIOKafkaProducer(bootstrap_servers=settings.bootstrap) as producer:
        await producer.send_and_wait(settings.topic(topics.RAW), b"{}", partition=0)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.bootstrap, group_id=settings.group("intake")
    )
    await consumer.start()
    try:
        at = TopicPartition(settings.topic(topics.RAW), 0)
        consumer.assign([at])
        end = await consumer.end_offsets([at])
        await consumer.commit({at: end[at]})
    finally:
        await consumer.stop()
