"""A transaction of control records is committed only when each of its records is acknowledged."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from streams.kafka.control import ControlRecord, ControlWriter, KeyedRecord
from streams.privacy.macs import MacKeys

MARKER = ControlRecord(b'{"type":"run"}', [("ce_type", b"refusion.run")])
NOTICE = KeyedRecord("notices", b"key", b"{}", [])


class Producer:
    """A producer, one of whose topics takes nothing."""

    def __init__(self, broken):
        self._broken = broken
        self.committed = False

    async def begin_transaction(self):
        pass

    async def send(self, topic, _value, partition=0, **_record):
        future = asyncio.get_running_loop().create_future()
        if topic == self._broken:
            future.set_exception(ValueError("the message is too large"))
        else:
            future.set_result(SimpleNamespace(partition=partition, offset=7))
        return future

    async def commit_transaction(self):
        self.committed = True


@pytest.mark.parametrize("broken", ["", "notices", "reports"])
def test_a_record_that_is_not_acknowledged_keeps_the_whole_from_being_committed(broken):
    producer: Any = Producer(broken)
    writer = ControlWriter(producer, MacKeys([b"k" * 32]), "run")
    work = writer.write("reports", 2, [MARKER], [NOTICE])
    if not broken:
        assert asyncio.run(work) == {0: 7, 1: 7}
        assert producer.committed
        return
    with pytest.raises(ValueError, match="too large"):
        asyncio.run(work)
    assert not producer.committed
