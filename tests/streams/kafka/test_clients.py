"""A client's end has a limit, whatever its brokers do; the wait of its clean-up has one too."""

import asyncio

import pytest
from aiokafka.errors import KafkaError

from streams.kafka.clients import close_consumer, close_producer

LIMIT_S = 0.05
LONG_S = 100_000


class Client:
    """A client whose stop and whose clean-up wait for `seconds`, as for a silent broker."""

    def __init__(self, seconds, error=None):
        self.seconds = seconds
        self.error = error
        self.cuts = 0
        self.client = self._client = self

    async def stop(self):
        try:
            await asyncio.sleep(self.seconds)
        finally:
            await asyncio.sleep(self.seconds)
        if self.error:
            raise self.error

    async def close(self):
        self.cuts += 1
        await asyncio.sleep(self.seconds)


def closed(client, close):
    """Close within a bound that only a wait without an end exceeds."""

    async def work():
        await asyncio.wait_for(close(client, LIMIT_S), 60)

    asyncio.run(work())
    return client


@pytest.mark.parametrize("close", [close_producer, close_consumer])
def test_a_broker_that_never_answers_does_not_hold_the_end_of_a_client(close):
    client = Client(LONG_S)

    async def work():
        await asyncio.wait_for(close(client, LIMIT_S), 60)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()  # its clean-up waits too, and nobody waits for that

    asyncio.run(work())
    assert client.cuts == 1


@pytest.mark.parametrize("close", [close_producer, close_consumer])
def test_an_error_of_kafka_at_the_end_is_not_told_and_a_defect_is(close):
    assert closed(Client(0, KafkaError("x")), close).cuts == 1
    with pytest.raises(TypeError):
        closed(Client(0, TypeError("x")), close)
