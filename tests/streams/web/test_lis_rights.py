"""Each role sees its own views, rows and columns of LIS."""

import io
import json

import pytest
from arro3.io import read_parquet

from projections.lis.money_lines import LINES
from projections.lis.views import VIEWS
from streams.web.lis_files import MEDIA
from streams.web.words import catalogue
from tests.support.lis_site import OWN, lis_site
from tests.support.site_client import client_of, visitor

NAMING = {name for name, view in VIEWS.items() if view.names_citizens}
OF_ALL = {"fuldstaendighed", "forventet"}
SHOWN = [name for name in VIEWS if name not in NAMING | {"afstemning"}]
BYTES = ("csv", "json", "parquet")


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


def test_sums_of_all_beside_a_role_of_ones_own_show_no_citizen_of_others(app):
    who = client_of(app, visitor("caseworker", "state", municipality=OWN))
    for asked in ("paa-vej-ned.csv?", "personer.csv?persons=1&"):
        assert who.get(f"/lis/{asked}municipality=101").status_code == 403, asked
        assert who.get(f"/lis/{asked}municipality={OWN}").status_code == 400, asked
    assert who.get("/lis/beloeb.csv?municipality=101").status_code == 200


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

    monkeypatch.setattr(app.state.parts.typesetter, "kept_pdf", typeset)
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


@pytest.mark.parametrize("path", ["beloeb", "sammenligning", "personer.json", "linjer.csv"])
def test_another_municipality_is_refused_whether_it_exists_or_not(economy, path):
    for code in ("101", "999"):
        answer = economy.get(f"/lis/{path}?municipality={code}")
        assert answer.status_code == 403
        assert code not in answer.text


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
