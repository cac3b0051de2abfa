"""A ledger that stays open goes on to what is written, also where it was made anew."""

from shutil import rmtree

import pytest

from projections.ledger.entries import LedgerProgress
from streams.ledger.kept_open import KeptOpen
from streams.ledger.table import LedgerError, LedgerTable, NoLedgerError
from tests.support.postings import append, ledger_of, posting

ANNA, BO = "6101801234", "6202802345"
COUNT = "SELECT count(*) FROM ledger WHERE citizen IS NOT NULL"


@pytest.fixture
def opened(monkeypatch):
    """Keep the addresses that were opened."""
    found, really = [], LedgerTable.open

    def keep(uri):
        found.append(uri)
        return really(uri)

    monkeypatch.setattr(LedgerTable, "open", keep)
    return found


def newest(kept):
    with kept.newest() as ledger:
        ((count,),) = ledger.rows(COUNT)
        return ledger.state, count


def test_it_goes_on_to_the_newest_version_without_being_opened_again(tmp_path, opened):
    ledger, progress = ledger_of(tmp_path, []), LedgerProgress(0)
    kept = KeptOpen(str(tmp_path))
    for revision in range(1, 4):
        append(ledger, progress, [posting(ANNA, revision, {})])
        assert newest(kept) == (ledger.state, revision)
        assert newest(kept) == (ledger.state, revision)
    assert len(opened) == 1


def test_one_that_was_made_anew_is_opened_anew(tmp_path, opened):
    place = tmp_path / "ledger"
    ledger_of(place, [posting(ANNA, 1, {}), posting(ANNA, 2, {})])
    kept = KeptOpen(str(place))
    (old, _), count = newest(kept)
    assert count == 2
    rmtree(place)
    with pytest.raises(NoLedgerError):
        newest(kept)
    made = ledger_of(place, [posting(BO, 1, {})])
    assert newest(kept) == (made.state, 1)
    assert made.state[0] != old
    assert len(opened) == 3


def test_one_whose_first_commits_are_deleted_goes_on(tmp_path, opened):
    ledger, progress = ledger_of(tmp_path, []), LedgerProgress(0)
    kept = KeptOpen(str(tmp_path))
    assert newest(kept) == (ledger.state, 0)
    for revision in range(1, 27):
        append(ledger, progress, [posting(ANNA, revision, {})])
    assert list(tmp_path.glob("_delta_log/*.checkpoint.parquet"))
    for version in range(20):
        (tmp_path / "_delta_log" / f"{version:020}.json").unlink()
    for revision in range(27, 30):
        append(ledger, progress, [posting(ANNA, revision, {})])
        assert newest(kept) == (ledger.state, revision)
    assert len(opened) == 2


def test_a_ledger_that_cannot_be_read_is_told_and_asked_for_anew(tmp_path):
    ledger_of(tmp_path, [posting(ANNA, 1, {})])
    kept = KeptOpen(str(tmp_path))
    assert newest(kept)[1] == 1
    log = tmp_path / "_delta_log"
    log.rename(tmp_path / "elsewhere")
    for _ in range(2):
        with pytest.raises(LedgerError):
            newest(kept)
    (tmp_path / "elsewhere").rename(log)
    assert newest(kept)[1] == 1


def test_one_in_an_object_store_is_opened_each_time(tmp_path, monkeypatch):
    ledger_of(tmp_path, [posting(ANNA, 1, {})])
    really, asked = LedgerTable.open, []

    def opened(uri):
        asked.append(uri)
        return really(str(tmp_path))

    monkeypatch.setattr(LedgerTable, "open", opened)
    kept = KeptOpen("s3://bucket/ledger")
    assert newest(kept)[1] == newest(kept)[1] == 1
    assert asked == ["s3://bucket/ledger"] * 2
