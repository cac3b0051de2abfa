"""A replay whose brokers go while its processes read says so in a sentence."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError

from streams.operations import replay
from streams.operations.replay_partition import ReplayError


def test_brokers_that_go_while_a_process_reads_are_no_defect_of_the_program(monkeypatch):
    def gone(*_):
        raise KafkaConnectionError

    monkeypatch.setattr(replay, "processes", ThreadPoolExecutor)
    monkeypatch.setattr(replay, "read_share", gone)
    settings: Any = SimpleNamespace(bootstrap="somewhere:9092")
    shares: Any = [SimpleNamespace(partition=0, committed=1)]
    with pytest.raises(ReplayError, match="no Kafka answers at somewhere:9092"):
        asyncio.run(replay._read_all(settings, 1, shares, lambda *_: None))
