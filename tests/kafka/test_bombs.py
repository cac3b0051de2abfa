"""Batches that unpack to gigabytes cost a worker on a real broker a dead letter, and no memory."""

import asyncio
import sys

import pytest
from aiokafka.errors import for_code
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.structs import TopicPartition

from streams.kafka import topics
from streams.kafka.clients import KafkaClients
from tests.support.bombs import bomb

pytestmark = pytest.mark.long

BOMBS = {"zstd": 2_000_000_000, "gzip": 850_000_000, "lz4": 200_000_000, "snappy": 16_000_000}
"""Bytes that a batch unpacks to: 2 GB, or as many as a topic takes when the codec has packed them.

Those of snappy are within the bound, and their record is too long by itself.
"""
ADDRESS_SPACE = 1_200 << 20
"""Bytes, as `ulimit -v` counts them: the program takes two thirds of them with nothing to do."""
LIMITED = (
    "import resource, runpy;"
    f" resource.setrlimit(resource.RLIMIT_AS, ({ADDRESS_SPACE}, {ADDRESS_SPACE}));"
    " runpy.run_module('streams.worker.app', run_name='__main__')"
)


def send_batches(pipeline, topic, batches):
    """Batches as they are, by partition, acknowledged: whoever may write to a topic can do so."""

    async def sent():
        clients = KafkaClients(pipeline.settings.bootstrap, "refusion-test")
        async with clients.producer() as producer:
            name, client = pipeline.topic(topic), producer.client
            await client.set_topics([name])
            for partition, batch in batches:
                node = client.cluster.leader_for_partition(TopicPartition(name, partition))
                request = ProduceRequest(None, -1, 60_000, [(name, [(partition, batch)])])
                answer = await client.send(node, request)
                code = answer.topics[0][1][0][1]
                assert code == 0, for_code(code)

    asyncio.run(sent())


def letters(pipeline):
    """Stage, reason and partition of each dead letter."""
    return sorted(
        (given["stage"], given["reason"], int(given["partition"]))
        for records in pipeline.records(topics.DEAD_LETTERS).values()
        for record in records
        for given in [{name: value.decode() for name, value in record.headers}]
    )


def test_bombs_of_all_codecs_stop_no_stage_in_a_memory_limit(pipeline, lives):
    pipeline.publish(lives[0])
    bombs = {codec: bomb(codec, size) for codec, size in BOMBS.items()}
    send_batches(pipeline, topics.RAW, enumerate(bombs.values()))
    send_batches(pipeline, topics.REPORTS, [(1, bombs["zstd"])])
    pipeline.publish(lives[1])
    worker = pipeline.started([sys.executable, "-c", LIMITED, "intake", "citizens"], None, {})
    pipeline.wait_until_settled()
    assert worker.poll() is None
    pipeline.stop(worker)
    assert letters(pipeline) == [
        ("citizens", "too_large", 1),
        *(("intake", "too_large", partition) for partition in range(len(BOMBS))),
    ]
    taken_in = sum(
        b'"cpr_sealed"' in (record.value or b"")
        for records in pipeline.records(topics.REPORTS).values()
        for record in records
    )
    assert taken_in == len(lives[0]) + len(lives[1])
