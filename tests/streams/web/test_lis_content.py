"""Every view of LIS has rows on the site that tests look at, so that none is seen empty alone."""

import csv
import io
import re
from decimal import Decimal

import pytest
from arro3.io import read_parquet

from projections.lis.money_lines import LINES
from projections.lis.views import VIEWS
from streams.web.lis_looks import BOOKS_VIEW
from tests.streams.web.test_lis_histories import assert_shown
from tests.support.lis_site import OWN
from tests.support.site_client import client_of, visitor

OF_AREAS = {view.name for view in VIEWS.values() if view.has_areas}
"""Views whose pages have rows of areas beside those of municipalities."""
BOOKS = ("books.csv", b"account;month;amount\n5.57.71.2.011;2023-12;100,00\n")


@pytest.fixture(scope="module")
def seer(app):
    """An auditor who has said why."""
    who = client_of(app, visitor("auditor"))
    who.post("/lis/personer?persons=1", data={"purpose": "sag 12"})
    return who


def rows_of_page(answer):
    """Count the rows of a page's table, without the sum of all."""
    assert answer.status_code == 200
    body = answer.text.partition("<tbody>")[2].partition("</tbody>")[0]
    return len(re.findall("<tr>", body))


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_has_rows_on_its_page(seer, view):
    if view == BOOKS_VIEW:
        answer = seer.post(f"/lis/{view}?municipality={OWN}", files={"books": BOOKS})
    elif view == "borger":
        listed = seer.get("/lis/personer.json?persons=1").json()["rows"]
        answer = seer.get(f"/lis/{view}?citizen={listed[0]['citizen']}")
    else:
        answer = seer.get(f"/lis/{view}")
    assert rows_of_page(answer) > 0


@pytest.mark.parametrize("view", [view.name for view in VIEWS.values() if view.behind])
def test_every_list_of_citizens_has_rows(seer, view):
    assert rows_of_page(seer.get(f"/lis/{view}?persons=1")) > 0


def address_of(seer, view):
    """Return the address of a view, and what it asks for: one citizen, or a municipality."""
    if view in OF_AREAS:
        return f"/lis/{view}", f"?municipality={OWN}"
    if view != "borger":
        return f"/lis/{view}", ""
    listed = seer.get("/lis/personer.json?persons=1").json()["rows"]
    return f"/lis/{view}", f"?citizen={listed[0]['citizen']}"


def of_table(text):
    """Read a file for spreadsheets: kroner with a decimal comma become øre by their names."""
    for line in csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), delimiter=";"):
        yield {name: value.replace(",", ".") for name, value in line.items()}


def number_of(value):
    return None if value in ("", None) else Decimal(str(value))


@pytest.mark.parametrize("view", [*sorted({*VIEWS} - {BOOKS_VIEW}), LINES])
def test_the_files_of_a_view_have_the_figures_of_its_page(seer, view):
    """Books are uploaded, and have a test of their own (`test_books_files.py`)."""
    path, query = address_of(seer, view)
    told = seer.get(f"{path}.json{query}").json()["rows"]
    table = [*of_table(seer.get(f"{path}.csv{query}").text)]
    content = seer.get(f"{path}.parquet{query}").content
    columns = read_parquet(io.BytesIO(content)).read_all()
    page = seer.get(f"{path}{query}").text
    if view in OF_AREAS:
        assert_shown(page, [row for row in told if row["municipality"] == OWN], OWN)
    else:
        assert_shown(page, told)
    assert len(table) == len(told) == columns.num_rows
    figures = {
        name
        for row in told
        for name, value in row.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    assert figures
    for name in figures:
        mine = [number_of(row[name]) for row in told]
        assert [number_of(value) for value in columns.column(name).to_pylist()] == mine, name
        in_kroner = name.endswith("_ore")
        found = [number_of(line[name.removesuffix("_ore")]) for line in table]
        assert found == [
            value / 100 if in_kroner and value is not None else value for value in mine
        ], name
