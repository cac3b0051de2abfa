"""The start page of LIS says of points of earlier runs that they are open, or which run closed
them; what it says is what the tables had as of each run.
"""

import re
from html import unescape

import pytest

from projections.lis import lasting_points
from projections.lis.lasting_points import awaiting_wages, without_account
from projections.lis.questions import LisQuestion
from streams.lis.kept_values import KeptValues
from streams.web import lis_start
from tests.support.lis_site import OWN
from tests.support.run_histories import RUNS, marker
from tests.support.site_client import client_of, visitor

MONTHS = {run: marker(run)["data_month"] for run in RUNS}
OTHER = "730"
WITHOUT_ACCOUNT = (
    "SELECT municipality, benefit, sum(amount_ore) FROM money WHERE {} AND account IS NULL"
    " AND benefit <> 'FB' GROUP BY municipality, benefit HAVING sum(amount_ore) <> 0"
)
AWAITING = (
    "SELECT municipality, 'FLT', count(*) FROM (SELECT municipality, citizen FROM person_months"
    " WHERE {} AND benefit IN ('FLT', 'FB') GROUP BY municipality, citizen"
    " HAVING sum(CASE WHEN benefit = 'FLT' AND rate = 20 THEN amount_ore ELSE 0 END) > 0"
    " AND sum(CASE WHEN benefit = 'FB' THEN refusion_ore ELSE 0 END) = 0) GROUP BY municipality"
)
KINDS = [(without_account, WITHOUT_ACCOUNT), (awaiting_wages, AWAITING)]


def as_of(app, place, run, statement, month):
    """Count a point of a month as a run had it, None: as it is now; [] where there was none."""
    parts = [f"month = '{month}'"]
    parts += [f"municipality = '{place}'"] if place else []
    parts += [f"run <= {run}"] if run else []
    with app.state.parts.lis.shelf.marts() as marts:
        return marts.rows(statement.format(" AND ".join(parts)))


def followed(app, place, follow):
    with app.state.parts.lis.scope(LisQuestion("afregning", place)) as (_, scope, _runs):
        return follow(scope)


@pytest.mark.parametrize("place", [OWN, OTHER, None])
@pytest.mark.parametrize(("follow", "statement"), KINDS)
def test_a_point_is_open_or_closed_as_the_runs_had_it(app, place, follow, statement):
    expected = {}
    for raised in RUNS[:-1]:
        had = {run: as_of(app, place, run, statement, MONTHS[raised]) for run in RUNS}
        if had[raised]:
            left = max(run for run in RUNS if had[run])
            expected[MONTHS[raised]] = None if left == RUNS[-1] else left + 1
    earlier = followed(app, place, follow).earlier
    assert {month: point.closed for point in earlier for month in point.months} == expected


@pytest.mark.parametrize("place", [OWN, OTHER, None])
@pytest.mark.parametrize(("follow", "statement"), KINDS)
def test_a_point_of_the_last_month_is_as_it_is_now(app, place, follow, statement):
    """The open run is in it."""
    now = as_of(app, place, None, statement, MONTHS[RUNS[-1]])
    found = followed(app, place, follow).now
    assert found.size == sum(size for _, _, size in now)
    assert {*found.benefits} == {benefit for _, benefit, _ in now}
    assert found.places == len({code for code, _, _ in now})


def earlier_on(app, language, *roles):
    """Return what the start page of some roles says of earlier runs, a point a line."""
    page = client_of(app, visitor(*roles, municipality=OTHER)).get(f"{language}/lis").text
    attention = page.partition('id="attention"')[2].partition("</section>")[0]
    told = attention.partition("<h3>")[2].partition("</ul>")[0]
    return [
        unescape(re.sub("<[^>]*>|\\s+", " ", point)) for point in told.split("<li>")[1:]
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("language", "still_open", "closed"),
    [("", "Åbent siden kørsel 49:", "Lukket i kørsel 51:"),
     ("/en", "Open since run 49:", "Closed in run 51:")],
)  # fmt: skip
def test_the_start_page_says_what_is_open_and_which_run_closed_the_rest(
    app, language, still_open, closed
):
    of_account, of_wages = earlier_on(app, language, "economy", "caseworker")
    assert still_open in of_account
    assert closed in of_wages
    only = earlier_on(app, language, "economy")
    assert [still_open in point for point in only] == [True]


def test_who_sees_all_sums_beside_citizens_of_one_place_sees_no_count_of_all_citizens(app):
    assert len(earlier_on(app, "", "auditor")) > len(earlier_on(app, "", "state"))
    assert earlier_on(app, "", "caseworker", "state") == earlier_on(app, "", "state")


def test_points_that_last_are_counted_once_for_a_build_and_a_municipality(app, monkeypatch):
    counted = []

    def counting(scope):
        counted.append(scope.question.municipality)
        return without_account(scope)

    monkeypatch.setattr(lis_start, "without_account", counting)
    with app.state.parts.lis.shelf.marts() as marts:
        monkeypatch.setattr(marts, "_kept", KeptValues())
    of_places = [(place, visitor("economy", municipality=place)) for place in (OWN, OTHER)]
    seen = dict([*of_places, (None, visitor("auditor"))])
    first = {place: client_of(app, who).get("/lis").text for place, who in seen.items()}
    again = {place: client_of(app, who).get("/lis").text for place, who in seen.items()}
    assert counted == [OWN, OTHER, None]
    assert again == first


@pytest.mark.parametrize("code", ["", "0", "101", "199", "2", "860", "9", "999", "A1"])
def test_each_municipality_is_in_one_part(app, code):
    parts = lasting_points._parts(LisQuestion("afregning"))
    with app.state.parts.lis.shelf.marts() as marts:
        found = [
            is_in
            for part in parts
            for (is_in,) in marts.rows(f"SELECT {part} FROM (SELECT ? AS municipality)", [code])  # noqa: S608
        ]
    assert (len(parts), sum(found)) == (10, 1)
