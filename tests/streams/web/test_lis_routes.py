"""The pages of LIS: who may see what, the same figures as the command, links that last."""

import io
import json
import re
import threading

import pytest
from arro3.io import read_parquet
from click.testing import CliRunner
from fastapi import HTTPException

from projections.lis.comparison_views import BY_INHABITANTS
from projections.lis.money_lines import LINE_FIGURES, LINES
from projections.lis.questions import LisQuestion
from projections.lis.views import VIEWS
from streams.cli.main import main
from streams.lis.marts import Marts
from streams.web import lis_desk, lis_looks, lis_options
from streams.web.citizen_tokens import CitizenTokens
from streams.web.lis_files import MEDIA
from streams.web.lis_typesetter import AT_ONCE
from streams.web.words import catalogue
from tests.support.lis_site import OWN, lis_environment, lis_folder, lis_site
from tests.support.site_client import client_of, visitor

NAMING = {name for name, view in VIEWS.items() if view.names_citizens}
OF_ALL = {"fuldstaendighed"}
SHOWN = [name for name in VIEWS if name not in NAMING | {"afstemning"}]
BYTES = ("csv", "json", "parquet")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return lis_folder(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def app(folder):
    return lis_site(folder)


@pytest.fixture(scope="module")
def economy(app):
    return client_of(app, visitor("economy", municipality=OWN))


@pytest.fixture(scope="module")
def auditor(app):
    return client_of(app, visitor("auditor"))


@pytest.fixture
def told(folder, monkeypatch, tmp_path):
    """Ask `refusion lis` the same question, and return what it writes in a form."""
    for name, value in lis_environment(folder).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("REFUSION_BOOTSTRAP", raising=False)

    def ask(view, form, *options):
        to_file = ["--parquet", str(tmp_path / "rows")] if form == "parquet" else [f"--{form}"]
        done = CliRunner().invoke(main, ["lis", view, *options, *to_file])
        assert done.exit_code == 0, done.output
        return (tmp_path / "rows").read_bytes() if form == "parquet" else done.stdout_bytes

    return ask


def place_of(view):
    """The own municipality, as an address and as options, where the view has rows by it."""
    has_none = view in VIEWS and "municipality" in VIEWS[view].not_by
    return ("", []) if has_none else (f"municipality={OWN}", ["--municipality", OWN])


@pytest.mark.parametrize("form", BYTES)
@pytest.mark.parametrize("view", SHOWN)
def test_a_file_has_the_bytes_of_the_command_for_the_same_question(auditor, told, view, form):
    has_place = "municipality" not in VIEWS[view].not_by
    query, options = place_of(view)
    answer = auditor.get(f"/lis/{view}.{form}?as=of&run=50&{query}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == MEDIA[form]
    assert answer.content == told(view, form, "--as", "of", "--run", "50", *options)
    wrong = auditor.get(f"/lis/{view}.{form}?municipality={OWN}")
    assert wrong.status_code == (200 if has_place else 400)


@pytest.fixture
def questions(monkeypatch):
    """The questions to the marts since the test began, or since they were cleared."""
    asked, rows = [], Marts.rows

    def counted(marts, query, values=()):
        asked.append(query)
        return rows(marts, query, values)

    monkeypatch.setattr(Marts, "rows", counted)
    return asked


@pytest.mark.parametrize("path", ["/lis", "/lis/beloeb", "/lis/sammenligning", "/lis/beloeb.csv"])
def test_what_a_build_has_answered_is_given_again_without_a_question(folder, questions, path):
    client = client_of(lis_site(folder), visitor("economy", municipality=OWN))
    first = client.get(path)
    assert questions
    questions.clear()
    again = client.get(path, headers={"If-None-Match": ""})
    assert (again.status_code, again.content) == (200, first.content)
    assert questions == []


def test_all_municipalities_share_what_their_comparison_reads(folder, questions):
    client = client_of(lis_site(folder), visitor("auditor"))
    pages = [client.get(f"/lis/sammenligning?municipality={code}").text for code in (OWN, "730")]
    assert pages[0] != pages[1]
    of_counts = [query for query in questions if " person_months" in query]
    assert of_counts
    assert len(of_counts) == len(set(of_counts))


@pytest.mark.parametrize("path", ["/lis/paa-vej-ned?weeks=900", "/lis/personer?persons=1"])
def test_nothing_that_names_citizens_is_kept(folder, questions, path):
    client = client_of(lis_site(folder), visitor("caseworker", municipality=OWN))
    assert client.post(path, data={"purpose": "sag 12/2024"}).status_code == 303
    assert client.get(path).status_code == 200
    questions.clear()
    assert client.get(path).status_code == 200
    assert any("citizen" in query for query in questions)


def test_the_own_municipality_is_meant_where_none_is_named(economy, told):
    assert economy.get("/lis/beloeb.csv").content == told("beloeb", "csv", "--municipality", OWN)
    assert economy.get("/lis/sammenligning.json").content == told(
        "sammenligning", "json", "--municipality", OWN
    )


@pytest.mark.parametrize("path", ["beloeb", "sammenligning", "personer.json", "linjer.csv"])
def test_another_municipality_is_refused_whether_it_exists_or_not(economy, path):
    for code in ("101", "999"):
        answer = economy.get(f"/lis/{path}?municipality={code}")
        assert answer.status_code == 403
        assert code not in answer.text


@pytest.mark.parametrize("view", [*SHOWN, LINES])
def test_a_page_has_its_title_figures_and_what_they_are_as_of(auditor, view):
    query, _ = place_of(view)
    page = auditor.get(f"/lis/{view}?{query}")
    assert page.status_code == 200
    title = catalogue()[f"lis_views.{view}"]["da"]
    assert f"<h1>{title}</h1>" in page.text
    assert "Sidste lukkede kørsel er" in page.text
    assert "Regelsæt R-1" in page.text
    english = auditor.get(f"/en/lis/{view}?{query}")
    assert catalogue()[f"lis_views.{view}"]["en"] in english.text


def test_each_column_of_each_view_has_a_heading_and_a_meaning_in_both_languages():
    for view in VIEWS.values():
        figures = {*view.figures, *(view.behind[0] if view.behind else ()), *BY_INHABITANTS}
        for figure in figures | {*LINE_FIGURES}:
            for part in ("lis_columns", "lis_meanings"):
                own, common = f"{part}.{view.name}__{figure.name}", f"{part}.{figure.name}"
                sentences = catalogue().get(own) or catalogue()[common]
                assert all(sentences[language].strip() for language in ("da", "en"))


def test_an_unknown_view_and_an_unknown_option_are_refused(auditor):
    assert auditor.get("/lis/findes-ikke").status_code == 404
    assert auditor.get("/lis/findes-ikke.csv").status_code == 404
    assert auditor.get("/lis/beloeb?kommune=730").status_code == 422
    assert auditor.get("/lis/beloeb?month=januar").status_code == 422


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ("as=of", 400, "Vælg også en kørsel"),
        ("as=of&run=99", 404, "ikke i tabellerne"),
        ("run=50", 400, "Vælg også, om tallene"),
        ("municipality=999", 400, "ingen kommune med det nummer"),
        ("benefit=XYZ", 400, "ingen ydelse med den kode"),
        ("by=farve", 400, "passer ikke sammen"),
    ],
)
def test_what_cannot_be_answered_is_said_with_what_to_do(auditor, query, status, said):
    page = auditor.get(f"/lis/beloeb?{query}")
    assert (page.status_code, said in page.text) == (status, True)
    data = auditor.get(f"/lis/beloeb.json?{query}")
    assert data.status_code == status
    assert said in data.json()["error"]


def test_fields_that_a_form_leaves_blank_are_not_given(economy):
    blank = economy.get("/lis/beloeb.csv?month=&benefit=&as=known&run=&by=&municipality=")
    assert blank.content == economy.get("/lis/beloeb.csv").content


def test_who_is_not_logged_on_is_led_to_the_log_on_and_programs_are_told(app):
    nobody = client_of(app)
    page = nobody.get("/lis/beloeb?month=2024-01")
    assert page.status_code == 303
    assert "/lis/beloeb%3Fmonth%3D2024-01" in page.headers["location"]
    for form in MEDIA:
        assert nobody.get(f"/lis/beloeb.{form}").status_code == 401


def test_without_a_log_on_all_is_refused(folder):
    nobody = client_of(lis_site(folder, provider=None))
    for path in ("/lis", "/lis/beloeb", "/lis/beloeb.csv"):
        assert nobody.get(path).status_code == 403


@pytest.mark.parametrize(
    ("role", "place", "refused"),
    [
        ("lis", OWN, NAMING | OF_ALL),
        ("economy", OWN, NAMING | OF_ALL),
        ("caseworker", OWN, OF_ALL),
        ("state", None, NAMING),
        ("auditor", None, set()),
        ("operator", None, {*VIEWS}),
    ],
)
def test_each_role_sees_its_views_alone(app, role, place, refused):
    who = client_of(app, visitor(role, municipality=place))
    for view in sorted(refused):
        assert who.get(f"/lis/{view}").status_code == 403, view
        assert who.get(f"/lis/{view}.csv").status_code == 403, view
    for view in ("personer", "anciennitet", "genoptjening"):
        may = role in ("caseworker", "auditor")
        asked = who.get(f"/lis/{view}.csv?persons=1")
        assert (asked.status_code == 403) != may, view


def test_persons_are_shown_for_a_purpose_alone(app):
    who = client_of(app, visitor("caseworker", municipality=OWN))
    page = who.get("/lis/paa-vej-ned")
    assert page.status_code == 200
    assert "Hvorfor ser du på borgerne?" in page.text
    assert page.headers["cache-control"] == "no-store"
    assert who.get("/lis/paa-vej-ned.csv").status_code == 400


@pytest.mark.parametrize(
    "path", ["beloeb", "paa-vej-ned", "afstemning", "beloeb?as=of", "linjer?municipality=751"]
)
def test_what_a_choice_puts_in_place_of_the_page_is_there_whatever_the_answer(app, path):
    """A choice is sent by htmx, which takes the part `lis` out of the answer."""
    who = client_of(app, visitor("caseworker", "economy", municipality=OWN))
    page = who.get(f"/lis/{path}").text
    assert page.count('<div id="lis">') == 1
    assert "<h1>" in page.partition('<div id="lis">')[2]


def test_sums_of_all_beside_a_role_of_ones_own_show_no_citizen_of_others(app):
    who = client_of(app, visitor("caseworker", "state", municipality=OWN))
    for asked in ("paa-vej-ned.csv?", "personer.csv?persons=1&"):
        assert who.get(f"/lis/{asked}municipality=101").status_code == 403, asked
        assert who.get(f"/lis/{asked}municipality={OWN}").status_code == 400, asked
    assert who.get("/lis/beloeb.csv?municipality=101").status_code == 200


class Book:
    """Takes records of looks, or refuses them."""

    def __init__(self):
        self.looks, self.refuses = [], False

    async def record(self, _request, _visitor, look):
        if self.refuses:
            raise HTTPException(503)
        self.looks.append(look)

    async def close(self):
        """Nothing is open."""


def test_no_citizen_is_shown_before_the_look_is_recorded(folder):
    book = Book()
    app = lis_site(folder, access=book)
    who = client_of(app, visitor("caseworker", municipality=OWN))
    lasting = app.state.parts.lis.answered(LisQuestion("paa-vej-ned", OWN)).answer
    at = lasting.names.index("citizen")
    pseudonyms = {row[at] for row in lasting.rows}
    moved = who.post("/lis/paa-vej-ned?weeks=900", data={"purpose": "sag 12/2024"})
    assert (moved.status_code, moved.headers["location"]) == (303, "/lis/paa-vej-ned?weeks=900")
    for path in ("paa-vej-ned", "paa-vej-ned.json", "paa-vej-ned.pdf"):
        before = len(book.looks)
        shown = who.get(f"/lis/{path}")
        assert (shown.status_code, shown.headers["cache-control"]) == (200, "no-store")
        (look,) = book.looks[before:]
        assert (look.purpose, {*look.citizens}) == ("sag 12/2024", pseudonyms)
        assert not any(name in shown.text for name in pseudonyms)
    book.refuses = True
    for path in ("paa-vej-ned", "paa-vej-ned.csv"):
        refused = who.get(f"/lis/{path}")
        assert refused.status_code == 503
        assert app.state.parts.lis.law.municipalities[OWN] not in refused.text


def told_citizens(app):
    answer = app.state.parts.lis.answered(LisQuestion("personer", OWN), persons=True).answer
    return [row[answer.names.index("citizen")] for row in answer.rows]


def next_page(page):
    found = re.findall(r'href="(/lis/[^"]*)">Næste rækker<', page)
    return found[0].replace("&amp;", "&") if found else None


def test_a_long_list_is_shown_page_by_page_and_each_page_is_recorded_with_its_citizens_alone(
    folder, monkeypatch
):
    monkeypatch.setattr(lis_options, "ROWS_OF_PAGE", 20)
    book = Book()
    app = lis_site(folder, access=book)
    who = client_of(app, visitor("caseworker", municipality=OWN))
    citizens, address = told_citizens(app), "/lis/personer?persons=1"
    who.post(address, data={"purpose": "sag 12"})
    seen, shown = [], []
    while address:
        page = who.get(address)
        assert page.status_code == 200
        seen.append([*book.looks[-1].citizens])
        shown.append(len({*re.findall(r"citizen=([a-r]{64})", page.text)}))
        address = next_page(page.text)
    pages = [sorted({*citizens[at : at + 20]}) for at in range(0, len(citizens), 20)]
    assert (seen, shown) == (pages, [*map(len, pages)])
    assert len(pages) > 2
    assert "Forrige rækker" in page.text
    for beyond in ("page=9999", "page=0", "page=-1", "page=1e9"):
        assert who.get(f"/lis/personer?persons=1&{beyond}").status_code in (404, 422)
    assert who.get("/lis/personer.csv?persons=1&page=2").status_code == 400


def test_what_a_pdf_leaves_out_is_not_recorded_as_seen(folder, monkeypatch):
    monkeypatch.setattr(lis_looks, "MOST_ON_PAPER", 2)
    book = Book()
    app = lis_site(folder, access=book)
    who = client_of(app, visitor("caseworker", municipality=OWN))
    assert who.get("/lis/personer.pdf?persons=1&purpose=sag").status_code == 200
    assert sorted({*told_citizens(app)[:2]}) == book.looks[-1].citizens != []


@pytest.mark.parametrize("path", ["genoptjening", "linjer", "personer"])
def test_a_list_without_end_is_refused_with_what_to_do(app, monkeypatch, path):
    monkeypatch.setattr(lis_desk, "MOST_ROWS", 0)  # what is kept of the build has no bound
    who = client_of(app, visitor("caseworker", municipality=OWN))
    for form in ("", *(f".{form}" for form in MEDIA)):
        answer = who.get(f"/lis/{path}{form}?purpose=sag" + "&persons=1" * (path != "linjer"))
        assert answer.status_code == 400, form
        assert "Vælg en kommune, en måned eller en ydelse" in answer.text


def test_a_file_is_recorded_before_it_is_given_whoever_it_names(folder):
    book = Book()
    who = client_of(lis_site(folder, access=book), visitor("lis", municipality=OWN))
    assert who.get("/lis/beloeb").status_code == 200
    assert book.looks == []
    for form in MEDIA:
        tag = who.get(f"/lis/beloeb.{form}?month=2023-12&benefit=KTH").headers["etag"]
        look = book.looks.pop()
        asked = {"view": "beloeb", "municipality": OWN, "month": "2023-12", "benefit": "KTH"}
        assert asked.items() <= look.about.items()
        assert (look.act, look.about["persons"], [*look.citizens]) == ("lis", 0, [])
        same = {"if-none-match": tag}
        again = who.get(f"/lis/beloeb.{form}?month=2023-12&benefit=KTH", headers=same)
        assert (again.status_code, book.looks) == (304, [])
    book.refuses = True
    assert who.get("/lis/beloeb.csv").status_code == 503
    assert who.get("/lis/beloeb").status_code == 200


@pytest.mark.parametrize("place", ["cross-site", "same-site"])
def test_a_link_of_another_site_does_not_say_why_somebody_looks(folder, place):
    book = Book()
    who = client_of(lis_site(folder, access=book), visitor("caseworker", municipality=OWN))
    there = {"sec-fetch-site": place}
    for kept in (False, True):
        page = who.get("/lis/personer?persons=1&purpose=lokket", headers=there)
        assert (page.status_code, "Hvorfor ser du på borgerne?" in page.text) == (200, True)
        data = who.get("/lis/personer.csv?persons=1&purpose=lokket", headers=there)
        assert (data.status_code, book.looks) == (400, [])
        if not kept:
            who.post("/lis/personer?persons=1", data={"purpose": "sag 12"})
    own = {"sec-fetch-site": "same-origin"}
    assert who.get("/lis/personer?persons=1", headers=own).status_code == 200
    assert book.looks[-1].purpose == "sag 12"


def test_tokens_are_made_beside_the_loop_that_answers_all(folder, monkeypatch):
    threads = []

    class Watched(Book):
        async def record(self, *look):
            threads.append(threading.get_ident())
            await super().record(*look)

    made = lis_looks._with_tokens

    def watched(*given):
        threads.append(threading.get_ident())
        return made(*given)

    monkeypatch.setattr(lis_looks, "_with_tokens", watched)
    app = lis_site(folder, access=Watched())
    who = client_of(app, visitor("caseworker", municipality=OWN))
    assert who.get("/lis/personer.csv?persons=1&purpose=sag").status_code == 200
    loop, beside = threads
    assert loop != beside


def test_a_citizen_leads_to_its_months_and_back(folder):
    book = Book()
    app = lis_site(folder, access=book)
    who = client_of(app, visitor("caseworker", municipality=OWN))
    page = who.get("/lis/genoptjening?persons=1&purpose=sag+12").text
    address = re.findall(r'href="(/lis/borger[^"]*)"', page)[0].replace("&amp;", "&")
    assert "sag" not in address
    months = who.get(f"{address}&purpose=sag+12")
    assert months.status_code == 200
    assert "En borgers måneder" in months.text
    assert len(book.looks[-1].citizens) == 1
    stranger = client_of(app, visitor("caseworker", municipality=OWN))
    assert stranger.get(f"{address}&purpose=sag+12").status_code == 400


def test_a_purpose_that_holds_a_cpr_number_is_not_kept(app):
    who = client_of(app, visitor("caseworker", municipality=OWN))
    page = who.post("/lis/paa-vej-ned", data={"purpose": "sag om 010190-1234"})
    assert page.status_code == 400
    assert "010190" not in page.text


@pytest.mark.parametrize("view", ["beloeb", "linjer", "paa-vej-ned"])
def test_a_cpr_number_in_the_address_is_refused_wherever_a_purpose_may_stand(app, view, caplog):
    caplog.set_level("INFO", "refusion")
    who = client_of(app, visitor("caseworker", municipality=OWN))
    for form in ("", ".csv", ".pdf"):
        for number in ("010190-1234", "0101901234", "010190 1234"):
            answer = who.get(f"/lis/{view}{form}", params={"purpose": f"sag om {number}"})
            assert answer.status_code == 400, (form, number)
            assert "010190" not in answer.text + str(answer.headers) + caplog.text


def test_a_token_that_was_made_up_is_nobodys():
    tokens = CitizenTokens()
    token = tokens.token("c" * 32)
    assert tokens.citizen(token) == "c" * 32
    for other in (token[:-1] + ("a" if token[-1] != "a" else "b"), "a" * 64, "", "é"):
        assert tokens.citizen(other) is None


def test_tokens_say_nothing_in_another_session():
    first, second = CitizenTokens(), CitizenTokens()
    token = first.token("c" * 32)
    assert (first.token("c" * 32), first.citizen(token)) == (token, "c" * 32)
    assert token != second.token("c" * 32)
    assert second.citizen(token) is None


def test_a_page_that_has_not_changed_is_not_sent_again(economy):
    page = economy.get("/lis/beloeb")
    again = economy.get("/lis/beloeb", headers={"if-none-match": page.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = economy.get("/lis/beloeb?as=of&run=50", headers={"if-none-match": page.headers["etag"]})
    assert other.status_code == 200
    assert economy.get("/lis/kontrol").headers["cache-control"] == "no-store"


def test_the_link_that_lasts_pins_the_run(economy):
    page = economy.get("/lis/beloeb?benefit=KTH").text
    (address,) = re.findall(r'href="(/lis/beloeb\?[^"]*as=of[^"]*)"', page)
    pinned = economy.get(address.replace("&amp;", "&"))
    assert pinned.status_code == 200
    assert "Som kendt, da kørsel 51 blev lukket." in pinned.text


def figures_on(page):
    return [
        int(text.replace(".", "").replace(",", ""))
        for text in re.findall(r'class="number">(?:<a [^>]*>)?(-?[\d.]+,\d\d)<', page)
    ]


def test_a_figure_leads_to_its_lines_which_sum_to_it(economy):
    """Every amount of the page, to the øre."""
    rows = json.loads(economy.get("/lis/beloeb.json").content)["rows"]
    page = economy.get("/lis/beloeb").text
    links = re.findall(r'<a href="(/lis/linjer[^"]*)">(-?[\d.]+,\d\d)</a>', page)
    assert len(links) > 20
    for address, text in links[:40:3]:
        query = address.replace("&amp;", "&").partition("?")[2]
        lines = json.loads(economy.get(f"/lis/linjer.json?{query}").content)["rows"]
        sums = {
            name: sum(line[name] for line in lines)
            for name in ("amount_ore", "refusion_ore", "medfinansiering_ore")
        }
        assert int(text.replace(".", "").replace(",", "")) in {
            *sums.values(),
            sums["amount_ore"] - sums["refusion_ore"],
        }
    assert {row["amount_ore"] for row in rows[:20]} <= {*figures_on(page)}


def test_the_files_of_lines_have_the_lines_of_the_page(economy):
    page = economy.get("/lis/beloeb").text
    address = re.findall(r'href="(/lis/linjer[^"]*mechanism=[^"]*)"', page)[0]
    shown = economy.get(address.replace("&amp;", "&")).text
    files = re.findall(r'href="(/lis/linjer\.json[^"]*)"', shown)
    assert files
    asked = address.replace("&amp;", "&").partition("?")[2].split("&")
    assert {*asked} <= {*files[0].replace("&amp;", "&").partition("?")[2].split("&")}
    assert economy.get("/lis/linjer?rate=1" + 50 * "0").status_code == 422


def test_the_total_of_a_page_is_that_of_its_file(economy):
    for view in ("afregning", "korrektioner", "landet", "mellemkommunalt"):
        told = json.loads(economy.get(f"/lis/{view}.json").content)["rows"]
        page = economy.get(f"/lis/{view}").text
        total = page.rpartition('class="lis-sum"')[2].partition("</tr>")[0]
        figure = next(f for f in VIEWS[view].figures if f.adds and f.kind == "ore")
        assert sum(row[figure.name] for row in told) in figures_on(total), view


def test_a_pdf_has_the_same_bytes_for_the_same_answer(economy):
    first = economy.get("/lis/afregning.pdf")
    assert first.content.startswith(b"%PDF-")
    assert b"pdfuaid" in first.content
    assert first.content == economy.get("/lis/afregning.pdf").content


def test_a_pdf_is_set_where_the_process_that_sets_them_has_died(folder):
    app = lis_site(folder)
    client = client_of(app, visitor("economy", municipality=OWN))
    first = client.get("/lis/afregning.pdf").content
    for _ in range(AT_ONCE):
        process = app.state.parts.typesetter._idle.get()
        if process is not None:
            process._process.kill()
        app.state.parts.typesetter._idle.put(process)
    assert client.get("/lis/afregning.pdf").content == first


def test_the_start_page_shows_what_the_views_show(economy, auditor):
    for who, place in ((economy, "?municipality=" + OWN), (auditor, "")):
        page = who.get("/lis").text
        rows = json.loads(who.get(f"/lis/afregning.json{place}").content)["rows"]
        last = max(row["run"] for row in rows if row["run"])
        net = sum(row["finansieringsbeloeb_ore"] for row in rows if row["run"] == last)
        kroner = f"{(abs(net) + 50) // 100:,}".replace(",", ".")
        assert f"{'-' if net < 0 else ''}{kroner} kr." in page


def test_books_are_compared_and_not_kept(economy):
    assert "Kommunens regnskab" in economy.get("/lis/afstemning").text
    books = "account;month;amount\n5.57.71.2.011;2023-12;100,00\n"
    files = {"books": ("books.csv", io.BytesIO(books.encode()), "text/csv")}
    page = economy.post("/lis/afstemning", files=files)
    assert page.status_code == 200
    assert "5.57.71.2.011" in page.text
    endless = {
        "books": ("b.csv", io.BytesIO(b"account;month;amount\n5;2023-12;" + b"1" * 5000), "")
    }
    assert economy.post("/lis/afstemning", files=endless).status_code == 400
    bad = economy.post("/lis/afstemning", files={"books": ("b.csv", io.BytesIO(b"\xff"), "")})
    assert bad.status_code == 400


ABOUT_CORRECTIONS = {LINES: {"kind", "reason"}, "landet": {"corrections_ore"}}


@pytest.mark.parametrize("role", ["lis", "caseworker"])
@pytest.mark.parametrize("view", sorted(ABOUT_CORRECTIONS))
def test_who_may_not_see_corrections_sees_no_column_that_tells_them(
    app, economy, role, view, monkeypatch
):
    who = client_of(app, visitor(role, municipality=OWN))
    hidden = ABOUT_CORRECTIONS[view]
    assert who.get("/lis/korrektioner").status_code == 403
    mine, all_of_it = (json.loads(each.get(f"/lis/{view}.json").content) for each in (who, economy))
    assert {*all_of_it["rows"][0]} - {*mine["rows"][0]} == hidden
    for name in ("amount_ore", "refusion_ore", "medfinansiering_ore"):
        assert sum(row[name] for row in mine["rows"]) == sum(row[name] for row in all_of_it["rows"])
    heads = who.get(f"/lis/{view}.csv").text.partition("\n")[0].split(";")
    assert not hidden & {head.strip("\ufeff") + "_ore" * ("corr" in head) for head in heads}
    table = read_parquet(io.BytesIO(who.get(f"/lis/{view}.parquet").content)).read_all()
    assert not hidden & {*table.column_names}
    set_on_paper = []

    def typeset(values):
        set_on_paper.append(values)
        return b""

    monkeypatch.setattr(app.state.parts.typesetter, "pdf", typeset)
    who.get(f"/lis/{view}.pdf")
    titles = {catalogue()[key]["da"] for key in headings(view, hidden)}
    assert not titles & {head["title"] for head in set_on_paper[0]["heads"]}
    page = who.get(f"/lis/{view}").text
    assert not any(f'id="what-{name}"' in page for name in hidden)
    assert all(f'id="what-{name}"' in economy.get(f"/lis/{view}").text for name in hidden)


def headings(view, names):
    own = {name: f"lis_columns.{view}__{name}" for name in names}
    return [key if key in catalogue() else f"lis_columns.{name}" for name, key in own.items()]


def test_lines_that_differ_in_what_is_hidden_are_one_line(app):
    who = client_of(app, visitor("lis", municipality=OWN))
    rows = json.loads(who.get(f"/lis/{LINES}.json").content)["rows"]
    keys = [
        tuple(row[name] for name in ("run", "month", "benefit", "mechanism", "rate", "account"))
        for row in rows
    ]
    assert len({*keys}) == len(keys) > 0
    assert who.get(f"/lis/{LINES}?reason=late").status_code == 403
    assert who.get(f"/lis/{LINES}.csv?reason=late").status_code == 403


@pytest.mark.parametrize("form", ["", *(f".{form}" for form in BYTES)])
def test_another_process_which_may_have_read_other_tables_says_unchanged_of_nothing(folder, form):
    """Program, rules and inhabitants are read once: what is new comes with a new process."""
    who = visitor("auditor")
    first = client_of(lis_site(folder), who).get(f"/lis/sammenligning{form}")
    tag = {"if-none-match": first.headers["etag"]}
    again = client_of(lis_site(folder), who).get(f"/lis/sammenligning{form}", headers=tag)
    assert again.status_code == 200


def test_books_without_a_line_are_no_books(economy):
    heads = {"books": ("books.csv", io.BytesIO(b"account;month;amount\n\n"), "text/csv")}
    answer = economy.post("/lis/afstemning", files=heads)
    assert answer.status_code == 400
    assert 'id="books-bad"' in answer.text


@pytest.mark.parametrize("role", ["lis", "economy", "caseworker"])
def test_rows_of_no_other_municipality_come_whatever_is_left_out(app, role):
    """Comparison aside, which shows others with small numbers hidden."""
    who = client_of(app, visitor(role, municipality=OWN))
    seen = 0
    for view in sorted({*SHOWN, LINES} - {"sammenligning"}):
        for query in ("", "?as=of&run=50", "?as=settled&run=50", "?by=month", "?with=101"):
            answer = who.get(f"/lis/{view}.json{query}")
            for row in answer.json().get("rows", []) if answer.status_code == 200 else []:
                seen += 1
                places = {"municipality", "paying", "financing"} & {*row}
                assert not places or OWN in {row[name] for name in places}, (view, query)
    assert seen > 100
