"""The records of a topic, read to its end."""

from aiokafka import AIOKafkaConsumer


async def records_of(bootstrap, topic):
    """The committed records of a topic by partition, each in the order of its offsets."""
    # By policy and not by seeking: a position that is still being looked up would overwrite the
    # seek.
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        partitions = sorted(consumer.assignment())
        ends = await consumer.end_offsets(partitions)
        found: dict[int, list] = {partition.partition: [] for partition in partitions}
        while any(
            [await consumer.position(partition) < ends[partition] for partition in partitions]
        ):
            for partition, records in (await consumer.getmany(timeout_ms=500)).items():
                found[partition.partition] += records
        return found
    finally:
        await consumer.stop()
