"""Batches of messages as they are sent to Kafka, compressed before it is known who sends them."""

import time
from collections.abc import Iterable, Iterator
from struct import Struct
from typing import Final

from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import DefaultRecordBase
from aiokafka.record.util import calc_crc32c

from streams.engine.ports import Message

OUTPUT_BATCH_BYTES: Final = 900_000
"""Bytes of a batch before compression; brokers take 1,048,588 by default. A larger message goes
alone."""


class OutputBatch(BatchBuilder):  # type: ignore[misc]  # aiokafka has no types
    """A batch that any thread may compress, before the producer's id and epoch are known.

    The client builds a batch in the event loop's thread, after it has been told what the header is
    to say of the producer. Here that is written into the built batch.
    """

    PRODUCER_AT: Final = 43
    PRODUCER: Final = Struct(">qhi")
    """Layout of the producer's id and epoch, and the number of the batch's first message."""
    CRC_AT: Final = 17
    CRC: Final = Struct(">I")
    """Layout of the checksum of all bytes after it."""

    def __init__(self, *, is_transactional: bool) -> None:
        super().__init__(
            OUTPUT_BATCH_BYTES, DefaultRecordBase.CODEC_ZSTD, is_transactional=is_transactional
        )

    def holding(self, number: int) -> "OutputBatch":
        """This batch, told how many messages it has."""
        self._relative_offset = number
        return self

    def build(self) -> None:
        """Compress the batch; any thread may do so."""
        self._build()

    def _set_producer_state(
        self, producer_id: int, producer_epoch: int, base_sequence: int
    ) -> None:
        content = self._build()
        self.PRODUCER.pack_into(
            content, self.PRODUCER_AT, producer_id, producer_epoch, base_sequence
        )
        crc = calc_crc32c(memoryview(content)[self.CRC_AT + self.CRC.size :])
        self.CRC.pack_into(content, self.CRC_AT, crc)


def batches(messages: Iterable[Message], *, is_transactional: bool) -> Iterator[OutputBatch]:
    """Put messages in their order into batches, full but for the last; a larger one goes alone."""
    now_ms = int(time.time() * 1000)
    batch, number = OutputBatch(is_transactional=is_transactional), 0
    append = batch._builder.append  # noqa: SLF001 - what aiokafka has above it costs as much again
    for key, value, headers in messages:
        if append(number, now_ms, key, value, headers) is None:
            yield batch.holding(number)
            batch, number = OutputBatch(is_transactional=is_transactional), 0
            append = batch._builder.append  # noqa: SLF001
            append(number, now_ms, key, value, headers)
        number += 1
    if number:
        yield batch.holding(number)
