"""Addresses where somebody listens who is no Kafka and does not say so: each wait has an end."""

import asyncio
import os
import signal
import subprocess
import time

import pytest

from streams.kafka.clients import KafkaClients
from streams.kafka.errors import KafkaError
from tests.kafka.test_without_a_broker import COMMANDS, folder  # noqa: F401 - a fixture
from tests.support.pipeline import PROGRAM
from tests.support.silent_peers import HOST, half_closed, peer, silent

PATIENCE_S = 240.0
"""Several times what a command takes for its own limits, for a machine that is busy."""
BEHAVIOURS = [silent, half_closed]


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
@pytest.mark.parametrize("kind", ["admin", "consumer", "producer"])
def test_a_client_ends_its_start_and_its_stop(behaviour, kind):
    async def start(port):
        clients = KafkaClients(f"{HOST}:{port}", "test", request_timeout_ms=300)
        async with getattr(clients, kind)() as client:
            if kind == "producer":
                await client.start()

    with peer(behaviour) as port, pytest.raises(KafkaError):
        asyncio.run(asyncio.wait_for(start(port), 60))


def started(command, folder, port):  # noqa: F811
    given = {
        "PATH": os.environ["PATH"],
        "REFUSION_BOOTSTRAP": f"{HOST}:{port}",
        "REFUSION_DEMO": "1",
        "REFUSION_STATE_DIR": "state",
    }
    return subprocess.Popen(
        [PROGRAM, *command], env=given, cwd=folder,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.long
def test_each_command_says_one_line_in_the_end(folder):  # noqa: F811
    with peer(silent) as one, peer(half_closed) as other:
        processes = [
            started(command, folder, port) for port in (one, other) for command in COMMANDS
        ]
        for process in processes:
            written, errors = process.communicate(timeout=PATIENCE_S)
            assert (process.returncode, written) == (2, ""), (process.args, errors)
            (line,) = errors.splitlines()
            assert line.startswith("refusion: "), process.args
            assert "(REFUSION_BOOTSTRAP)" in line


@pytest.mark.long
@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_a_worker_that_waits_for_them_ends_when_it_is_told(behaviour, folder):  # noqa: F811
    with peer(behaviour) as port:
        worker = started(["worker", "--processes", "1"], folder, port)
        time.sleep(5)
        worker.send_signal(signal.SIGTERM)
        _, errors = worker.communicate(timeout=PATIENCE_S)
    assert worker.returncode == 0, errors
    assert "Traceback" not in errors
