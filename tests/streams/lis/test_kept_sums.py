"""Sums of the ledger are kept by its version, of all municipalities at once."""

import random
from dataclasses import replace

import pytest

from projections.ledger.entries import LedgerProgress
from projections.lis.questions import LisQuestion
from projections.lis.statements import MUNICIPALITY
from streams.ledger.cuts import MARKERS
from streams.ledger.kept_open import KeptOpen
from streams.ledger.table import Append, LedgerTable, entries_batch
from streams.lis import ledger_sums
from streams.lis.engine import Share, TooLargeError, engine
from streams.lis.ledger_sums import LOOK_S, KeptLedgerSums, sums_at
from tests.support.postings import append, ledger_of, marker, posting
from tests.support.run_histories import ledger_of_lives

ANNA = "6101801234"
ROWS = [("730", "2024-01", 5, 1), ("751", "2024-01", 7, 2), ("751", "2024-02", 9, 3)]
ALL = LisQuestion("kontrol")


class Ledger:
    """A ledger of some version."""

    def __init__(self):
        self.state, self.asked, self.now = ("table", 1), [], 0.0

    def refresh(self):
        """It is at its newest version."""


@pytest.fixture
def ledger(monkeypatch):
    found = Ledger()

    def summed(_ledger, question, _files):
        found.asked.append((found.state, question))
        return [*ROWS]

    monkeypatch.setattr(LedgerTable, "open", lambda _uri: found)
    monkeypatch.setattr(ledger_sums, "ledger_sums", summed)
    return found


def test_each_municipality_has_its_own_of_sums_that_are_asked_for_once(ledger):
    sums = KeptLedgerSums(KeptOpen("somewhere"))
    for _ in range(2):
        for place in ("730", "751", "101", None):
            of_place = [row for row in ROWS if place in (None, row[0])]
            assert sums.sums("somewhere", replace(ALL, municipality=place)) == of_place
    assert ledger.asked == [(("table", 1), ALL)]


def test_sums_of_ten_years_of_all_municipalities_are_kept(ledger, monkeypatch):
    ten_years = [
        (f"{place:03}", f"{2015 + month // 12}-{month % 12 + 1:02}", place, month)
        for place in range(98)
        for month in range(120)
    ]
    monkeypatch.setattr(f"{__name__}.ROWS", ten_years)
    sums = KeptLedgerSums(KeptOpen("somewhere"))
    for place in ("001", "097"):
        assert len(sums.sums("somewhere", replace(ALL, municipality=place))) == 120
    assert len(ledger.asked) == 1


def test_another_version_or_question_is_asked_anew(ledger):
    sums = KeptLedgerSums(KeptOpen("somewhere"))
    for state in (("table", 1), ("table", 2), ("another", 2)):
        ledger.state = state
        for month in (None, "2024-01"):
            for _ in range(2):
                sums.sums("somewhere", replace(ALL, month=month))
    assert len({*ledger.asked}) == len(ledger.asked) == 6


def test_the_version_is_looked_for_when_the_last_look_is_old(ledger):
    sums = KeptLedgerSums(KeptOpen("somewhere"), lambda: ledger.now)
    assert sums.state() == ("table", 1)
    ledger.state, ledger.now = ("table", 2), LOOK_S / 2
    assert sums.state() == ("table", 1)
    ledger.now = LOOK_S
    assert sums.state() == ("table", 2)


def test_a_ledger_is_summed_some_files_at_a_time(tmp_path, monkeypatch):
    ledger_of_lives(random.Random(3), 3, tmp_path / "ledger")
    ledger = LedgerTable.open(str(tmp_path / "ledger"))
    asked = (ALL, replace(ALL, municipality="751"), replace(ALL, run=50, based_on="of"))
    for question in asked:
        seen = "TRUE" if question.run is None else f"after_run < {question.run}"
        place = question.municipality
        wanted = {
            (code, month): (amount, result)
            for code, month, amount, result in ledger.rows(
                f"SELECT {MUNICIPALITY}, month, sum(amount_ore),"  # noqa: S608 - our own words
                " sum(refusion_ore + medfinansiering_ore) FROM ledger"
                f" WHERE kind NOT IN ('run', 'counters') AND {seen}"
                f" GROUP BY {MUNICIPALITY}, month"
            )
            if place in (None, code)
        }
        assert len(wanted) > 2
        for at_once in (1, 3, 1_000):
            monkeypatch.setattr(ledger_sums, "FILES_AT_ONCE", at_once)
            rows = sums_at(str(tmp_path / "ledger"), question)
            assert {row[:2]: row[2:] for row in rows} == wanted
            assert len(rows) == len(wanted)


def test_of_a_ledger_that_is_written_on_only_the_last_runs_are_read_again(tmp_path, monkeypatch):
    ledger, progress = ledger_of(tmp_path, []), LedgerProgress(0)
    read: list[str] = []
    sums, asked = KeptLedgerSums(KeptOpen(str(tmp_path))), ledger_sums._asked

    def keep(connection, files, query):
        read.extend(files if query != MARKERS else [])
        return asked(connection, files, query)

    monkeypatch.setattr(ledger_sums, "_asked", keep)
    for run in range(1, 8):
        for revision in (2 * run - 1, 2 * run):
            amount = {"amount_ore": 10**revision, "refusion_ore": 7 * 10**revision}
            append(ledger, progress, [posting(ANNA, revision, amount)])
            for question in (replace(ALL, run=run, based_on="of"), ALL):
                found = sums.sums(str(tmp_path), replace(question, municipality="730"))
                of_files = [*read]
                assert found == sums_at(str(tmp_path), question)
                read.clear()
            total = sum(10**each for each in range(1, revision + 1))
            assert [row[2:] for row in found] == [(total, 7 * total)]
            assert len(of_files) <= 4, "one each of two closed runs, and of the open one"
        append(ledger, progress, [marker(run)])
        ledger.sort_closed([Append(0, 0, 0, entries_batch([]), closed=[run - 1])])
        ledger.refresh()


def test_an_engine_says_that_a_question_needs_too_much_memory():
    query = "SELECT string_agg(range::VARCHAR, ',' ORDER BY hash(range)) FROM range(1000000)"
    with pytest.raises(TooLargeError), engine(Share(2, 1, 1)) as connection:
        connection.execute(query).fetchall()
