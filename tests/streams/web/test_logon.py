"""Logging on by a real code flow, in this process; sessions, tokens of programs, and their ends."""

import hmac
import logging
import re
import time
from base64 import urlsafe_b64encode
from http import HTTPStatus
from typing import Annotated

import httpx2
import oidc_provider_mock
import pytest
from fastapi import APIRouter, Depends
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.testclient import TestClient

from streams.kit.web_settings import OidcClient
from streams.settings import Settings
from streams.web.access import LOG_OFF, LOG_ON, AccessBook
from streams.web.app import ROUTERS, right_of, routes_of
from streams.web.attempts import ATTEMPT_S, Attempts, Begun
from streams.web.grants import GrantMap
from streams.web.limits import Limiter, SiteLimits
from streams.web.logon import ATTEMPT_COOKIE, safe_path, start_of
from streams.web.provider import LogOnAttempt, OidcProvider
from streams.web.rights import RUNS, scope, view_right
from streams.web.sessions import COOKIE, IDLE_S, LONGEST_S, Sessions
from streams.web.visitors import Role, Visitor
from tests.support.acts_in_memory import MemoryActTopic
from tests.support.site_client import HERE, a_site, client_of, visitor

ANNE = {"municipality": ["730"], "roles": ["economy"], "name": "Anne Økonom"}
NOBODY = {"roles": ["gardener"], "municipality": ["730"]}
RECORDED = Settings.load({"REFUSION_DEMO": "1", "REFUSION_BOOTSTRAP": "127.0.0.1:1"})


@pytest.fixture(scope="module")
def issuer():
    users = [
        oidc_provider_mock.User(sub="anne", claims=ANNE),
        oidc_provider_mock.User(sub="nobody", claims=NOBODY),
    ]
    with oidc_provider_mock.run_server_in_thread(user_claims=users) as server:
        yield f"http://localhost:{server.server_port}"


@pytest.fixture
def topic():
    return MemoryActTopic()


@pytest.fixture
def settings(tmp_path):
    return Settings.load(
        {
            "REFUSION_DEMO": "1",
            "REFUSION_BOOTSTRAP": "127.0.0.1:1",
            "REFUSION_STATE_DIR": str(tmp_path),
        }
    )


@pytest.fixture
def app(issuer, topic, settings):
    provider = OidcProvider(OidcClient(issuer, "site", "secret"))
    return a_site(settings, provider, access=AccessBook(settings, topic.open))


def at_the_provider(client, subject, path="/log-paa?til=/koersler"):
    """Begin, log on at the provider, and return the address that it sends the visitor back to."""
    begun = client.get(path)
    assert begun.status_code == HTTPStatus.SEE_OTHER
    answer = httpx2.post(begun.headers["location"], data={"sub": subject})
    assert answer.status_code == HTTPStatus.FOUND
    return answer.headers["location"].removeprefix(HERE)


def records(topic):
    return [record.value for record in topic.kept]


def test_one_logs_on_sees_the_page_that_was_wanted_and_logs_off(app, topic, issuer):
    client = client_of(app)
    answer = client.get(at_the_provider(client, "anne"))
    assert (answer.status_code, answer.headers["location"]) == (303, "/koersler")
    cookie = next(c for c in answer.headers.get_list("set-cookie") if c.startswith(f"{COOKIE}="))
    for part in ("Secure", "HttpOnly", "SameSite=lax", "Path=/"):
        assert part in cookie
    assert "Domain" not in cookie
    assert "Anne Økonom" in client.get("/").text
    assert client.get("/koersler").status_code == HTTPStatus.OK
    assert client.get("/revision").status_code == HTTPStatus.FORBIDDEN
    gone = client.post("/log-af")
    assert gone.headers["location"].startswith(f"{issuer}/oauth2/end_session?id_token_hint=")
    assert client.get("/koersler").status_code == HTTPStatus.SEE_OTHER
    assert [LOG_ON.encode() in value for value in records(topic)] == [True, False]
    assert LOG_OFF.encode() in records(topic)[1]
    assert b'"subject":"anne"' in records(topic)[0]


@pytest.mark.parametrize(("language", "start"), [("", "/lis"), ("/en", "/en/lis")])
def test_the_button_of_a_public_page_leads_to_the_start_page(app, language, start):
    client = client_of(app)
    (button,) = re.findall(r'href="([^"]*/log-paa[^"]*)"', client.get(f"{language}/drift").text)
    answer = client.get(at_the_provider(client, "anne", button))
    assert answer.headers["location"] == start


@pytest.mark.parametrize("role", Role)
def test_each_role_may_see_its_start_page(role):
    who = visitor(role, municipality="730")
    assert start_of(who, "/en/koersler") == "/en/koersler"
    (start,) = (route for route in routes_of() if route.path == start_of(who, "/"))
    assert role in right_of(start).roles


def test_who_has_no_role_is_not_logged_on(app, topic, caplog):
    client = client_of(app)
    answer = client.get(at_the_provider(client, "nobody"))
    assert answer.status_code == HTTPStatus.FORBIDDEN
    assert COOKIE not in client.cookies
    assert "the claims give no role" in caplog.text
    assert records(topic) == []


def test_a_log_on_that_cannot_be_recorded_is_none(app, topic):
    client = client_of(app)
    topic.failing = OSError("away")
    assert client.get(at_the_provider(client, "anne")).status_code == 503
    assert COOKIE not in client.cookies


def test_a_log_on_counts_once_and_only_where_it_began(app):
    client, other = client_of(app), client_of(app)
    back = at_the_provider(client, "anne")
    assert other.get(back).status_code == HTTPStatus.FORBIDDEN
    assert client.get(back.replace("state=", "state=x")).status_code == HTTPStatus.FORBIDDEN
    assert client.get(back).status_code == HTTPStatus.FORBIDDEN
    back = at_the_provider(client, "anne")
    attempt = client.cookies[ATTEMPT_COOKIE]
    assert client.get(back).status_code == HTTPStatus.SEE_OTHER
    client.cookies[ATTEMPT_COOKIE] = attempt
    assert client.get(back).status_code == HTTPStatus.FORBIDDEN


def test_a_session_has_a_new_id_at_each_log_on(app):
    client = client_of(app)
    client.get(at_the_provider(client, "anne"))
    first = client.cookies[COOKIE]
    client.get(at_the_provider(client, "anne"))
    assert client.cookies[COOKIE] != first
    other = client_of(app)
    other.cookies[COOKIE] = first
    assert other.get("/koersler").status_code == HTTPStatus.SEE_OTHER


def test_a_provider_that_does_not_answer_leaves_the_public_pages(caplog):
    client = client_of(a_site())
    assert client.get("/log-paa").status_code == 503
    assert "the OpenID provider cannot be asked" in caplog.text
    assert client.get("/").status_code == 200


def test_a_provider_that_is_another_issuer_is_not_believed(issuer):
    provider = OidcProvider(OidcClient(issuer.replace("localhost", "127.0.0.1"), "site", "s"))
    provider._authlib._server_metadata_url = f"{issuer}/.well-known/openid-configuration"
    assert client_of(a_site(provider=provider)).get("/log-paa").status_code == 503


def some_limits(**some):
    return SiteLimits.usual()._replace(**some)


@pytest.mark.long
def test_a_town_hall_behind_one_address_logs_on_in_the_morning(app):
    statuses = {client_of(app).get("/log-paa").status_code for _ in range(300)}
    assert statuses == {303}


@pytest.mark.parametrize(
    ("other", "status"), [("2001:db8::ffff:9", 429), ("2001:db8:0:1::9", 303), ("192.0.2.1", 303)]
)
def test_log_ons_of_one_network_wait_and_others_do_not(issuer, other, status, caplog):
    provider = OidcProvider(OidcClient(issuer, "site", "secret"))
    app = a_site(provider=provider, limits=some_limits(begun=Limiter(3, 600)))

    def begins(address):
        client = TestClient(app, HERE, follow_redirects=False, client=(address, 1))
        return client.get("/log-paa")

    statuses = [begins(f"2001:db8::{number}").status_code for number in range(4)]
    assert statuses == [303] * 3 + [429]
    assert begins(other).status_code == status
    assert "too many log-ons of one network" in caplog.text
    assert "2001:db8" not in caplog.text


def test_one_account_that_logs_on_again_and_again_waits(app, topic, caplog):
    app.state.parts.limits = some_limits(accounts=Limiter(2, 600))
    answers = [
        client.get(at_the_provider(client, "anne")) for client in (client_of(app) for _ in range(3))
    ]
    assert [answer.status_code for answer in answers] == [303, 303, 429]
    assert answers[2].headers["retry-after"] == "600"
    assert len(records(topic)) == 2
    assert "too many log-ons of one account" in caplog.text


def test_one_browser_has_one_log_on_at_a_time(app):
    """Nobody fills the place of others by beginning many log-ons."""
    client = client_of(app)
    for _ in range(5):
        client.get("/log-paa")
    assert len(app.state.parts.attempts) == 1


def test_without_a_provider_nobody_logs_on():
    client = client_of(a_site(provider=None))
    assert client.get("/log-paa").status_code == HTTPStatus.FORBIDDEN
    assert "Log på" not in client.get("/").text


@pytest.mark.parametrize(
    "wanted", ["//example.org", "/\\example.org", "https://example.org", "", "x", "/\tx", "/\r\nx"]
)
def test_a_log_on_never_leads_elsewhere(wanted):
    assert safe_path(wanted) == "/"


def test_sessions_and_attempts_end_in_time():
    now = [0.0]
    sessions, attempts = Sessions(lambda: now[0]), Attempts(lambda: now[0])
    session = sessions.begin(visitor("lis"))
    attempt = attempts.put(Begun(LogOnAttempt("", "", "", "", ""), "/"))
    now[0] = IDLE_S - 1
    assert sessions.get(session)
    assert attempts.take(attempt) is None
    while now[0] < LONGEST_S - IDLE_S:
        now[0] += IDLE_S - 1
        assert sessions.get(session)
    now[0] = LONGEST_S
    assert sessions.get(session) is None
    session = sessions.begin(visitor("lis"))
    now[0] += IDLE_S
    assert sessions.get(session) is None
    assert len(sessions) == 0
    assert ATTEMPT_S < IDLE_S


def test_a_limit_forgets_with_time():
    now = [0.0]
    limiter = Limiter(2, 10, lambda: now[0])
    assert [limiter.passes("a") for _ in range(3)] == [True, True, False]
    assert limiter.passes("b")
    now[0] = 10
    assert limiter.passes("a")


# --- programs -------------------------------------------------------------------------------------

ISSUER = "http://localhost:1"
KEY = RSAKey.generate_key(2048, {"kid": "one"}, private=True)
OTHER_KEY = RSAKey.generate_key(2048, {"kid": "one"}, private=True)
GOOD = {"iss": ISSUER, "aud": ["site"], "azp": "randers-flis", "sub": "x"}


def token(key=KEY, seconds=300, **claims):
    payload = {**GOOD, "exp": int(time.time()) + seconds, **claims}
    return jwt.encode({"alg": "RS256", "kid": "one"}, payload, key)


@pytest.fixture
def programs():
    """A site with a route of data, and a provider whose keys are known."""
    provider = OidcProvider(OidcClient(ISSUER, "site", "secret"))
    jwks = {"keys": [KEY.as_dict(private=False)]}
    provider._authlib.server_metadata = {"issuer": ISSUER, "jwks": jwks, "_loaded_at": 1.0}
    provider._keys_asked = provider._clock()
    router = APIRouter()

    @router.get("/data/{municipality}")
    def data(
        municipality: str,
        who: Annotated[Visitor, Depends(view_right("beloeb", of_data=True))],
    ):
        return scope(who, municipality)

    router.add_api_route("/side", lambda: None, dependencies=[Depends(RUNS)])
    grants = GrantMap(programs={"randers-flis": "730"})
    return client_of(a_site(provider=provider, routers=(*ROUTERS, router), grants=grants))


def asked(client, text, path="/data/730"):
    return client.get(path, headers={"Authorization": f"Bearer {text}"})


def test_a_program_sees_its_own_municipality_as_data_and_no_page(programs):
    assert asked(programs, token()).json() == "730"
    assert asked(programs, token(), "/data/751").status_code == HTTPStatus.FORBIDDEN
    assert asked(programs, token(), "/side").status_code == HTTPStatus.SEE_OTHER
    answer = programs.get("/data/730")
    assert answer.status_code == HTTPStatus.UNAUTHORIZED
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["status"] == HTTPStatus.UNAUTHORIZED


def signed_with_the_public_key():
    """Make the token of the old attack: the public key as the secret of an HMAC."""
    head = urlsafe_b64encode(b'{"alg":"HS256","kid":"one"}').rstrip(b"=").decode()
    body = f"{head}.{token().split('.')[1]}"
    mac = hmac.digest(KEY.as_pem(private=False), body.encode(), "sha256")
    return f"{body}.{urlsafe_b64encode(mac).rstrip(b'=').decode()}"


FORGED = {
    "expired": lambda: token(seconds=-120),
    "of another issuer": lambda: token(iss="https://example.org"),
    "for another service": lambda: token(aud=["other"]),
    "without an audience": lambda: token(aud=None),
    "without an end": lambda: token(exp=None),
    "of another key": lambda: token(OTHER_KEY),
    "of the public key as a secret": signed_with_the_public_key,
    "without a signature": lambda: token().rpartition(".")[0] + ".",
    "of an unknown program": lambda: token(azp="stranger"),
    "of a person": lambda: token(azp=None),
    "no token": lambda: "no-token",
    "nothing": lambda: "",
}


@pytest.mark.parametrize("kind", FORGED)
def test_a_token_is_not_believed_that_is(kind, programs, caplog):
    caplog.set_level(logging.INFO, "refusion")
    text = FORGED[kind]()
    assert asked(programs, text).status_code == HTTPStatus.UNAUTHORIZED
    assert "a program's token was not believed" in caplog.text
    assert not text or text not in caplog.text


def test_the_roles_are_those_of_the_contract():
    assert [role.value for role in Role] == [
        "lis", "economy", "caseworker", "state", "auditor", "operator",
    ]  # fmt: skip
