"""The sink of the stages that write to Kafka: step 4 of the batch loop as calls of a `Delivery`."""

from streams.engine.fault_points import reached
from streams.engine.ports import Delivery, Ends, Notes, Outputs, Source


class DeliverySink:
    """Writes one partition's outputs to Kafka; its position is the consumer group's offset."""

    def __init__(
        self,
        stage: str,
        source: Source,
        partition: int,
        delivery: Delivery,
        notes: Notes | None = None,
    ) -> None:
        """`notes` are for a stage that believes its group's offset, instead of its own state."""
        self._stage = stage
        self._source = source
        self._partition = partition
        self._delivery = delivery
        self._notes = notes

    async def start(self) -> None:
        """Connect; a transactional delivery fences every other one of the partition."""
        await self._delivery.start()

    async def position(self) -> int | None:
        """The offset that the consumer group has committed."""
        offset = await self._source.committed(self._partition)
        if offset is not None and self._notes is not None:
            self._notes.look_at(offset, await self._source.note(self._partition))
        return offset

    async def commit(self, outputs: Outputs, position: int) -> Ends:
        """Write the outputs, all of them acknowledged, then commit the position."""
        await self._delivery.begin()
        ends = await self._delivery.send(outputs)
        reached(self._stage, "before_commit")
        await self._delivery.commit(position, self._note(position))
        return ends

    async def tell_group(self, position: int) -> None:
        """Commit the group's offset alone, where another one was found to be right."""
        await self._source.commit(self._partition, position, self._note(position))

    async def stop(self) -> None:
        """Disconnect; this may hang while there is no broker."""
        await self._delivery.stop()

    def _note(self, position: int) -> str:
        return "" if self._notes is None else self._notes.of(position)
