"""The machines of a real cluster: brokers behind a proxy, workers, and a publisher."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from shutil import rmtree
from typing import Any

from aiokafka import AIOKafkaProducer

from streams.devtools.local_kafka import LocalKafka
from streams.devtools.local_kafka.broker import HOST, free_ports, is_free
from streams.devtools.local_kafka.jars import broker_jars
from streams.kafka import topics
from streams.kafka.errors import KafkaError
from streams.operations.publish import record_key
from tests.support.pipeline import QUICK_RETURN
from tests.support.proxy import Proxy

STAGES = ("intake", "citizens", "projections")
FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
JAVA = ("-Xmx400m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
PAUSE_S = 0.02
START_S = 600.0


class ProxiedKafka(LocalKafka):
    """Three brokers whose clients come through a proxy; among each other they do not."""

    def __init__(self, nodes=3):
        super().__init__(nodes, properties=QUICK_RETURN, java_options=JAVA)
        numbers = [node.number for node in self.nodes]
        self._fronts = dict(zip(numbers, free_ports(nodes), strict=True))
        self._inner = dict(zip(numbers, free_ports(nodes), strict=True))
        self.proxy = Proxy(
            {node.number: (self._fronts[node.number], node.ports.broker) for node in self.nodes}
        )

    @property
    def bootstrap(self):
        return ",".join(f"{HOST}:{port}" for port in self._fronts.values())

    def _server(self, node):
        inner = f"INNER://{HOST}:{self._inner[node.number]}"
        properties = super()._server(node)
        return properties | {
            "listeners": f"{properties['listeners']},{inner}",
            "advertised.listeners": f"PLAINTEXT://{HOST}:{self._fronts[node.number]},{inner}",
            "inter.broker.listener.name": "INNER",
            "listener.security.protocol.map": (
                "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,INNER:PLAINTEXT"
            ),
        }

    def node(self, number):
        return next(node for node in self.nodes if node.number == number)

    def begin(self, number):
        """Start a broker without waiting for it; what still runs stays."""
        node = self.node(number)
        if node.pid is None:
            node.start((*self._java_options, "-cp", f"{broker_jars()}/*"), False, None)

    def node_listens(self, number):
        return not is_free(self.node(number).ports.broker)

    def controller(self):
        """The number of the node that leads the controllers, as any of them says."""
        for node in self.nodes:
            path = node.folder / "data" / "__cluster_metadata-0" / "quorum-state"
            with suppress(OSError, ValueError):
                if (leader := json.loads(path.read_text()).get("leaderId", -1)) > 0:
                    return leader
        return self.nodes[0].number


class WorkerMachine:
    """One worker process with its own disk and its own clock."""

    def __init__(self, number, settings, folder, fakes_time):
        self.number = number
        self.state = folder / f"state-{number}"
        self.log = folder / f"worker-{number}.log"
        self._clock = folder / f"clock-{number}" if fakes_time else None
        self._settings = settings
        self.process: Any = None
        self.set_clock(0)

    def start(self):
        given = {
            name: value
            for name, (value, origin) in self._settings.values.items()
            if origin == "environment"
        }
        given["REFUSION_STATE_DIR"] = str(self.state)
        if self._clock is not None:
            given |= {
                "LD_PRELOAD": str(FAKETIME), "FAKETIME_TIMESTAMP_FILE": str(self._clock),
                "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            }  # fmt: skip
        command = [sys.executable, "-m", "streams.worker.app", *STAGES]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, env={**os.environ, **given}, stderr=log)

    @property
    def has_own_clock(self):
        return self._clock is not None

    def set_clock(self, seconds):
        """Set the machine's clock forward or back."""
        if self._clock is not None:
            self._clock.write_text(f"{seconds:+d}\n")

    def kill(self):
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()

    def signal(self, number):
        self.process.send_signal(number)

    def forget_disk(self):
        """Take the disk away from a machine whose process is dead; a mount stays, empty."""
        for path in self.state.glob("*"):
            rmtree(path, ignore_errors=True)

    def ended(self):
        """The status of a process that ended by itself, None while it works."""
        return self.process.poll()


class Publisher:
    """Publishes lines without end, from a thread; notes which places were acknowledged."""

    def __init__(self, settings, lines):
        self._settings = settings
        self._lines = lines
        self._stopped = threading.Event()
        self.acknowledged = set()
        self.failures = 0
        self._thread = threading.Thread(target=lambda: asyncio.run(self._publish()), daemon=True)

    def start(self):
        self._thread.start()

    def stop(self):
        self._stopped.set()
        self._thread.join(START_S)
        assert not self._thread.is_alive(), "the publisher does not end"

    async def _publish(self):
        left = iter(self._lines)
        line = next(left)
        while not self._stopped.is_set():
            producer = AIOKafkaProducer(
                bootstrap_servers=self._settings.bootstrap,
                enable_idempotence=True,
                request_timeout_ms=15_000,
            )
            try:
                await producer.start()
                while not self._stopped.is_set():
                    done = await producer.send_and_wait(
                        self._settings.topic(topics.RAW), line, key=record_key(line)
                    )
                    self.acknowledged.add((done.partition, done.offset))
                    line = next(left)
                    await asyncio.sleep(PAUSE_S)
            except (KafkaError, OSError, TimeoutError):
                self.failures += 1
                await asyncio.sleep(0.5)
            finally:
                with suppress(KafkaError, OSError, TimeoutError):
                    await asyncio.wait_for(producer.stop(), 20)


def endless(lines):
    """Lines again and again; of the later rounds some are new, because their ids are."""
    number = 0
    chance = random.Random(5)
    while True:
        for line in lines:
            if number and chance.random() < 0.7:
                yield line.replace(b'"report_id": "', b'"report_id": "%d-' % number).replace(
                    b'"report_id":"', b'"report_id":"%d-' % number
                )
            else:
                yield line
        number += 1


def wait_for(come_about, what, seconds=START_S):
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not come_about():
        assert time.monotonic() < deadline, f"{what} did not come about in {seconds:.0f} s"
        time.sleep(0.2)
