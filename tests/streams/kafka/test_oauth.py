"""A token for OAUTHBEARER: asked for once while it is good, and refusals told from outages."""

import asyncio
import threading
import time
from base64 import b64decode
from http.server import BaseHTTPRequestHandler, HTTPServer

import orjson
import pytest

from streams.kafka import oauth
from streams.kafka.connection_errors import LogonRefusedError, TokenUnavailableError
from streams.kafka.oauth import TokenProvider
from streams.kafka.oauth_client import OauthClient
from tests.support.silent_peers import dripping, half_closed, peer, silent


class _Answering(BaseHTTPRequestHandler):
    server: "TokenServer"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.asked.append((self.headers["Authorization"], body))
        self.send_response(self.server.status)
        self.send_header("Location", "/elsewhere")
        self.end_headers()
        self.wfile.write(self.server.answer)

    def log_message(self, *_):
        pass


class TokenServer(HTTPServer):
    """Gives the answers that a test plans, and keeps what it was asked."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Answering)
        self.status, self.answer = 200, b"{}"
        self.asked: list[tuple[str, str]] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def provider(self):
        url = f"http://127.0.0.1:{self.server_port}/token"
        return TokenProvider(OauthClient(url, "anna", "p:å"))


@pytest.fixture
def server():
    running = TokenServer()
    yield running
    running.shutdown()
    running.server_close()


def answer(token, **more):
    return orjson.dumps({"access_token": token, **more})


def test_a_token_is_asked_for_by_client_credentials_and_kept_while_it_is_good(server):
    async def three():
        provider = server.provider()
        server.answer = answer("one", expires_in=3600)
        first = [await provider.token(), await provider.token()]
        provider._until = 0
        server.answer = answer("two", expires_in=3600)
        return [*first, await provider.token()]

    assert asyncio.run(three()) == ["one", "one", "two"]
    assert len(server.asked) == 2
    said, body = server.asked[0]
    assert b64decode(said.removeprefix("Basic ")) == b"anna:p%3A%C3%A5"
    assert body == "grant_type=client_credentials"


@pytest.mark.parametrize("expires_in", [0, None, "soon", -5])
def test_a_token_of_no_time_is_asked_for_again(server, expires_in):
    server.answer = answer("t", expires_in=expires_in)
    provider = server.provider()
    assert asyncio.run(provider.token()) == asyncio.run(provider.token()) == "t"
    assert len(server.asked) == (2 if expires_in in (0, -5) else 1)


@pytest.mark.parametrize(
    ("status", "content", "error"),
    [
        (401, b"{}", LogonRefusedError),
        (400, b"{}", LogonRefusedError),
        (500, b"{}", TokenUnavailableError),
        (302, b"{}", TokenUnavailableError),
        (200, b"no json", TokenUnavailableError),
        (200, b"[]", TokenUnavailableError),
        (200, b"[" * 2_000, TokenUnavailableError),
        (200, b'{"access_token": 7}', TokenUnavailableError),
    ],
)
def test_a_refusal_is_told_from_a_server_that_does_not_do_its_work(server, status, content, error):
    server.status, server.answer = status, content
    with pytest.raises(error) as caught:
        asyncio.run(server.provider().token())
    assert "p:å" not in str(caught.value)
    assert len(server.asked) == 1


def test_a_server_that_is_silent_is_not_waited_for(server, monkeypatch):
    monkeypatch.setattr(oauth, "TIMEOUT_S", 0.2)
    server.shutdown()
    with pytest.raises(TokenUnavailableError):
        asyncio.run(server.provider().token())


@pytest.mark.parametrize("behaviour", [silent, half_closed, dripping])
def test_a_server_that_never_ends_its_answer_holds_nobody_up(behaviour, monkeypatch):
    """Not the log-on, and not the end of the program, which waits for threads of the library."""
    monkeypatch.setattr(oauth, "ANSWER_S", 0.3)
    with peer(behaviour) as port:
        provider = TokenProvider(OauthClient(f"http://127.0.0.1:{port}/token", "anna", "p"))
        began = time.monotonic()
        with pytest.raises(TokenUnavailableError):
            asyncio.run(provider.token())
    assert time.monotonic() - began < oauth.TIMEOUT_S
