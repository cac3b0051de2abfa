"""A comparison with a municipality's own books is given as files too, without keeping the books."""

import csv
import io
import json
import re
from html import unescape

import pytest
from click.testing import CliRunner

from projections.lis.books import BookLine, read_books
from streams.cli.main import main
from streams.web import lis_pages
from streams.web.lis_files import MEDIA, written_books
from tests.support.lis_site import OWN, lis_environment
from tests.support.site_client import client_of, visitor

BOOKS = 'account;month;amount\n5.57.71.2.011;2023-12;100,00\nA "x" & <b>;2023-12;-1.234,5\n'
BUTTON = re.compile(r'<button[^>]* formaction="([^"]*)"')


def uploaded(client, books=BOOKS, query="", language=""):
    files = {"books": ("b.csv", io.BytesIO(books.encode()), "text/csv")}
    answer = client.post(f"{language}/lis/afstemning{query}", files=files)
    assert answer.status_code == 200
    return answer.text


def table_in(page):
    (value,) = re.findall(r'name="table" value="([^"]*)"', page)
    return unescape(value)


def as_form(table):
    """The parts of a form as a browser sends them: as multipart."""
    return {"table": (None, table.replace("\n", "\r\n"))}


def test_books_are_written_as_they_are_read():
    lines = [BookLine("5.57", "2024-01", amount) for amount in (0, 5, -5, 100, -123_450, 10**12)]
    lines.append(BookLine('a;"b', "2024-02", 1))
    assert list(read_books(written_books(lines).splitlines())) == lines


@pytest.mark.parametrize("language", ["", "/en"])
def test_the_page_of_uploaded_books_has_a_button_for_each_file(economy, language):
    page = uploaded(economy, query="?month=2023-12", language=language)
    addresses = [unescape(address) for address in BUTTON.findall(page)]
    assert addresses == [
        f"{language}/lis/afstemning.{form}?municipality={OWN}&month=2023-12"
        for form in ("csv", "json", "parquet", "pdf")
    ]
    assert list(read_books(table_in(page).splitlines())) == list(read_books(BOOKS.splitlines()))
    for address, form in zip(addresses, MEDIA, strict=True):
        answer = economy.post(address, files=as_form(table_in(page)))
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == MEDIA[form]
        assert answer.headers["cache-control"] == "no-store"
        assert "etag" not in answer.headers
        assert f"afstemning-{OWN}-2023-12" in answer.headers["content-disposition"]
    assert BUTTON.findall(economy.get("/lis/beloeb").text) == []


def test_the_files_are_those_of_the_command_to_the_byte(economy, folder, tmp_path, monkeypatch):
    for name, value in lis_environment(folder).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("REFUSION_BOOTSTRAP", raising=False)
    (tmp_path / "books.csv").write_text(BOOKS)
    table = table_in(uploaded(economy))
    asked = ["lis", "afstemning", "--municipality", OWN, "--books", str(tmp_path / "books.csv")]
    for form in ("csv", "json"):
        done = CliRunner().invoke(main, [*asked, f"--{form}"])
        assert done.exit_code == 0, done.output
        file = economy.post(f"/lis/afstemning.{form}", files=as_form(table)).content
        assert file == done.stdout_bytes
    rows = json.loads(file)["rows"]
    assert sum(row["books_ore"] for row in rows) == 10_000 - 123_450
    text = economy.post("/lis/afstemning.csv", files=as_form(table)).text
    assert len(list(csv.reader(io.StringIO(text), delimiter=";"))) == len(rows) + 1


def test_a_file_without_books_says_how_to_get_it(economy):
    answer = economy.get("/lis/afstemning.csv")
    assert answer.status_code == 400
    assert "upload det på siden" in answer.json()["error"]
    for table in ("x", "account;month;amount\n", "account;month;amount\n5;2024-13;1\n"):
        answer = economy.post("/lis/afstemning.csv", files=as_form(table))
        assert answer.status_code == 400
        assert "account;month;amount" in answer.json()["error"]
    assert economy.post("/lis/afstemning.csv", data={}).status_code == 422


def test_a_file_of_books_is_the_own_municipalitys_and_not_from_elsewhere(app, economy):
    form = as_form(BOOKS)
    assert economy.post("/lis/afstemning.csv?municipality=730", files=form).status_code == 403
    lis = client_of(app, visitor("lis", municipality=OWN))
    assert lis.post("/lis/afstemning.csv", files=form).status_code == 403
    assert client_of(app).post("/lis/afstemning.csv", files=form).status_code == 401
    elsewhere = {"Sec-Fetch-Site": "cross-site"}
    answer = economy.post("/lis/afstemning.csv", files=form, headers=elsewhere)
    assert answer.status_code == 403


def test_books_that_are_too_long_to_be_sent_again_are_told_so(economy, monkeypatch):
    monkeypatch.setattr(lis_pages, "MOST_SENT_BYTES", 20)
    page = uploaded(economy)
    assert BUTTON.findall(page) == []
    assert "Regnskabet er for langt til filer" in page


def test_the_longest_books_that_are_sent_again_fit_into_a_form(economy):
    lines, table = [], ""
    while len(table.encode()) + table.count("\n") <= lis_pages.MOST_SENT_BYTES - 100:
        lines += [BookLine("5.57.71.2.011", "2023-12", 12_345)] * 20
        table = written_books(lines)
    page = uploaded(economy, written_books(lines[:-20]))
    answer = economy.post("/lis/afstemning.csv", files=as_form(table_in(page)))
    assert answer.status_code == 200


def test_a_forecast_under_other_rules_is_refused_with_what_to_do(economy):
    page = economy.get("/lis/prognose").text
    assert "refusion lis prognose --rules" in page
    assert 'href="/dokumenter/forecast#under-another-law"' in page
    refused = economy.get("/lis/prognose?rules=R-2")
    assert refused.status_code == 400
    assert "refusion lis prognose --rules" in refused.text
    assert 'href="/lis/prognose"' in refused.text
    assert "R-2" not in refused.text
    file = economy.get("/lis/prognose.csv?rules=R-2")
    assert file.status_code == 400
    assert "--rules" in file.json()["error"]
