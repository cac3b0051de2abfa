"""The pages of LIS: who may see what, the same figures as the command, links that last."""

import io
import json
import re
from collections import Counter
from dataclasses import fields

import pytest
from arro3.io import read_parquet
from click.testing import CliRunner

from projections.lis.answers import Answer, number, text
from projections.lis.comparison_views import BY_INHABITANTS
from projections.lis.forecast_views import PROGNOSE, PROGNOSEFEJL
from projections.lis.money_lines import LINE_FIGURES, LINES
from projections.lis.money_views import BY_BUDGET
from projections.lis.questions import LisQuestion
from projections.lis.views import VIEWS
from streams.citizens.rule_sets import load_rule_set
from streams.cli.main import main
from streams.lis.marts import Marts
from streams.web.lis_figures import Speaker
from streams.web.lis_files import MEDIA
from streams.web.lis_findings import finding
from streams.web.lis_links import Paths
from streams.web.lis_options import LisOptions
from streams.web.lis_tables import page_table
from streams.web.lis_typesetter import AT_ONCE
from streams.web.words import catalogue, words_in
from tests.support.lis_site import OWN, lis_environment, lis_site
from tests.support.site_client import client_of, visitor

NAMING = {name for name, view in VIEWS.items() if view.names_citizens}
OF_ALL = {"fuldstaendighed", "forventet"}
SHOWN = [name for name in VIEWS if name not in NAMING | {"afstemning"}]
BYTES = ("csv", "json", "parquet")


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


@pytest.mark.parametrize(
    ("view", "query", "options"),
    [
        ("korrektioner", "reporters=1", ["--reporters"]),
        ("kontrol", "reporters=1", ["--reporters"]),
        (
            "sammenligning",
            f"municipality={OWN}&alike=2",
            ["--municipality", OWN, "--alike", "2"],
        ),
    ],
)
def test_what_the_command_can_be_asked_the_site_can_be_asked(auditor, told, view, query, options):
    answer = auditor.get(f"/lis/{view}.csv?as=of&run=50&{query}")
    assert answer.content == told(view, "csv", "--as", "of", "--run", "50", *options)
    page = auditor.get(f"/lis/{view}?as=of&run=50&{query}")
    name, value = query.split("&")[-1].split("=")
    assert page.status_code == 200
    assert re.search(f'name="{name}"[^>]*value="{value}"|value="{value}" selected', page.text)
    files = re.findall(rf'href="/lis/{view}.csv([^"]*)"', page.text)
    assert all(query.split("&")[-1] in address for address in files)
    assert files or view == "kontrol"  # of which nothing was kept here


def test_every_option_of_the_command_is_one_of_the_address():
    """`--by` is a list, `--as` has another name inside; the books come as a file."""
    asked = {field.name for field in fields(LisQuestion)} - {"view", "books"}
    assert asked <= set(LisOptions.model_fields)


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
    of_counts = [query for query in questions if " step_persons" in query]
    assert of_counts
    assert len(of_counts) == len(set(of_counts))


@pytest.mark.parametrize("path", ["/lis/genoptjening?persons=1", "/lis/personer?persons=1"])
def test_no_rows_that_name_citizens_are_kept(folder, questions, path):
    client = client_of(lis_site(folder), visitor("caseworker", municipality=OWN))
    assert client.post(path, data={"purpose": "sag 12/2024"}).status_code == 303
    assert client.get(path).status_code == 200
    for form in ("", ".json"):
        for _ in range(2):
            questions.clear()
            client.get(path.replace("?", f"{form}?purpose=sag&"))
            assert any("citizen" in query for query in questions)


def test_the_own_municipality_is_meant_where_none_is_named(economy, told):
    assert economy.get("/lis/beloeb.csv").content == told("beloeb", "csv", "--municipality", OWN)
    assert economy.get("/lis/sammenligning.json").content == told(
        "sammenligning", "json", "--municipality", OWN
    )


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
        further = [found[0] for found in (view.behind, view.of_reporters) if found]
        figures = {*view.figures}.union(*further)
        figures |= {*BY_INHABITANTS} | ({*BY_BUDGET} if view.name == "afregning" else set())
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


@pytest.mark.parametrize(
    "path", ["beloeb", "paa-vej-ned", "afstemning", "beloeb?as=of", "linjer?municipality=751"]
)
def test_what_a_choice_puts_in_place_of_the_page_is_there_whatever_the_answer(app, path):
    """A choice is sent by htmx, which takes the part `lis` out of the answer."""
    who = client_of(app, visitor("caseworker", "economy", municipality=OWN))
    page = who.get(f"/lis/{path}").text
    assert page.count('<div id="lis">') == 1
    assert "<h1>" in page.partition('<div id="lis">')[2]


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


@pytest.mark.parametrize("view", ["afregning", "beloeb", "sammenligning"])
def test_addresses_that_people_pass_on_say_the_same_to_who_has_no_municipality(app, view):
    """They are of a role's own municipality, which nobody has typed."""
    own, state = (
        client_of(app, visitor("economy", municipality=OWN)),
        client_of(app, visitor("state")),
    )
    page = own.get(f"/lis/{view}?as=of&run=51").text
    found = re.findall(rf'<li><a href="(/lis/{view}(?:\.\w+)?\?[^"]*)"', page)
    addresses = [address.replace("&amp;", "&") for address in found if "page=" not in address]
    assert {address.partition("?")[0] for address in addresses} == {
        f"/lis/{view}", *(f"/lis/{view}.{form}" for form in MEDIA),
    }  # fmt: skip
    other = client_of(app, visitor("economy", municipality="730"))
    for address in addresses:
        assert f"municipality={OWN}" in address
        assert other.get(address).status_code == 403
        if address.startswith((f"/lis/{view}.json", f"/lis/{view}.csv")):
            assert state.get(address).content == own.get(address).content
    (permalink,) = (address for address in addresses if address.startswith(f"/lis/{view}?"))
    for said in (r'<p class="font-lead lis-place">[^<]+<', r'<h2 class="lis-finding">[^<]+<'):
        assert re.findall(said, state.get(permalink).text) == re.findall(said, page)


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
    for address, amount in links[:40:3]:
        query = address.replace("&amp;", "&").partition("?")[2]
        lines = json.loads(economy.get(f"/lis/linjer.json?{query}").content)["rows"]
        sums = {
            name: sum(line[name] for line in lines)
            for name in ("amount_ore", "refusion_ore", "medfinansiering_ore")
        }
        assert int(amount.replace(".", "").replace(",", "")) in {
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


NO_POINT = catalogue()["lis.point_none"]["da"]


def test_a_start_page_says_of_no_points_only_where_nobody_has_some(app, economy, auditor):
    """Others read for whom the points are."""
    assert 'class="lis-points"' in economy.get("/lis").text
    for role, others in (("lis", "økonomi"), ("caseworker", "økonomi")):
        page = client_of(app, visitor(role, municipality=OWN)).get("/lis").text
        assert NO_POINT not in page
        assert re.search(rf"som ikke vises her. De vises for: [^.]*{others}", page), role
    assert "som ikke vises her" not in auditor.get("/lis").text


def test_a_municipality_without_any_point_has_the_sentence_that_there_is_none(app):
    without = client_of(app, visitor("lis", municipality="101")).get("/lis").text
    assert NO_POINT in without
    assert "som ikke vises her" not in without


def test_a_point_says_its_kroner_and_what_to_do(economy):
    page = economy.get("/lis").text
    (run,) = {*re.findall(r"Kørsel (\d+) retter tidligere måneder", page)}
    rows = json.loads(economy.get(f"/lis/afregning.json?as=settled&run={run}").content)["rows"]
    (ore,) = (row["corrections_ore"] for row in rows)
    kroner = f"{(abs(ore) + 50) // 100:,}".replace(",", ".")
    point = page.partition("retter tidligere måneder")[2].partition("</li>")[0]
    assert f"Beløb: {'-' if ore < 0 else ''}{kroner} kr." in point
    assert catalogue()["lis.point_corrections_do"]["da"] in point


def test_a_point_names_the_benefits_that_it_is_about_and_counts_municipalities(economy, auditor):
    def corrected(who):
        page = who.get("/lis").text
        (run,) = {*re.findall(r"Kørsel (\d+) retter tidligere måneder", page)}
        lines = json.loads(who.get(f"/lis/linjer.json?as=settled&run={run}").content)["rows"]
        settled = who.get(f"/lis/afregning.json?as=settled&run={run}").content
        before = json.loads(settled)["rows"][0]["data_month"]
        net = Counter[tuple[str, str]]()
        for line in lines:
            if line["month"] < before and line["kind"] != "opening":
                ore = line["refusion_ore"] - line["medfinansiering_ore"]
                net[line["municipality"], line["benefit"]] += ore
        point = page.partition("retter tidligere måneder")[2].partition("</li>")[0]
        (named,) = re.findall(r"<br>(Ydelser: [^<]*)", point)
        return {place for place, ore in net.items() if ore}, named

    net, named = corrected(economy)
    benefits = {benefit for _, benefit in net}
    assert "Kommuner" not in named
    told = re.findall(r"(?:: |, )([A-Z-]+) ", named)
    assert {*told} <= benefits, named
    assert len(told) == min(3, len(benefits)), named
    assert (f"og {len(benefits) - 3} til" in named) == (len(benefits) > 3)
    net, named = corrected(auditor)
    assert named.endswith(f"Kommuner: {len({place for place, _ in net})}.")


def test_the_start_page_of_who_may_see_citizens_leads_to_their_notices(app, economy):
    who = client_of(app, visitor("caseworker", municipality=OWN))
    attention = who.get("/lis").text.partition('id="attention"')[2].partition("</section>")[0]
    assert 'href="/adviser"' in attention
    page = economy.get("/lis").text
    assert 'href="/adviser"' not in page.partition('id="attention"')[2]


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("as=of&run=50", "koersel-50"),
        ("as=settled&run=50", "afregnet-i-koersel-50"),
        ("run=50", "koersel-50"),
        ("", "efter-koersel-51"),
    ],
)
def test_a_file_says_what_it_is_as_of(economy, query, named):
    """In its name, and, where its form has room for it, inside; as the page says it."""
    for form in MEDIA:
        answer = economy.get(f"/lis/afregning.{form}?{query}")
        name = f'filename="afregning-{OWN}-{named}.{form}"'
        assert answer.headers["content-disposition"].endswith(name)
    page = economy.get(f"/lis/afregning?{query}").text
    told = json.loads(economy.get(f"/lis/afregning.json?{query}").content)
    written = io.BytesIO(economy.get(f"/lis/afregning.parquet?{query}").content)
    inside = json.loads(read_parquet(written).read_all().schema.metadata[b"refusion"])
    assert inside == {name: value for name, value in told.items() if name != "rows"}
    assert {"run", "closed_at", "rules", "ledger_version"} <= {*inside}
    assert f"Regelsæt {told['rules']}. Hovedbogens version {told['ledger_version']}." in page
    day, year = int(told["closed_at"][8:10]), told["closed_at"][:4]
    assert re.search(rf"lukket {day}\. \w+ {year}", page)


def test_the_start_page_names_the_rules(economy):
    told = json.loads(economy.get("/lis/afregning.json").content)
    said = f"Regelsæt {told['rules']}. Hovedbogens version {told['ledger_version']}."
    assert said in economy.get("/lis").text


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


@pytest.mark.parametrize("form", ["", *(f".{form}" for form in BYTES)])
def test_another_process_which_may_have_read_other_tables_says_unchanged_of_nothing(folder, form):
    """Program, rules and inhabitants are read once: what is new comes with a new process."""
    who = visitor("auditor")
    first = client_of(lis_site(folder), who).get(f"/lis/sammenligning{form}")
    tag = {"if-none-match": first.headers["etag"]}
    again = client_of(lis_site(folder), who).get(f"/lis/sammenligning{form}", headers=tag)
    assert again.status_code == 200


def test_all_rows_of_uploaded_books_are_on_the_page_since_no_address_has_more(economy):
    months = [f"{year}-{month:02d}" for year in range(2016, 2026) for month in range(1, 13)]
    books = "account;month;amount\n" + "".join(f"5.57.71.2.011;{m};100,00\n" for m in months)
    files = {"books": ("books.csv", io.BytesIO(books.encode()), "text/csv")}
    page = economy.post("/lis/afstemning", files=files).text
    assert len(re.findall(r'<th scope="row">(?:<a [^>]*>)?5\.57\.71\.2\.011', page)) >= len(months)
    assert "page=2" not in page
    assert 'href="/lis/afstemning.csv' not in page


def test_the_country_is_called_the_country():
    figures = (text("municipality", "kommune"), number("persons", "personer"))
    answer = Answer("prognose", "", "known", 50, "R-1", figures, [("730", 5)], None, [(None, 9)])
    speaker = Speaker(words_in("da"), "da", load_rule_set())
    paths = Paths("prognose", LisOptions(), lambda _: True, sees_citizens=False)
    rows = page_table(answer, speaker, paths, range(100)).rows
    assert [row.cells[0].text for row in rows][1] == "Hele landet"


def test_the_net_of_a_forecast_stands_before_what_it_is_made_of():
    figures = tuple(number(figure.name, figure.heading) for figure in PROGNOSE)
    row = tuple(range(len(figures)))
    answer = Answer("prognose", "", "known", 50, "R-1", figures, [row])
    paths = Paths("prognose", LisOptions(), lambda _: True, sees_citizens=False)
    speaker = Speaker(words_in("da"), "da", load_rule_set())
    table = page_table(answer, speaker, paths, range(100))
    names = [head.name for head in table.heads]
    assert names[:5] == ["municipality", "month", "net_ore", "net_low_ore", "net_high_ore"]
    assert sorted(names) == sorted(answer.names)
    texts = dict(zip(names, (cell.text for cell in table.rows[0].cells), strict=True))
    for place, name in enumerate(answer.names):
        assert texts[name].split(",")[0] == str(place), name


def test_a_page_speaks_of_underlined_figures_where_it_has_some(auditor):
    told = catalogue()["lis.behind_row"]["da"]
    assert told in auditor.get("/lis/beloeb").text
    assert told not in auditor.get("/lis/prognose").text


def test_what_a_column_means_is_told_once(auditor):
    meanings = auditor.get("/lis/prognose").text.split('class="lis-meanings"')[1]
    told = re.findall(r"<dt>([^<]+)</dt>", meanings.split("</dl>")[0])
    assert len(told) == len({*told})


def test_a_sum_without_the_column_that_a_finding_needs_has_no_finding():
    figures = (text("reporter", "indberetter"), number("payments", "antal"))
    answer = Answer("fuldstaendighed", "", "known", 50, "R-1", figures, [("12345678", 5)])
    assert finding(answer, Speaker(words_in("da"), "da", load_rule_set()), None) == ""


@pytest.mark.parametrize(
    ("view", "row", "said"),
    [
        ("personer", {"persons": 1, "full_time_persons": 100}, "1 person fik ydelser i januar"),
        ("personer", {"persons": 2, "full_time_persons": 100}, "2 personer fik ydelser i januar"),
        ("sammenligning", {"persons": None}, "Alle tal i januar 2024 er skjult"),
    ],
)
def test_a_finding_is_said_of_one_person_and_of_hidden_figures(view, row, said):
    figures = VIEWS[view].figures
    values = {"municipality": "730", "month": "2024-01"} | row
    cells = tuple(values.get(figure.name) for figure in figures)
    answer = Answer(view, "", "known", 50, "R-1", figures, [cells], VIEWS[view].total)
    found = finding(answer, Speaker(words_in("da"), "da", load_rule_set()), None)
    assert found.startswith(said)


def links_of(page, path="/lis/"):
    table = page.partition("<tbody>")[2].partition("</tbody>")[0]
    return [link.replace("&amp;", "&") for link in re.findall(rf'href="({path}[^"]*)"', table)]


def test_a_line_leads_to_its_citizens_for_who_may_see_them(app, economy):
    """And they are those whose money the line is of; from them the way leads back to the figure."""
    asked = f"/lis/linjer?municipality={OWN}&benefit=ADP&as=of&run=51"
    assert links_of(economy.get(asked).text) == []
    who = client_of(app, visitor("caseworker", municipality=OWN))
    page = who.get(asked).text
    links = links_of(page)
    assert links
    (path, _, query), month = links[0].partition("?"), re.findall(r"month=([\d-]+)", links[0])[0]
    assert path == "/lis/personer"
    rows = json.loads(who.get(f"{path}.json?{query}&purpose=sag").content)["rows"]
    assert {(row["municipality"], row["month"], row["benefit"]) for row in rows} == {
        (OWN, month, "ADP")
    }
    lines = json.loads(who.get(f"/lis/linjer.json?{query.replace('&persons=1', '')}").content)
    for name in ("amount_ore", "refusion_ore"):
        assert sum(row[name] for row in rows) == sum(row[name] for row in lines["rows"])
    assert f'<a href="/lis/beloeb?as=of&amp;run=51&amp;municipality={OWN}&amp;benefit=ADP">' in page
    (back,) = re.findall(
        r'href="([^"]*)">Personer', who.get(f"{path}?{query}&purpose=sag").text.partition("<h1>")[0]
    )
    assert back.endswith(f"&amp;municipality={OWN}&amp;month={month}&amp;benefit=ADP")
    assert back.startswith("/lis/personer?as=of&amp;run=51")
    assert "persons" not in back
    assert who.get(back.replace("&amp;", "&")).status_code == 200


def test_the_way_back_from_lines_is_to_the_figure_that_their_keys_are_of(economy, app):
    for key, view in (("account=ingen", "udgifter"), ("reason=late_report", "korrektioner")):
        page = economy.get(f"/lis/linjer?{key}&month=2023-12").text.partition("<h1>")[0]
        assert f'<a href="/lis/{view}?month=2023-12">' in page
    without = client_of(app, visitor("caseworker", municipality=OWN))
    page = without.get("/lis/linjer?account=ingen").text.partition("<h1>")[0]
    assert '<a href="/lis/udgifter">' in page
    assert '<span aria-hidden="true">›</span> <a' not in economy.get("/lis/beloeb").text


ROW = {"municipality": OWN, "month": "2024-01", "benefit": "KTH", "run": 51}


@pytest.mark.parametrize(
    ("view", "row", "links"),
    [
        ("forventet", {}, {"differing": "/lis/forventet?month=2024-01&benefit=KTH&persons=1"}),
        ("fuldstaendighed", {}, {"received_ore": "/lis/beloeb?month=2024-01&benefit=KTH"}),
        (
            "overgange",
            {"from_benefit": "ADP", "to_benefit": "KTH"},
            {
                "from_benefit": f"/lis/personer?municipality={OWN}&month=2023-12&benefit=ADP",
                "to_benefit": f"/lis/personer?municipality={OWN}&month=2024-01&benefit=KTH",
            },
        ),
        (
            "mellemkommunalt",
            {"paying": OWN, "financing": "730"},
            {"paying": f"/lis/beloeb?municipality={OWN}&month=2024-01&benefit=KTH"},
        ),
        ("sammenligning", {}, {"municipality": f"/lis/udvikling?municipality={OWN}"}),
        ("sammenligning", {"municipality": "730"}, {}),
        (
            "afstemning",
            {"account": None},
            {"sumpostering_ore": f"/lis/linjer?municipality={OWN}&month=2024-01&account=ingen"},
        ),
    ],
)
def test_a_row_leads_on_to_where_the_visitor_may_go(view, row, links):
    paths = Paths(view, LisOptions(), lambda _: True, sees_citizens=True, only=OWN)
    found = paths.of_row(ROW | row)
    assert links.items() <= found.items()
    assert all("municipality=730" not in address for address in found.values())
    nobody = Paths(view, LisOptions(), lambda _: False, sees_citizens=True, only=OWN)
    assert nobody.of_row(ROW | row) == {}


def test_how_wrong_the_forecasts_were_stands_beside_the_forecast(auditor, economy):
    for who in (auditor, economy):
        page = who.get(f"/lis/prognose?municipality={OWN}").text
        beside = page.split('class="lis-beside"')[1].split("</section>")[0]
        assert f'href="/lis/prognosefejl?municipality={OWN}"' in beside
        assert "Bedre end begge gæt" in beside
        assert 'class="lis-finding"' in beside  # it looks like the other findings
        ids = re.findall(r' id="([^"]+)"', page)
        assert len(ids) == len({*ids})
    assert 'class="lis-beside"' not in auditor.get("/lis/beloeb").text


@pytest.mark.parametrize(
    ("own", "better", "said"),
    [
        (OWN, "ja", "Prognoserne for kommunen tog 1,0 % fejl"),
        (OWN, "nej", "kun bedre end begge enkle gæt i 0 af 1 tilfælde"),
        (None, "ja", "Prognoserne for hele landet tog 2,0 % fejl"),
    ],
)
def test_the_title_of_the_errors_says_whether_a_guess_is_as_good(own, better, said):
    def row(place, error):
        values = {"municipality": place, "months_ahead": 1, "forecasts": 24, "better": better}
        values |= dict.fromkeys(("net_same_month_percent", "net_last_month_percent"), 300)
        values |= {"net_error_percent": error}
        return tuple(values.get(name) for name in (figure.name for figure in PROGNOSEFEJL))

    answer = Answer(
        "prognosefejl", "", "known", 50, "R-1", PROGNOSEFEJL, [row(OWN, 100)],
        areas=[row(None, 200)],
    )  # fmt: skip
    assert said in finding(answer, Speaker(words_in("da"), "da", load_rule_set()), own)


def test_the_menu_has_lis_for_who_may_see_some_of_it(app):
    for role, has_lis in (("operator", False), ("auditor", True)):
        assert ('href="/lis"' in client_of(app, visitor(role)).get("/").text) == has_lis
    assert 'href="/lis"' in client_of(app).get("/").text


def test_books_without_a_line_are_no_books(economy):
    heads = {"books": ("books.csv", io.BytesIO(b"account;month;amount\n\n"), "text/csv")}
    answer = economy.post("/lis/afstemning", files=heads)
    assert answer.status_code == 400
    assert 'id="books-bad"' in answer.text
