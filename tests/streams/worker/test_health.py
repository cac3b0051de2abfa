"""The health check of a container asks every process that listens in it."""

import socket
from contextlib import contextmanager

import pytest

from streams.settings import Settings
from streams.worker.health import problem
from streams.worker.metrics import Metrics
from streams.worker.metrics_server import serve
from tests.support.ports import free_ports


@contextmanager
def serving(*late_s):
    """Serve the metrics of processes, whose event loops have not turned for so long."""
    first = free_ports(len(late_s) + 1)
    settings = Settings.load({"REFUSION_METRICS_PORT": str(first)})
    ends = []
    for number, seconds in enumerate(late_s):
        metrics = Metrics()
        metrics.beat_at -= seconds
        ends.append(serve(metrics, settings, number))
    yield range(first, first + len(late_s) + 1)
    for end in ends:
        end()


def test_processes_that_are_well_are_well():
    with serving(0, 0) as ports:
        assert problem(ports) == ""


def test_one_process_that_stands_still_makes_the_container_unhealthy():
    with serving(0, 60) as ports:
        assert "the event loop has stood still" in problem(ports)


@pytest.mark.parametrize("ports", [range(1, 3), range(0)])
def test_a_container_in_which_nobody_listens_is_unhealthy(ports):
    assert problem(ports) == "no process of this container listens"


def test_a_process_that_takes_connections_and_does_not_answer_is_not_well(monkeypatch):
    monkeypatch.setattr("streams.worker.health.ANSWER_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        assert problem([port]) == f"port {port} does not answer (TimeoutError)"
