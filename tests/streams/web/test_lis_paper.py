"""A view on paper has the figures of its page and of its files, to the øre, or says what it lacks.

The PDF is read as a program that reads aloud does, cell by cell.
"""

import pytest

from projections.lis.money_lines import LINES
from projections.lis.views import VIEWS
from streams.web import lis_looks
from streams.web.lis_looks import BOOKS_VIEW
from streams.web.lis_options import ROWS_OF_PAGE
from streams.web.words import catalogue
from tests.streams.web.test_lis_content import OF_AREAS
from tests.streams.web.test_lis_histories import (
    assert_figures,
    names_of,
    rows_shown,
    table_of,
)
from tests.support.lis_site import OWN
from tests.support.pdf_tables import TaggedPdf
from tests.support.site_client import client_of, visitor

OF_CITIZENS = [f"{view.name}?persons=1" for view in VIEWS.values() if view.behind]
OF_REPORTERS = "korrektioner?reporters=1"
ASKED = [*(name for name in VIEWS if name != BOOKS_VIEW), LINES, *OF_CITIZENS, OF_REPORTERS]
FEW = 3


@pytest.fixture(scope="module")
def reader(app):
    """An auditor who has said why."""
    who = client_of(app, visitor("auditor"))
    who.post("/lis/personer?persons=1", data={"purpose": "sag 12"})
    return who


def address_of(reader, asked):
    """Return the path of a view and what is asked of it: of one municipality, where that may be."""
    view, _, query = asked.partition("?")
    parts = [query] if query else []
    if view == "borger":
        listed = reader.get("/lis/personer.json?persons=1").json()["rows"]
        parts.append(f"citizen={listed[0]['citizen']}")
    elif asked != OF_REPORTERS and (view == LINES or "municipality" not in VIEWS[view].not_by):
        parts.append(f"municipality={OWN}")
    return f"/lis/{view}", "?" + "&".join(parts)


def on_paper(pdf, page):
    """Read the table of a PDF; its columns are those of the page."""
    _, *rows = pdf.rows
    return [dict(zip(names_of(page), cells, strict=True)) for cells in rows]


def bare(line):
    """Return the cells of a line without spaces: where paper breaks a line there is none."""
    return ["".join(cell.split()) for cell in line.values()]


@pytest.mark.parametrize("asked", ASKED)
def test_a_view_on_paper_has_the_figures_of_its_page_and_files(reader, asked):
    path, query = address_of(reader, asked)
    answer = reader.get(f"{path}.pdf{query}")
    page = reader.get(f"{path}{query}").text
    told = reader.get(f"{path}.json{query}").json()["rows"]
    assert answer.status_code == 200
    lines, shown = on_paper(TaggedPdf(answer.content), page), table_of(page)
    first = min(len(rows_shown(shown)), ROWS_OF_PAGE)
    behind = len(shown) - first  # sums, and rows of areas
    assert [*map(bare, lines[:first])] == [*map(bare, shown[:first])]
    assert [*map(bare, lines[len(lines) - behind :])] == [*map(bare, shown[first:])]
    of_place = OWN if asked in OF_AREAS else ""
    mine = rows_shown(lines, of_place)
    rows = [row for row in told if not of_place or row["municipality"] == of_place]
    assert len(mine) == len(rows) > 0
    assert_figures(mine, rows)


def test_paper_says_what_it_lacks_and_sums_all(reader, monkeypatch):
    path = "/lis/afregning"
    page, table = reader.get(path).text, reader.get(f"{path}.json").json()["rows"]
    assert len(table) > FEW
    monkeypatch.setattr(lis_looks, "MOST_ON_PAPER", FEW)
    pdf = TaggedPdf(reader.get(f"{path}.pdf").content)
    lines = on_paper(pdf, page)
    assert len(rows_shown(lines)) == FEW
    assert bare(lines[-1]) == bare(table_of(page)[-1])
    said = catalogue()["lis.cut_on_paper"]["da"].format(shown=FEW, count=len(table))
    assert any(said in text for text in pdf.texts("P"))
