"""A browser's stand-in that asks a site in this process, as somebody or as nobody."""

from fastapi import FastAPI
from starlette.testclient import TestClient

from streams.settings import Settings
from streams.web.app import site
from streams.web.parts import Parts
from streams.web.sessions import COOKIE
from streams.web.visitors import Role, Visitor

HERE = "https://localhost"
SETTINGS = Settings.load({"REFUSION_DEMO": "1"})


def visitor(*roles, municipality=None, subject="tester"):
    return Visitor(subject, frozenset(map(Role, roles)), municipality, name="Tove Tester")


def a_site(settings=SETTINGS, has_log_on=True, **more):
    """A site of its own, with a log-on if wanted."""
    return site(settings, Parts(settings, has_log_on=has_log_on), url=HERE, **more)


def client_of(app: FastAPI, who: Visitor | None = None):
    """Return a client; `who` is logged on in it."""
    client = TestClient(app, HERE, follow_redirects=False, raise_server_exceptions=True)
    if who is not None:
        client.cookies[COOKIE] = app.state.parts.sessions.begin(who)
    return client
