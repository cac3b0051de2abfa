"""A browser's stand-in that asks a site in this process, as somebody or as nobody."""

from fastapi import FastAPI
from starlette.testclient import TestClient

from streams.kit.web_settings import OidcClient
from streams.settings import Settings
from streams.web.access import AccessBook
from streams.web.app import ROUTERS, site
from streams.web.board import Board
from streams.web.folder import Folder
from streams.web.parts import Parts
from streams.web.provider import OidcProvider
from streams.web.sessions import COOKIE
from streams.web.visitors import Role, Visitor

HERE = "https://localhost"
SETTINGS = Settings.load({"REFUSION_DEMO": "1"})


def visitor(*roles, municipality=None, subject="tester"):
    return Visitor(subject, frozenset(map(Role, roles)), municipality, name="Tove Tester")


NOWHERE = OidcProvider(OidcClient("http://localhost:1", "site", "secret"))
"""A provider that nobody asks."""


def a_site(settings=SETTINGS, provider: OidcProvider | None = NOWHERE, routers=ROUTERS, **parts):
    """A site of its own, with a log-on if wanted."""
    book = parts.pop("access", None) or AccessBook(settings)
    board = parts.pop("board", None) or Board(settings)
    folder = parts.pop("folder", None) or Folder(None)
    return site(settings, Parts(settings, HERE, book, board, folder, provider, **parts), routers)


def client_of(app: FastAPI, who: Visitor | None = None):
    """Return a client; `who` is logged on in it."""
    client = TestClient(app, HERE, follow_redirects=False, raise_server_exceptions=True)
    if who is not None:
        client.cookies[COOKIE] = app.state.parts.sessions.begin(who)
    return client
