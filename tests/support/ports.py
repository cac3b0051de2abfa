"""Ports for servers that tests start: nobody else is given them before they listen.

The system gives connections going out ports from 32,768 on, and a local Kafka takes its own from
20,000 on. Those of tests are below, each process of pytest has a part of them, and takes the next.
"""

import os
from itertools import cycle, islice

from streams.devtools.local_kafka.broker import is_free

PORTS = range(10_000, 20_000)
EACH = 500
"""Ports of a process of pytest."""


def part_of(worker):
    """Return the ports of a process by its name in pytest-xdist, or by none."""
    at = int(worker.removeprefix("gw") or 0) * EACH % len(PORTS)
    return PORTS[at : at + EACH]


_part = part_of(os.environ.get("PYTEST_XDIST_WORKER", ""))
_next = islice(cycle(_part), os.getpid() % EACH, None)  # beside another run of the tests


def free_ports(count):
    """Return the first of so many ports in a row on which nobody listens."""
    for _ in range(EACH):
        ports = tuple(islice(_next, count))
        if ports[-1] - ports[0] == count - 1 and all(map(is_free, ports)):
            return ports[0]
    raise AssertionError(f"no {count} ports in a row are free")


def free_port():
    """Return a port on which nobody listens."""
    return free_ports(1)
