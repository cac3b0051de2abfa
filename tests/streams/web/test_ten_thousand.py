"""10,000 requests at once: each visitor gets the own page or a refusal, and all ends."""

import asyncio
import contextlib
import gc
import re
import resource
import threading

import pytest

from streams.web.sessions import COOKIE
from tests.support.browser import serving
from tests.support.lis_site import lis_site
from tests.support.ports import free_port
from tests.support.site_client import visitor

MANY = 10_000
VISITORS = 40
PLACES = ("730", "751")
NETWORKS = 50
AT_A_TIME = 50
WAIT_S = 300.0
MOST_GROWTH_KB = 400 * 1024
MOST_THREADS = 40 + 20
"""Threads that a site may have begun: anyio's, for plain functions, and those of the lanes."""
NAMES = re.compile(r"subject-of-\d+|Gæst nr\. \d+ ")
SHUT_OUT = (b"HTTP/1.1 503", b"")
"""Beginnings of the answers of a full site: a word, or an end."""


def of(number):
    """Return a visitor whose name is like no other's."""
    found = visitor("lis", municipality=PLACES[number % 2], subject=f"subject-of-{number}")
    return type(found)(found.subject, found.roles, found.municipality, f"Gæst nr. {number} ")


async def answer_of(port, path, session, network=0):
    """Ask in a connection of one's own, and read all that comes; b"" where nothing does."""
    cookie = f"Cookie: {COOKIE}={session}\r\n" if session else ""
    head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{cookie}Connection: close\r\n\r\n"
    writer = None
    try:
        async with asyncio.timeout(WAIT_S):
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", port, local_addr=(f"127.0.{network}.1", 0)
            )
            writer.write(head.encode())
            return await reader.read()
    except (OSError, TimeoutError):
        return b""
    finally:
        if writer is not None:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


def asked(number, sessions):
    """Return the path, the session, and the visitor's number of a request; None for nobody."""
    who = number % VISITORS
    kinds = {
        0: (f"/lis/beloeb?municipality={PLACES[who % 2]}", who),
        1: (f"/lis/beloeb.json?municipality={PLACES[(who + 1) % 2]}", who),
        2: ("/regler/sager/none", who),
        3: ("/lis/beloeb.json", None),
    }
    path, whose = kinds.get(number % 20, ("/tilgaengelighed", who if number % 2 else None))
    return path, sessions[whose] if whose is not None else "", whose


@pytest.mark.long
def test_ten_thousand_at_once_are_served_or_refused_and_nobody_sees_anothers(folder):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    need = MANY + 3_000
    if hard != resource.RLIM_INFINITY and hard < need:
        pytest.skip(f"this machine allows {hard} open files, and {need} are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, need), hard))
    app = lis_site(folder)
    sessions = [app.state.parts.sessions.begin(of(number)) for number in range(VISITORS)]
    requests = [asked(number, sessions) for number in range(MANY)]
    port = free_port()

    async def attack():
        asking = []
        for number, (path, key, _) in enumerate(requests):
            network = 1 + number % NETWORKS
            asking.append(asyncio.create_task(answer_of(port, path, key, network)))
            if number % AT_A_TIME == 0:
                await asyncio.sleep(0)  # those that have begun write before the last ones begin
        return await asyncio.gather(*asking)

    with serving(app, port):
        alone = asyncio.run(answer_of(port, requests[0][0], requests[0][1]))
        assert alone.startswith(b"HTTP/1.1 200")
        threads, before = threading.active_count(), resource.getrusage(resource.RUSAGE_SELF)
        answers = asyncio.run(attack())
        served = 0
        for (path, _, whose), answer in zip(requests, answers, strict=True):
            if answer[:12] in SHUT_OUT:
                continue
            served += 1
            status, text = int(answer[9:12]), answer.decode()
            names = set(NAMES.findall(text))
            assert names <= ({f"Gæst nr. {whose} "} if whose is not None else set()), path
            if ".json" in path:
                assert status == (401 if whose is None else 403), path
                assert '"rows"' not in text
            else:
                assert status in {200, 404}, path
        assert served > MANY / 50
        after = asyncio.run(answer_of(port, requests[0][0], requests[0][1]))
        assert after.partition(b"\r\n\r\n")[2] == alone.partition(b"\r\n\r\n")[2]
        assert asyncio.run(answer_of(port, "/healthz", "")).startswith(b"HTTP/1.1 200")
        gc.collect()
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before.ru_maxrss
        assert grown < MOST_GROWTH_KB, f"{grown} kB"
        assert threading.active_count() <= threads + MOST_THREADS
