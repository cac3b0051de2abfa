"""Pages of views that are kept: who asks gets what would be made anew, of the newest build."""

from dataclasses import replace

import pytest

from streams.lis.store import Build
from streams.web import lis_told
from streams.web.kept_pages import KEY_BYTES, KeptPages, ToldPage
from streams.web.lis_desk import LisDesk
from streams.web.lis_pages import view_page
from tests.support.lis_site import OWN, lis_site
from tests.support.site_client import client_of, visitor

BUILD = Build("a", 1, "ledger", 7, 50, {})
OTHER = "101"
WHO = (
    visitor("economy", municipality=OWN, subject="a"),
    visitor("lis", municipality=OWN, subject="b"),
    visitor("caseworker", municipality=OWN, subject="c"),
    visitor("economy", municipality=OTHER, subject="d"),
    visitor("state", subject="e"),
    visitor("auditor", subject="f"),
)
VIEWS = ("beloeb", "landet", "personer", "prognose", "sammenligning")


class Watched(KeptPages):
    """Keeps pages, and the keys of those that it was given."""

    def __init__(self):
        super().__init__()
        self.keys = []

    def keep(self, build, key, page):
        self.keys.append(key)
        super().keep(build, key, page)


@pytest.fixture
def watched(folder):
    """A site, and what it keeps."""
    kept = Watched()
    return lis_site(folder, kept_pages=kept), kept


def page_of(text):
    return ToldPage(text, text)


def test_the_page_that_is_least_asked_for_makes_room():
    kept = KeptPages(most=2 * KEY_BYTES + 40)
    kept.forget_others(BUILD)
    for key in "ab":
        kept.keep(BUILD, key, page_of(key))
    assert kept.find(BUILD, "a") == page_of("a")
    kept.keep(BUILD, "c", page_of("c"))
    assert kept.find(BUILD, "b") is None
    assert [kept.find(BUILD, key) for key in "ac"] == [page_of("a"), page_of("c")]


def test_a_page_is_counted_by_its_bytes_and_once():
    kept = KeptPages(most=2 * KEY_BYTES + 40)
    kept.forget_others(BUILD)
    kept.keep(BUILD, "a", page_of("a"))
    for _ in range(5):
        kept.keep(BUILD, "b", page_of("b"))
    assert kept.find(BUILD, "a") == page_of("a")
    large = page_of("".join(map(str, range(1_000))))
    kept.keep(BUILD, "large", large)
    assert kept.find(BUILD, "large") is None
    assert [kept.find(BUILD, key) for key in "ab"] == [page_of("a"), page_of("b")]


def test_pages_of_another_build_are_gone():
    kept = KeptPages()
    newer = BUILD._replace(number=2)
    kept.forget_others(BUILD)
    kept.keep(BUILD, "a", page_of("old"))
    assert kept.find(newer, "a") is None
    kept.forget_others(newer)
    kept.keep(newer, "b", page_of("new"))
    kept.keep(BUILD, "late", page_of("of a slow question"))
    assert kept.find(BUILD, "late") is None
    assert kept.find(newer, "a") is None
    assert kept.find(BUILD, "a") is None
    assert kept.find(newer, "b") == page_of("new")


def test_each_visitor_gets_what_would_be_made_anew(watched, folder):
    app, kept = watched
    anew = lis_site(folder, kept_pages=KeptPages(most=0))
    addresses = [f"{start}/lis/{view}" for view in VIEWS for start in ("", "/en")]
    asked = [(who, address) for who in WHO for address in addresses]
    for who in WHO:
        client = client_of(app, who)
        for address in addresses:  # by others before, and twice
            client.get(address)
    before = len(kept.keys)
    for who, address in asked:
        told, wanted = (client_of(each, who).get(address) for each in (app, anew))
        assert (told.status_code, told.text) == (wanted.status_code, wanted.text), address
    assert len(kept.keys) == before == len(asked)


def test_a_kept_page_has_the_name_and_the_menu_of_who_asks_now(watched):
    app, kept = watched
    names = ("Anne Andersen", "Bent Bentsen")
    asking = [replace(WHO[0], subject=name, name=name) for name in names]
    pages = [client_of(app, who).get("/lis/beloeb").text for who in asking]
    assert len(kept.keys) == 1
    assert names[0] in pages[0]
    assert names[0] not in pages[1]
    assert pages[0].replace(*names) == pages[1]


def test_a_page_is_made_anew_after_the_marts_were_built_anew(watched, monkeypatch):
    app, _ = watched
    client, made = client_of(app, WHO[0]), []

    def counted(*given, **named):
        made.append(given)
        return view_page(*given, **named)

    monkeypatch.setattr(lis_told, "view_page", counted)
    for _ in range(3):
        client.get("/lis/beloeb")
    assert len(made) == 1
    newer = app.state.parts.lis.state()._replace(number=99)
    monkeypatch.setattr(LisDesk, "state", lambda _: newer)
    for _ in range(2):
        client.get("/lis/beloeb")
    assert len(made) == 2


def test_no_page_with_words_of_a_visitor_is_kept_and_no_refusal(watched):
    app, kept = watched
    client = client_of(app, WHO[-1])
    for each in ("/lis/beloeb", f"/lis/personer?persons=1&municipality={OWN}"):
        sign = "&" if "?" in each else "?"
        assert client.get(f"{each}{sign}purpose=sag+1").status_code == 200
    assert client.get("/lis/beloeb?page=99").status_code == 404
    assert client.get("/lis/beloeb?municipality=999").status_code == 400
    assert kept.keys == []


def test_the_control_is_kept_until_the_ledger_has_another_version(watched, monkeypatch):
    app, kept = watched
    client = client_of(app, WHO[-1])
    state: tuple[str, int] | None = ("table", 7)
    monkeypatch.setattr(LisDesk, "ledger_state", lambda _: state)
    made = [client.get("/lis/kontrol").text for _ in range(2)]
    assert (len(kept.keys), made[0]) == (1, made[1])
    for state in (("table", 8), ("another", 8)):  # noqa: B007 - the desk tells it
        client.get("/lis/kontrol")
    assert len({*kept.keys}) == 3
    state = None
    client.get("/lis/kontrol")
    assert len(kept.keys) == 3
