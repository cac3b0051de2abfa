"""Reads the receipts of a reporter's day, as a file for the reporter."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import orjson
from msgspec import to_builtins

from streams.kafka import topics
from streams.kafka.clients import KafkaClients
from streams.kafka.errors import explained
from streams.kafka.reading import KafkaTopicReader, open_topics
from streams.kit.errors import UserError
from streams.settings import Settings
from streams.settings_table import RECEIPTS
from streams.wire.partitioner import partition_of
from streams.wire.receipts import REPORTER, Receipt, receipt_reader


class ReceiptsError(UserError):
    """The receipts cannot be read; the message says why and what to do."""


class WantedReceipts(NamedTuple):
    """The receipts that a reporter got on a day, by the brokers' clocks, in UTC."""

    reporter: str
    day: datetime

    @classmethod
    def of(cls, reporter: str, day: str) -> "WantedReceipts":
        """Read what was asked for. Raises ReceiptsError."""
        if not REPORTER.fullmatch(reporter):
            raise ReceiptsError("--reporter must be a CVR or SE number of eight digits")
        try:
            moment = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)
        except ValueError:
            raise ReceiptsError("--day must be a day YYYY-MM-DD, such as 2024-02-01") from None
        return cls(reporter, moment)


class ReceiptLines:
    """The lines of a reporter's day: receipts in their order, ignored deliveries by day at the end.

    `counts` are the receipts by what they say.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._ignored: Counter[str] = Counter()

    async def of(self, settings: Settings, wanted: WantedReceipts) -> AsyncIterator[bytes]:
        """Yield the lines. Raises UserError."""
        with explained(settings.bootstrap, ReceiptsError, advice="start it, or wait for it"):
            clients = KafkaClients(settings.bootstrap, "refusion-receipts")
            async with open_topics(clients) as topics_read:
                async for receipt in _receipts(settings, topics_read, wanted):
                    if receipt.status == "ignored":
                        self._ignored[receipt.day] += receipt.deliveries
                    else:
                        yield self._line(receipt)
        for day, deliveries in sorted(self._ignored.items()):
            yield self._line(
                Receipt(
                    schema=1,
                    status="ignored",
                    reporter=wanted.reporter,
                    day=day,
                    deliveries=deliveries,
                )
            )

    def _line(self, receipt: Receipt) -> bytes:
        self.counts[receipt.status] += receipt.deliveries or 1
        return orjson.dumps(to_builtins(receipt)) + b"\n"


async def _receipts(
    settings: Settings, topics_read: KafkaTopicReader, wanted: WantedReceipts
) -> AsyncIterator[Receipt]:
    topic = settings.topic(topics.RECEIPTS)
    partitions = len(await topics_read.partitions(topic))
    if not partitions:
        raise ReceiptsError(
            f"there is no topic {topic}: receipts are told where {RECEIPTS.name} is 1 for"
            " `refusion worker projections`"
        )
    key = wanted.reporter.encode()
    partition = partition_of(key, partitions)
    starts = await topics_read.since(topic, wanted.day)
    ends = await topics_read.since(topic, wanted.day + timedelta(days=1))
    records = topics_read.records(topic, partition, starts[partition], ends[partition])
    reader = receipt_reader(topic, partition)
    async with aclosing(records):
        async for record, receipt in reader.ours(records):
            if record.key == key:
                yield receipt
