"""A real Apache Kafka for the tests: one broker for each test process, started when the first test needs it."""

import uuid

import pytest

from streams.localkafka import QUICK_START, LocalKafka
from streams.settings import Settings


@pytest.fixture(scope="session")
def kafka():
    """A running broker. A test may kill it if it restarts it."""
    with LocalKafka(java_options=QUICK_START) as running:
        yield running


@pytest.fixture
def prefix():
    """Topic names of this test alone."""
    return f"test-{uuid.uuid4().hex[:12]}."


@pytest.fixture
def settings(kafka, prefix, tmp_path):
    """Demo settings for the broker: 4 partitions, own topics, own state folder."""
    return Settings.load(
        {
            "REFUSION_BOOTSTRAP": kafka.bootstrap,
            "REFUSION_PREFIX": prefix,
            "REFUSION_PARTITIONS": "4",
            "REFUSION_STATE_DIR": str(tmp_path / "state"),
            "REFUSION_DEMO": "1",
        }
    )
