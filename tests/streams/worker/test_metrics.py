"""Metrics: what is kept is counted once, nothing names a citizen, and health says what is wrong."""

import asyncio
import socket
import threading
import time
from collections import Counter
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from streams.engine.ports import Processed
from streams.settings import Settings, SettingsError
from streams.worker.metrics import STANDSTILL_S, MeteredStage, Metrics
from streams.worker.metrics_server import serve
from tests.support.ports import free_port

CITIZEN = "8e35727e3d8d2d44a802ca54e344d263"
COUNTS = {
    ("rejected", "internal_error"): 1,
    ("rejected_of", "12345678"): 1,
    ("postings", "late_report"): 1,
    ("correction_rows", "late_report"): 2,
}
BOOKED = {
    ("booked_rows", "refusion"): 2,
    ("booked_rows", "medfinansiering"): 1,
    ("booked_ore", "refusion"): 300,
    ("booked_ore", "medfinansiering"): 7,
}

RECORDS: list[Any] = [object()] * 5


class Work:
    def __init__(self, counts):
        self.counts = counts

    async def restore(self):
        pass

    async def position(self, committed):
        return committed

    def process(self, records, _position):
        return Processed([], len(records), self.counts)

    async def keep(self, ends, position):
        pass

    async def close(self):
        pass


class Stage:
    name, topic, source_expires = "citizens", "t.reports", False
    blameless = ()

    def __init__(self, counts):
        self.counts = counts
        self.events: Counter[str] = Counter()

    def work(self, _):
        return Work(self.counts)

    def sink(self, *_whose):
        raise AssertionError("nothing is committed here")


class Outage:
    is_on = False


def value(metrics, name, **labels):
    return metrics.registry.get_sample_value(f"refusion_{name}", labels)


@pytest.fixture
def metrics():
    return Metrics()


@pytest.fixture
def worked(metrics):
    return MeteredStage(Stage(COUNTS), metrics).work(3)


def test_a_batch_counts_when_it_is_kept(metrics, worked):
    worked.process(RECORDS, 5)
    assert value(metrics, "records_total", stage="citizens") == 0
    asyncio.run(worked.keep({}, 5))
    for name, labels, expected in (
        ("records_total", {"stage": "citizens"}, 5),
        ("batch_records_count", {"stage": "citizens"}, 1),
        ("commit_seconds_count", {"stage": "citizens"}, 1),
        ("rejected_total", {"stage": "citizens", "reason": "internal_error"}, 1),
        ("rejected_of_reporter_total", {"reporter": "12345678"}, 1),
        ("postings_total", {"reason": "late_report"}, 1),
        ("correction_rows_total", {"reason": "late_report"}, 2),
    ):
        assert value(metrics, name, **labels) == expected, name


def test_a_batch_that_is_given_up_counts_as_abandoned_only(metrics, worked):
    worked.process(RECORDS, 5)
    worked.process(RECORDS, 5)
    asyncio.run(worked.close())
    assert value(metrics, "abandoned_batches_total", stage="citizens") == 2
    assert value(metrics, "records_total", stage="citizens") == 0


def test_what_comes_into_the_ledger_is_counted_by_mechanism(metrics):
    work = MeteredStage(Stage(BOOKED), metrics).work(0)
    work.process(RECORDS[:1], 1)
    asyncio.run(work.keep({}, 1))
    assert value(metrics, "booked_ore", mechanism="refusion") == 300
    assert value(metrics, "booked_rows_total", mechanism="refusion") == 2
    assert value(metrics, "booked_rows_total", mechanism="medfinansiering") == 1


def test_no_label_names_a_citizen(metrics, worked):
    worked.process(RECORDS[:1], 1)
    asyncio.run(worked.keep({}, 5))
    labels = {
        (name, label)
        for family in metrics.registry.collect()
        for sample in family.samples
        for name, label in sample.labels.items()
    }
    assert {name for name, _ in labels} <= {
        "stage", "partition", "reason", "mechanism", "le",
        "reporter",  # an authority, by its number in the register
    }  # fmt: skip
    assert not any(CITIZEN in label for _, label in labels)


def settings(**more):
    return Settings.load({"REFUSION_DEMO": "1", **more})


def answer(address):
    try:
        with urlopen(address, timeout=5) as response:  # noqa: S310 - our own
            return response.status, response.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


def test_health_is_served_and_says_what_is_wrong(metrics):
    port = free_port()
    end = serve(metrics, settings(REFUSION_METRICS_PORT=str(port - 2)), 2)
    try:
        at = f"http://127.0.0.1:{port}"
        assert answer(f"{at}/healthz") == (200, "ok\n")
        assert answer(f"{at}/readyz") == (503, "the stages have not begun\n")
        metrics.begins(Outage)
        assert answer(f"{at}/readyz") == (200, "ok\n")
        metrics.restoring.add(("citizens", 1))
        assert answer(f"{at}/readyz") == (503, "1 partitions are being restored\n")
        Outage.is_on = True
        assert answer(f"{at}/readyz") == (503, "Kafka does not answer\n")
        assert answer(f"{at}/healthz") == (200, "ok\n")
        assert "refusion_kafka_outage 1.0" in answer(f"{at}/metrics")[1]
        metrics.beat_at = time.monotonic() - STANDSTILL_S - 1
        assert answer(f"{at}/healthz") == (503, "the event loop has stood still for over 10 s\n")
        assert answer(f"{at}/router/")[0] == 404
        serve(metrics, settings(REFUSION_METRICS_PORT=str(port)), 0)()  # taken: said, and no more
    finally:
        Outage.is_on = False
        end()


def test_it_is_off_and_bound_to_this_machine_unless_it_is_asked_for():
    assert settings().metrics_port is None
    assert settings().metrics_host == "127.0.0.1"
    with pytest.raises(SettingsError, match="REFUSION_METRICS_PORT must be a port"):
        settings(REFUSION_METRICS_PORT="70000")


def test_connections_that_ask_nothing_take_a_bounded_number_of_threads(monkeypatch):
    monkeypatch.setattr("streams.worker.metrics_server.CONNECTIONS", 3)
    port = free_port()
    settings = Settings.load({"REFUSION_METRICS_PORT": str(port)})
    end = serve(Metrics(), settings, 0)
    before = threading.active_count()
    silent = [socket.create_connection(("127.0.0.1", port), timeout=30) for _ in range(10)]
    closed = [connection for connection in silent if _is_closed(connection)]
    assert (len(closed), threading.active_count()) == (7, before + 3)
    for connection in silent:
        connection.close()
    while threading.active_count() > before:
        time.sleep(0.01)
    assert urlopen(f"http://127.0.0.1:{port}/healthz", timeout=30).status == 200
    end()


def _is_closed(connection):
    """The first three are kept; of the others the server says goodbye."""
    connection.settimeout(0.5)
    try:
        return connection.recv(1) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True
