"""Ports of tests: in a row, nobody's, and never of the system or of another process of tests."""

import socket
from pathlib import Path

import pytest

from streams.devtools.local_kafka.broker import PORTS as OF_KAFKA
from tests.support.ports import PORTS, free_port, free_ports, part_of

FIRST_OF_THE_SYSTEM = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])


def test_no_two_processes_share_a_port_and_none_is_of_the_system_or_a_kafka():
    parts = [set(part_of(f"gw{number}")) for number in range(20)]
    assert set.union(*parts) == set(PORTS)
    assert sum(map(len, parts)) == len(PORTS)
    assert not set(PORTS) & set(OF_KAFKA)
    assert max(PORTS) < FIRST_OF_THE_SYSTEM


def test_a_port_is_not_given_again_before_all_others_were():
    given = [free_port() for _ in range(20)]
    assert len(set(given)) == len(given)


@pytest.mark.parametrize("count", [2, 3])
def test_ports_in_a_row_leave_out_one_that_is_taken(count):
    first = free_ports(1)
    with socket.create_server(("127.0.0.1", first + 1)) as taken:
        begun = free_ports(count)
        assert taken.getsockname()[1] == first + 1
    assert first + 1 not in range(begun, begun + count)
