"""The sink of the stages that write to Kafka: step 4 of the batch loop as calls of a `Delivery`."""

from streams.engine.fault_points import reached
from streams.engine.ports import Delivery, Ends, Outputs, Source


class DeliverySink:
    """Writes one partition's outputs to Kafka; its position is the consumer group's offset."""

    def __init__(self, stage: str, source: Source, partition: int, delivery: Delivery) -> None:
        self._stage = stage
        self._source = source
        self._partition = partition
        self._delivery = delivery

    async def start(self) -> None:
        """Connect; a transactional delivery fences every other one of the partition."""
        await self._delivery.start()

    async def position(self) -> int | None:
        """The offset that the consumer group has committed."""
        return await self._source.committed(self._partition)

    async def commit(self, outputs: Outputs, position: int) -> Ends:
        """Write the outputs, all of them acknowledged, then commit the position."""
        await self._delivery.begin()
        ends = await self._delivery.send(outputs)
        reached(self._stage, "before_commit")
        await self._delivery.commit(position)
        return ends

    async def stop(self) -> None:
        """Disconnect; this may hang while there is no broker."""
        await self._delivery.stop()
