"""A stranger's attacks on a served site: rubbish, huge bodies, slow readers, many at once."""

import asyncio
import logging
import random
from http import HTTPStatus

import pytest

from streams.web.app import routes_of
from streams.web.server import MOST_AT_ONCE
from tests.support.browser import serving
from tests.support.ports import free_port
from tests.support.site_client import a_site, client_of, visitor

CPR = "0101901234"
RUBBISH = [
    "../../etc/passwd", "%00", "'; DROP TABLE--", "\u202e", "9" * 400, "-1", "null",
    "<script>alert(1)</script>", "{{7*7}}", "751", "2026-13", "\ud7ff", "%2e%2e%2f",
]  # fmt: skip


@pytest.fixture(scope="module")
def client():
    roles = ("auditor", "caseworker", "operator")
    return client_of(a_site(), visitor(*roles, municipality="730"))


@pytest.mark.parametrize("route", routes_of(), ids=lambda route: route.path)
def test_rubbish_in_every_place_makes_no_defect_and_no_echo(route, client, caplog):
    caplog.set_level(logging.INFO, "refusion")
    chance = random.Random(route.path)
    for value in (CPR, *chance.sample(RUBBISH, 3)):
        names = ["municipality", "month", "run", "til", "sendt", "code", "state", "x"]
        params = dict.fromkeys(chance.sample(names, 3), value)
        path = route.path
        for name in route.param_convertors:
            path = path.replace(f"{{{name}}}", "x" if "/" in value else value)
        for method in sorted(route.methods or ()):
            answer = client.request(
                method, path, params=params, data=params if method == "POST" else None
            )
            assert answer.status_code != HTTPStatus.INTERNAL_SERVER_ERROR, (path, params)
            assert "<script>alert" not in answer.text
            assert CPR not in answer.text + str(answer.headers)
    assert CPR not in caplog.text


@pytest.fixture
def served():
    """The port of a site that is served as in production."""
    port = free_port()
    with serving(a_site(), port):
        yield port


async def _answer(port, request, wait=60.0):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        await writer.drain()
        async with asyncio.timeout(wait):
            return (await reader.readline()).decode()
    except (ConnectionError, BrokenPipeError):
        return "closed"
    finally:
        writer.close()


def _get(path):
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()


HUGE = (
    b"POST /kontakt HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n"
    b"Content-Type: application/x-www-form-urlencoded\r\n\r\ntext="
)
NO_HTTP = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc" * 50


@pytest.mark.long
def test_the_site_lives_through_many_at_once_slow_readers_and_rubbish(served):
    async def attack():
        slow = [await asyncio.open_connection("127.0.0.1", served) for _ in range(100)]
        for _, writer in slow:
            writer.write(_get("/static/vendored/css/dkfds.min.css")[:-2])
        huge = await _answer(served, HUGE)
        await _answer(served, NO_HTTP)
        many = await asyncio.gather(
            *(_answer(served, _get("/tilgaengelighed")) for _ in range(800))
        )
        for _, writer in slow:
            writer.close()
        return huge, many

    huge, many = asyncio.run(attack())
    assert huge.startswith("HTTP/1.1 413")
    assert {line.split()[1] for line in many if line and line != "closed"} <= {"200", "503"}
    assert sum("200" in line for line in many) > len(many) / 2
    assert asyncio.run(_answer(served, _get("/healthz"))).startswith("HTTP/1.1 200")
    assert len(many) <= MOST_AT_ONCE
