"""Connections of a served site: silent ones, slow ones and very many leave room for others."""

import socket
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from fastapi import APIRouter, Depends
from fastapi.responses import PlainTextResponse

from streams.web import connections, doorway, server
from streams.web.app import ROUTERS
from streams.web.networks import network_of
from streams.web.rights import PUBLIC
from tests.support.browser import serving
from tests.support.ports import free_port
from tests.support.site_client import a_site

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
LARGE = 32 << 20
BOUND_S = 60
ESTABLISHED = "01"


def large_page():
    return PlainTextResponse("a" * LARGE)


@contextmanager
def served(monkeypatch, **bounds):
    for name, value in bounds.items():
        module = server if hasattr(server, name) else connections
        monkeypatch.setattr(module, name, value)
    router, port = APIRouter(), free_port()
    router.add_api_route("/large", large_page, dependencies=[Depends(PUBLIC)])
    with serving(a_site(routers=(*ROUTERS, router)), port):
        yield port


def opened(port, host="127.0.0.1"):
    return socket.create_connection(("127.0.0.1", port), BOUND_S, source_address=(host, 0))


def asked(port, host="127.0.0.1", request=HEALTH):
    """Ask on a connection of its own, and return the first line of the answer."""
    with opened(port, host) as connection:
        connection.sendall(request)
        return connection.recv(4096).partition(b"\r\n")[0]


def is_ended(connection):
    """Tell whether the site ends a connection, within a generous time."""
    try:
        while connection.recv(1 << 16):
            pass
    except TimeoutError:
        return False
    except ConnectionError:
        pass
    return True


@pytest.mark.parametrize("first", [b"", HEALTH])
@pytest.mark.parametrize("part", [b"", b"G", HEALTH[:-2]])
def test_who_sends_no_whole_head_is_left(monkeypatch, first, part):
    with served(monkeypatch, HEAD_S=0.3, IDLE_S=1) as port, opened(port) as connection:
        connection.sendall(first)
        if first:
            assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        connection.sendall(part)
        assert is_ended(connection)


def test_a_head_that_comes_byte_by_byte_has_no_more_time(monkeypatch):
    with served(monkeypatch, HEAD_S=0.5) as port, opened(port) as connection:
        connection.settimeout(0.05)
        until = time.monotonic() + BOUND_S
        while not is_ended(connection):
            assert time.monotonic() < until
            with suppress(ConnectionError):
                connection.sendall(b"a")


def test_a_site_that_is_full_of_silent_connections_answers_others(monkeypatch):
    with served(monkeypatch, MOST_AT_ONCE=20, HEAD_S=600.0) as port, ExitStack() as stack:
        for _ in range(60):
            stack.enter_context(opened(port)).sendall(b"GET / HTTP/1.1\r\n")
        for _ in range(5):
            assert asked(port) == b"HTTP/1.1 200 OK"


def test_one_network_leaves_room_for_others(monkeypatch):
    with served(monkeypatch, MOST_OF_NETWORK=5, HEAD_S=600.0) as port, ExitStack() as stack:
        mine = [stack.enter_context(opened(port, "127.0.0.2")) for _ in range(5)]
        assert asked(port, "127.0.0.2").startswith(b"HTTP/1.1 503")
        assert asked(port) == b"HTTP/1.1 200 OK"
        mine[0].close()
        until = time.monotonic() + BOUND_S
        while asked(port, "127.0.0.2").startswith(b"HTTP/1.1 503"):
            assert time.monotonic() < until


def is_left(connection):
    """Tell whether the site has closed its end: who does not read does not hear of it."""
    ends = [f"0100007F:{at[1]:04X}" for at in (connection.getpeername(), connection.getsockname())]
    table = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return not any(line.split()[1:4] == [*ends, ESTABLISHED] for line in table)


def test_who_does_not_read_an_answer_is_left(monkeypatch):
    with served(monkeypatch, READ_S=0.3) as port, opened(port) as connection:
        connection.sendall(HEALTH.replace(b"healthz", b"large"))
        until, read = time.monotonic() + BOUND_S, 0
        while not is_left(connection):
            assert time.monotonic() < until, "the site still waits for its reader"
            time.sleep(0.05)
        try:
            while time.monotonic() < until and (more := len(connection.recv(1 << 16))):
                read += more
        except ConnectionError:
            pass
        assert read < LARGE


def test_who_reads_slowly_gets_the_whole_answer(monkeypatch):
    with served(monkeypatch, READ_S=1.0, IDLE_S=1) as port, opened(port) as connection:
        connection.sendall(HEALTH.replace(b"healthz", b"large"))
        read, until = 0, time.monotonic() + BOUND_S
        while read < LARGE and time.monotonic() < until:
            read += len(connection.recv(1 << 20))
            time.sleep(0.05)
        assert read > LARGE


TWO_ENDS = (
    b"POST /log-af HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
)


def test_a_request_that_ends_in_two_places_is_refused_and_what_follows_is_not_read(monkeypatch):
    with served(monkeypatch) as port, opened(port) as connection:
        connection.sendall(TWO_ENDS + HEALTH)
        told = b""
        with suppress(ConnectionError):
            while more := connection.recv(1 << 16):
                told += more
        assert told.startswith(b"HTTP/1.1 400")
        assert told.count(b"HTTP/1.1") == 1


POST = b"POST /kontakt HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n"
POST += b"Content-Type: application/x-www-form-urlencoded\r\n\r\n"


def test_a_body_that_comes_byte_by_byte_has_no_more_time(monkeypatch):
    monkeypatch.setattr(doorway, "BODY_S", 0.5)
    with served(monkeypatch, LINGER_S=0.2) as port, opened(port) as connection:
        connection.sendall(POST % 10_000)
        connection.settimeout(0.05)
        until, told = time.monotonic() + BOUND_S, b""
        while not told:
            assert time.monotonic() < until
            connection.sendall(b"a")
            with suppress(TimeoutError):
                told = connection.recv(4096)
        assert told.startswith(b"HTTP/1.1 408")


def test_who_goes_on_sending_a_body_that_was_refused_is_left(monkeypatch):
    with served(monkeypatch, LINGER_S=0.2) as port, opened(port) as connection:
        connection.sendall(POST % 10_000_000_000)
        assert connection.recv(4096).startswith(b"HTTP/1.1 413")
        until = time.monotonic() + BOUND_S
        with pytest.raises(ConnectionError):
            send_on(connection, until)
        assert time.monotonic() < until


def send_on(connection, until):
    while time.monotonic() < until:
        connection.sendall(b"a" * 100)
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        ("testclient", "testclient", True),
    ],
)
def test_a_visitor_by_ipv6_has_a_network(one, other, same):
    assert (network_of(one) == network_of(other)) == same
