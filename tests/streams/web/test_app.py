"""The site's frame: headers, bounds, errors that repeat nothing, rights of every route."""

import logging
import re
from hashlib import sha256
from pathlib import Path
from typing import get_args

import pytest
from fastapi import APIRouter, Depends, Form

import streams.web.app
from streams.devtools.web_files import FOLDERS, SUMS, differences
from streams.web.app import ROUTERS, RightlessRouteError, right_of, routes_of
from streams.web.doorway import LARGEST_BODY
from streams.web.limits import Limiter, SiteLimits
from streams.web.rights import PUBLIC, RouteRight
from streams.web.visitors import Role
from streams.web.words import Language, catalogue
from tests.support.site_client import HERE, NOWHERE, a_site, client_of, visitor

CPR = "0101901234"
WEB = Path(streams.web.app.__file__).parent


def with_routes(add, **more):
    router = APIRouter()
    add(router)
    return a_site(routers=(*ROUTERS, router), **more)


def test_a_route_without_a_right_is_refused():
    with pytest.raises(RightlessRouteError, match="/uden has 0 rights"):
        with_routes(lambda router: router.add_api_route("/uden", lambda: None))


def test_a_route_with_two_rights_is_refused():
    rights = [Depends(PUBLIC), Depends(RouteRight("other", frozenset({Role.LIS})))]
    with pytest.raises(RightlessRouteError, match="2 rights"):
        with_routes(lambda router: router.add_api_route("/to", lambda: None, dependencies=rights))


@pytest.mark.parametrize(
    "path", ["/", "/en/", "/en", "/healthz", "/findes-ikke", "/static/site.css"]
)
def test_every_answer_has_the_headers_that_keep_others_out(path):
    headers = client_of(a_site()).get(path).headers
    assert headers["content-security-policy"].startswith("default-src 'self'; base-uri 'none'")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["strict-transport-security"].startswith("max-age=")
    assert "set-cookie" not in headers
    assert len(headers["x-request-id"]) == 16


OTHER_PATHS = ("x-original-url", "x-rewrite-url", "x-forwarded-prefix", "x-forwarded-uri")
OF_PROXIES = (
    *({name: "/healthz"} for name in OTHER_PATHS),
    {"x-forwarded-for": "127.0.0.1", "x-real-ip": "127.0.0.1"},
    {"x-forwarded-host": "example.org", "x-forwarded-proto": "http", "x-forwarded-port": "1"},
    {"forwarded": "for=127.0.0.1;host=example.org;proto=http"},
    {"x-forwarded-user": "auditor", "x-remote-user": "auditor", "x-forwarded-groups": "auditor"},
    {"x-http-method-override": "GET", "x-method-override": "GET"},
)
"""Headers by which proxies tell servers behind them something; this one believes none of them."""


@pytest.mark.parametrize("headers", OF_PROXIES, ids=lambda headers: next(iter(headers)))
def test_a_header_for_servers_behind_proxies_opens_nothing(headers):
    app = a_site()
    nobody, reader = client_of(app), client_of(app, visitor("lis", municipality="730"))
    for path in ("/koersler", "/lis"):
        answer = nobody.get(path, headers=headers)
        assert (answer.status_code, answer.headers["location"]) == (303, f"/log-paa?til={path}")
    assert reader.get("/revision", headers=headers).status_code == 403
    assert "example.org" not in nobody.get("/", headers=headers).text


@pytest.mark.parametrize("name", OTHER_PATHS)
def test_a_public_page_becomes_no_closed_one_by_a_header(name):
    reader = client_of(a_site(), visitor("auditor"))
    assert reader.get("/healthz", headers={name: "/revision"}).text == "ok\n"


def test_a_stranger_makes_no_network_of_its_own_by_a_header():
    """Only an address that `--proxy` names may say whose a request is."""
    app = a_site(limits=SiteLimits.usual()._replace(begun=Limiter(1, 600)))
    asked = [
        client_of(app).get("/log-paa", headers={"x-forwarded-for": address}).status_code
        for address in ("192.0.2.1", "198.51.100.1")
    ]
    assert asked == [503, 429]


@pytest.mark.parametrize(
    "path",
    [
        "//lis", "///koersler", "/en//koersler", "/koersler/", "/koersler;x", "/koersler%2f",
        "/lis%2fbeloeb", "/lis%2Fbeloeb.json", "/lis/%2e%2e/koersler", "/lis%5cbeloeb", "/LIS",
        "/lis/beloeb%00", "/lis/beloeb.json%0a", "/healthz/../koersler", "/healthz%2f..%2fkoersler",
        "/static/..%2f..%2fapp.py", "/static/%2e%2e/%2e%2e/app.py", "/static//etc/passwd",
        "/%252e%252e/koersler",
    ],
)  # fmt: skip
def test_a_path_that_is_written_otherwise_is_no_way_in(path):
    """Whatever it becomes, it is a page with its own right, or none."""
    app = a_site()
    nobody = client_of(app).get(f"{HERE}{path}")
    assert nobody.status_code in {303, 401, 404}, path
    assert HERE not in nobody.headers.get("location", "/")
    assert not nobody.headers.get("location", "/").startswith("//")
    reader = client_of(app, visitor("operator")).get(
        f"{HERE}{path}".replace("koersler", "revision")
    )
    assert reader.status_code in {403, 404}, path


@pytest.mark.parametrize("path", ["/", "/en/", "/drift", "/nyheder.atom", "/healthz", "/kontakt"])
def test_a_public_page_answers_a_request_for_its_head_as_one_for_itself(path):
    client = client_of(a_site())
    page, head = client.get(path), client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert page.content
    of_one = {"x-request-id"}
    assert {name: head.headers[name] for name in {*page.headers} - of_one} == {
        name: page.headers[name] for name in {*page.headers} - of_one
    }


def test_a_head_shows_nobody_and_does_nothing():
    """A look would be on record; a log-on would begin, or end, without the one who wanted it."""
    client = client_of(a_site(), visitor("auditor"))
    closed = {route.path for route in routes_of() if right_of(route).roles}
    for path in closed | {"/log-paa", "/log-paa/svar"}:
        assert client.head(path).status_code == 405, path
    assert client.head("/nyheder/findes-ikke").status_code == 404
    assert client.head("/findes-ikke").status_code == 404


def test_another_host_is_refused():
    assert client_of(a_site()).get("/", headers={"host": "example.org"}).status_code == 400


@pytest.mark.parametrize(
    ("path", "title"), [("/", "Gå til sidens indhold"), ("/en/", "Skip to the content")]
)
def test_a_page_is_there_in_both_languages(path, title):
    answer = client_of(a_site()).get(path)
    assert answer.status_code == 200
    assert title in answer.text


def test_a_width_of_a_list_outweighs_that_of_the_design_system():
    """The design system's has more classes in its selector than any rule of ours."""
    of_lists = {
        f".{name}"
        for path in (WEB / "templates").rglob("*.html")
        for classes in re.findall(r'<[uo]l class="([^"{]*)"', path.read_text("utf-8"))
        for name in classes.split()
    }
    assert {".tiles", ".lis-points"} <= of_lists
    seen = 0
    for path in (WEB / "static").glob("*.css"):
        for selectors, told in re.findall(r"([^{}]+)\{([^{}]*)\}", path.read_text("utf-8")):
            last = {selector.split()[-1] for selector in selectors.split(",") if selector.split()}
            is_of_list = any(
                part in of_lists or re.match(r"[uo]l\b", part) is not None for part in last
            )
            for width in re.findall(r"max-width:([^;}]*)", told) if is_of_list else []:
                seen += 1
                assert "!important" in width, (path.name, selectors)
    assert seen > 5


def test_no_sentence_is_missing_in_a_language():
    assert catalogue()
    for key, sentences in catalogue().items():
        assert set(sentences) == set(get_args(Language)), key


@pytest.mark.parametrize("path", [f"/{CPR}", f"/?x={CPR}", f"/en/{CPR}", f"/drift/{CPR}?cpr={CPR}"])
def test_no_error_repeats_what_was_asked(path, caplog):
    caplog.set_level(logging.INFO, "refusion")
    client = client_of(a_site())
    for method in ("GET", "POST", "DELETE", CPR):
        answer = client.request(method, path, data={"cpr": CPR} if method == "POST" else None)
        assert CPR not in answer.text
    assert CPR not in caplog.text


def test_a_form_that_does_not_fit_names_fields_of_ours_and_no_value():
    def form(cpr: int = Form()):
        return cpr

    app = with_routes(
        lambda router: router.add_api_route(
            "/form", form, methods=["POST"], dependencies=[Depends(PUBLIC)]
        )
    )
    answer = client_of(app).post("/form", data={"cpr": f"x{CPR}"})
    assert answer.status_code == 422
    assert "<li>cpr</li>" in answer.text
    assert CPR not in answer.text


def test_a_defect_is_told_by_kind_and_place_alone(caplog):
    def broken():
        raise RuntimeError(CPR)

    app = with_routes(
        lambda router: router.add_api_route("/broken", broken, dependencies=[Depends(PUBLIC)])
    )
    answer = client_of(app).get("/broken")
    assert answer.status_code == 500
    assert CPR not in answer.text
    assert "RuntimeError at test_app.py" in caplog.text
    assert CPR not in caplog.text


def posting_site():
    async def taken(text: str = Form("")):
        return len(text)

    return with_routes(
        lambda router: router.add_api_route(
            "/form", taken, methods=["POST"], dependencies=[Depends(PUBLIC)]
        )
    )


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "none"}, 403),
        ({"origin": "https://localhost"}, 200),
        ({"origin": "https://example.org"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://[x"}, 403),
        ({}, 200),
    ],
)
def test_another_sites_page_cannot_post(headers, status):
    answer = client_of(posting_site()).post("/form", data={"text": "a"}, headers=headers)
    assert answer.status_code == status


@pytest.mark.parametrize("length", [LARGEST_BODY + 1, 10 * LARGEST_BODY])
def test_a_body_that_is_too_long_is_refused_whether_it_says_so_or_not(length):
    client = client_of(posting_site())
    form = {"content-type": "application/x-www-form-urlencoded"}
    body = b"text=" + b"a" * length
    assert client.post("/form", content=body, headers=form).status_code == 413
    parts = (body[at : at + 1000] for at in range(0, len(body), 1000))
    assert client.post("/form", content=parts, headers=form).status_code == 413


CLOSED = [route for route in routes_of() if right_of(route).roles]
GOT = {(route.path, right_of(route)) for route in CLOSED if "GET" in (route.methods or ())}


@pytest.mark.parametrize("has_log_on", [True, False])
def test_nobody_sees_what_has_a_right(has_log_on):
    client = client_of(a_site(provider=NOWHERE if has_log_on else None))
    for route in CLOSED:
        right, method = right_of(route), min(route.methods or {"GET"})
        path = re.sub(r"{\w+}", "x", route.path)
        answer = client.request(method, path)
        if not has_log_on:
            assert answer.status_code == 403, path
        elif right.of_data:
            assert answer.status_code == 401, path
        else:
            assert answer.status_code == 303, path
            assert answer.headers["location"] == f"/log-paa?til={path}"


@pytest.mark.parametrize("role", Role)
def test_who_lacks_the_role_is_refused(role):
    somebody = client_of(a_site(), visitor(role, municipality="730"))
    for route in CLOSED:
        right = right_of(route)
        method, roles = "GET" if (route.path, right) in GOT else "POST", right.roles
        answer = somebody.request(method, re.sub(r"{\w+}", "x", route.path))
        # A token that this session has not given is refused like a right that is lacking.
        is_refused = role not in roles or "{token}" in route.path
        assert (answer.status_code == 403) == is_refused, route.path


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.path.name)
def test_the_vendored_files_are_those_of_their_packages(folder):
    assert differences(folder.path, (folder.path / SUMS).read_text()) == []
    assert {at for places in folder.files.values() for at in places.values()} <= {
        str(path.relative_to(folder.path)) for path in folder.path.rglob("*")
    }


def test_a_vendored_file_that_was_changed_added_or_taken_is_named(tmp_path):
    sums = "".join(f"{sha256(name.encode()).hexdigest()}  {name}\n" for name in "abc")
    for name, content in {"a": "a", "b": "other", "d": "d"}.items():
        (tmp_path / name).write_text(content)
    assert differences(tmp_path, sums) == ["b", "c", "d"]


def test_the_other_language_keeps_the_query_that_the_route_knows_alone():
    text = client_of(a_site()).get("/kontakt?sendt=1&x=2").text
    assert 'href="/en/kontakt?sendt=1"' in text
    assert f"{CPR}" not in client_of(a_site()).get(f"/kontakt?sendt={CPR}").text


def test_a_log_on_does_not_carry_a_number_that_stood_in_the_address():
    location = client_of(a_site()).get(f"/koersler?x=%30{CPR[1:]}").headers["location"]
    assert location == "/log-paa?til=/"
