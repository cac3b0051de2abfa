"""The site and a real Keycloak: log-on to the end, what is refused, tokens of programs."""

import json
import re
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from http import HTTPStatus
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from streams.settings import Settings
from streams.web import provider as provider_module
from streams.web.access import LOG_OFF, LOG_ON, AccessBook
from streams.web.app import site
from streams.web.board import Board
from streams.web.folder import Folder
from streams.web.grants import GrantMap
from streams.web.parts import Parts
from streams.web.provider import OidcProvider
from streams.web.sessions import COOKIE
from streams.web.visitors import Role
from tests.support.acts_in_memory import MemoryActTopic
from tests.support.browser import open_browser, serving
from tests.support.keycloak import REALM, open_keycloak
from tests.support.lis_site import OWN, lis_environment, lis_folder, lis_site
from tests.support.ports import free_port
from tests.support.site_client import HERE, client_of

GRANTS = GrantMap(roles={"okonom": Role.ECONOMY}, programs={"aarhus-flis": OWN, "aarhus-kort": OWN})
OTHER = "730"
BROWSER_MS = 120_000
"""A bound for each step: Keycloak makes its first pages slowly."""


def test_the_realm_lets_the_site_do_no_more_than_it_needs():
    realm = json.loads(REALM.read_text("utf-8"))
    clients = {client["clientId"]: client for client in realm["clients"]}
    ours = clients.pop("refusion")
    assert ours["attributes"]["pkce.code.challenge.method"] == "S256"
    assert all("*" not in address for address in ours["redirectUris"])
    assert "*" not in ours["attributes"]["post.logout.redirect.uris"]
    for client in (ours, *clients.values()):
        assert not client["publicClient"]
        assert not client["implicitFlowEnabled"]
        assert not client["directAccessGrantsEnabled"]
    assert all(not client["standardFlowEnabled"] for client in clients.values())


@pytest.fixture(scope="module")
def keycloak(tmp_path_factory):
    with open_keycloak(tmp_path_factory.mktemp("keycloak"), free_port()) as running:
        yield running


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return lis_folder(tmp_path_factory.mktemp("keycloak-lis"))


@pytest.fixture
def topic():
    return MemoryActTopic()


@pytest.fixture
def app(keycloak, folder, topic, tmp_path):
    """A site over the tables of LIS that notes log-ons in memory."""
    recorded = lis_environment(folder) | {
        "REFUSION_BOOTSTRAP": "127.0.0.1:1",
        "REFUSION_STATE_DIR": str(tmp_path),
    }
    access = AccessBook(Settings.load(recorded), topic.open)
    return lis_site(folder, provider=OidcProvider(keycloak.client()), grants=GRANTS, access=access)


def logged_on(keycloak, app, user, path="/log-paa?til=/koersler"):
    """Log on from the site by Keycloak's form; return the client and the site's answer."""
    client = client_of(app)
    begun = client.get(path)
    back = keycloak.sent_back(begun.headers["location"], user)
    assert back.startswith(f"{HERE}/log-paa/svar?")
    return client, client.get(back.removeprefix(HERE))


def acts(topic):
    return [json.loads(record.value)["act"] for record in topic.kept]


@pytest.mark.long
def test_one_logs_on_with_role_and_place_from_keycloak_and_off_at_both(keycloak, app, topic):
    client, answer = logged_on(keycloak, app, "anne")
    assert (answer.status_code, answer.headers["location"]) == (303, "/koersler")
    assert client.get("/koersler").status_code == HTTPStatus.OK
    assert "Anne Økonom" in client.get("/").text
    assert client.get("/lis/korrektioner").status_code == 200
    assert client.get(f"/lis/korrektioner?municipality={OTHER}").status_code == 403
    assert client.get("/revision").status_code == 403
    gone = client.post("/log-af").headers["location"]
    assert gone.startswith(f"{keycloak.issuer}/protocol/openid-connect/logout?")
    assert httpx2.get(gone).headers["location"].startswith(f"{HERE}/")
    assert client.get("/koersler").status_code == 303
    assert acts(topic) == [LOG_ON, LOG_OFF]


@pytest.mark.long
def test_who_has_no_role_of_ours_is_not_logged_on(keycloak, app, topic):
    client, answer = logged_on(keycloak, app, "gerd")
    assert answer.status_code == HTTPStatus.FORBIDDEN
    assert COOKIE not in client.cookies
    assert acts(topic) == []


def changed(address, **changes):
    """An address with other values in its query; None takes one out."""
    parts = urlsplit(address)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()} | changes
    kept = {name: value for name, value in query.items() if value is not None}
    return parts._replace(query=urlencode(kept)).geturl()


@pytest.mark.long
@pytest.mark.parametrize(
    "redirect",
    [
        "https://example.org/log-paa/svar",
        f"{HERE}.example.org/log-paa/svar",
        f"{HERE}/log-paa/svar/../../x",
        f"{HERE}/lis",
        f"{HERE}@example.org/log-paa/svar",
    ],
)
def test_keycloak_refuses_another_redirect_address(app, redirect):
    begun = client_of(app).get("/log-paa").headers["location"]
    answer = httpx2.get(changed(begun, redirect_uri=redirect))
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert "location" not in answer.headers
    assert "kc-form-login" not in answer.text


@pytest.mark.long
def test_keycloak_refuses_a_log_on_without_a_code_challenge(app):
    begun = client_of(app).get("/log-paa").headers["location"]
    assert parse_qs(urlsplit(begun).query)["code_challenge_method"] == ["S256"]
    for gone in ({"code_challenge": None, "code_challenge_method": None}, {"code_challenge": None}):
        answer = httpx2.get(changed(begun, **gone))
        assert "error=invalid_request" in answer.headers["location"]


@pytest.mark.long
def test_a_code_counts_once_and_only_with_its_verifier_and_our_secret(keycloak, folder, app):
    client = client_of(app)
    begun = client.get("/log-paa").headers["location"]
    back = keycloak.sent_back(begun, "anne").removeprefix(HERE)
    thief = client_of(app)
    other = thief.get("/log-paa").headers["location"]
    state = parse_qs(urlsplit(other).query)["state"][0]
    assert thief.get(changed(back, state=state)).status_code == 403
    assert client.get(back).status_code == 403, "the code is spent"
    wrong = OidcProvider(keycloak.client("not-the-secret"))
    _, answer = logged_on(keycloak, lis_site(folder, provider=wrong, grants=GRANTS), "anne")
    assert answer.status_code == 403


# --- tokens of programs ---------------------------------------------------------------------------


def asked(client, token, query=""):
    headers = {"Authorization": f"Bearer {token}"}
    return client.get(f"/lis/beloeb.json{query}", headers=headers).status_code


def parts_of_token(token):
    head, body, _ = (urlsafe_b64decode(part + "==") for part in token.split("."))
    return json.loads(head), json.loads(body)


def spelt(value):
    return urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@pytest.mark.long
def test_a_program_has_its_own_municipality_by_client_credentials(keycloak, app):
    client, token = client_of(app), keycloak.token("aarhus-flis")
    assert asked(client, token) == 200
    assert asked(client, token, f"?municipality={OTHER}") == 403
    assert client.get("/koersler", headers={"Authorization": f"Bearer {token}"}).status_code == 303


@pytest.mark.long
def test_forged_tokens_are_not_believed(keycloak, app):
    client, token = client_of(app), keycloak.token("aarhus-flis")
    head, body = parts_of_token(token)
    signature = token.rpartition(".")[2]
    key = RSAKey.generate_key(2048, {"kid": head["kid"]}, private=True)
    later = body | {"exp": body["exp"] + 3_600}
    forged = {
        "with another end": f"{token.split('.')[0]}.{spelt(later)}.{signature}",
        "of another key": jwt.encode({"alg": "RS256", "kid": head["kid"]}, later, key),
        "with its key in its head": jwt.encode(
            {"alg": "RS256", "kid": "own", "jwk": key.as_dict(private=False)}, later, key
        ),
        "without a signature": f"{spelt({'alg': 'none'})}.{spelt(later)}.",
        "for another system": keycloak.token("andet-system"),
        "of an unknown program": keycloak.token("ukendt-flis"),
    }
    found = {kind: asked(client, text) for kind, text in forged.items()}
    assert found == dict.fromkeys(forged, 401)
    assert asked(client, token) == 200


@pytest.mark.long
def test_an_expired_token_is_not_believed(keycloak, app, monkeypatch):
    monkeypatch.setattr(provider_module, "LEEWAY_S", 0)
    client, token = client_of(app), keycloak.token("aarhus-kort")
    deadline = time.monotonic() + 60
    while asked(client, token) == 200 and time.monotonic() < deadline:
        time.sleep(0.2)
    _, body = parts_of_token(token)
    assert time.time() >= body["exp"]
    assert asked(client, token) == 401


# --- in a browser ---------------------------------------------------------------------------------


def came_to(page, address, told):
    """Wait until a page is there; where it never is, tell where the browser is instead."""
    try:
        page.wait_for_url(address, timeout=BROWSER_MS)
    except PlaywrightTimeoutError:
        pytest.fail(f"at {page.url}, not at {address}: {told} {page.inner_text('body')[:400]}")


@pytest.mark.long
def test_one_logs_on_and_off_in_a_browser(keycloak, folder):
    settings = Settings.load(lis_environment(folder))
    parts = Parts(
        settings, keycloak.site, AccessBook(settings), Board(settings), Folder(None),
        OidcProvider(keycloak.client()), GRANTS,
    )  # fmt: skip
    port = urlsplit(keycloak.site).port
    with serving(site(settings, parts), port), open_browser() as browser:
        for language in ("", "/en"):
            context = browser.new_context()
            context.set_default_timeout(BROWSER_MS)
            page = context.new_page()
            blocked: list[str] = []
            page.on("console", lambda told, to=blocked: to.append(told.text))
            page.goto(f"{keycloak.site}{language}/lis/korrektioner")
            assert page.url.startswith(keycloak.issuer)
            page.fill("#username", "anne")
            page.fill("#password", "anne-password")
            page.click("#kc-login")
            came_to(page, f"{keycloak.site}{language}/lis/korrektioner", blocked)
            assert page.get_by_text("Anne Økonom").is_visible()
            assert COOKIE in {cookie["name"] for cookie in context.cookies()}
            page.locator("form[action$='/log-af'] button").click()
            home = re.compile(re.escape(f"{keycloak.site}{language}/") + r"(\?state=[\w-]+)?$")
            came_to(page, home, blocked)
            page.goto(f"{keycloak.site}{language}/lis/korrektioner")
            page.wait_for_selector("#kc-login")
            assert [text for text in blocked if "Content Security Policy" in text] == []
            context.close()
