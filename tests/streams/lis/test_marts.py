"""Asking the marts: a question opens the tables that it names, and `kontrol` some of the ledger."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from projections.lis.questions import LisQuestion
from projections.lis.tables import MARTS
from streams.ledger.table import LedgerError, LedgerTable
from streams.lis import marts as marts_module
from streams.lis.engine import ALONE
from streams.lis.inquiry import ask
from streams.lis.ledger_sums import ledger_sums
from streams.lis.marts import Marts, open_marts
from streams.lis.store import files_of as listed
from tests.properties.test_lis import built
from tests.support import product
from tests.support.postings import append, ledger_of, marker, posting

ANNA, BO = "6101801234", "6202801235"


@pytest.fixture
def two_months(tmp_path):
    """Anna's row is of the first run and its month, Bo's of the second."""
    ledger = ledger_of(
        tmp_path / "ledger", [posting(ANNA, 1, {"amount_ore": 1000}), marker(49)], [marker(49)]
    )
    bo = posting(BO, 1, {"amount_ore": 500, "month": "2024-02"})
    append(ledger, ledger.progress(0), [bo, marker(50, "2024-02")])
    append(ledger, ledger.progress(1), [marker(50, "2024-02")])
    built(tmp_path)
    return tmp_path


@pytest.fixture
def opened(monkeypatch):
    """The names of the tables whose files were listed."""
    names = []

    def files_of(folder, build, name):
        names.append(name)
        return listed(folder, build, name)

    monkeypatch.setattr(marts_module, "files_of", files_of)
    return names


def test_a_view_opens_the_tables_that_it_reads_and_each_once(two_months, opened):
    with open_marts(str(two_months / "lis")) as marts:
        assert opened == []
        for _ in range(2):
            ask(marts, product.law().rules, LisQuestion("beloeb", "730"), "", {})
        assert sorted(opened) == ["money", "runs"]
        marts.table("SELECT count(*) FROM PERSONS")
        assert sorted(opened) == ["money", "persons", "runs"]


def test_a_question_reads_no_log_of_a_table_and_the_folder_may_be_moved(two_months):
    with open_marts(str(two_months / "lis")) as marts:
        expected = marts.rows("SELECT * FROM money ORDER BY ALL")
    moved = (two_months / "lis").rename(two_months / "elsewhere")
    shutil.rmtree(moved / "money" / "_delta_log")
    with open_marts(str(moved)) as marts:
        assert marts.rows("SELECT * FROM money ORDER BY ALL") == expected != []


def test_what_each_municipality_is_compared_with_is_read_once(two_months, monkeypatch):
    def answers(marts, places):
        law = product.law().rules
        return [ask(marts, law, LisQuestion("sammenligning", place), "", {}) for place in places]

    with open_marts(str(two_months / "lis")) as marts:
        alone = answers(marts, ["751"])
    with open_marts(str(two_months / "lis")) as marts:
        answers(marts, ["730"])
        monkeypatch.setattr(Marts, "rows", lambda *_: pytest.fail("it is read again"))
        assert answers(marts, ["751"]) == alone


def test_each_question_finds_the_footers_of_files_that_were_read_before(two_months):
    """They take memory, of which a site gives back what it can."""
    setting = "SELECT value FROM duckdb_settings() WHERE name = 'parquet_metadata_cache'"
    for share, keeps in ((ALONE, "true"), (ALONE._replace(gives_back=True), "false")):
        with open_marts(str(two_months / "lis"), share) as marts:
            assert marts.rows(setting) == [(keeps,)]


def test_threads_that_ask_for_the_same_table_open_it_once(two_months, opened):
    with open_marts(str(two_months / "lis")) as marts, ThreadPoolExecutor(8) as threads:
        queries = [f"SELECT count(*) FROM {name}" for name in MARTS] * 4  # noqa: S608
        counted = list(threads.map(marts.rows, queries))
    assert counted[: len(MARTS)] * 4 == counted
    assert sorted(opened) == sorted(MARTS)


def test_a_month_of_the_ledger_is_summed_from_the_files_that_may_have_it(two_months):
    ledger = LedgerTable.open(str(two_months / "ledger"))
    for path in ledger.files_with(("month", "=", "2024-01")):
        Path(path).write_bytes(b"no table")
    found = ledger_sums(ledger, LisQuestion("kontrol", month="2024-02"))
    assert [row[1:3] for row in found] == [("2024-02", 500)]
    with pytest.raises(LedgerError, match="cannot be read"):
        ledger_sums(ledger, LisQuestion("kontrol"))
