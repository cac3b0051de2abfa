"""A list beside the files says what is left out of them, for as long as they are there."""

import errno
import json
from pathlib import Path

import pytest

from projections.runs.files import Names
from streams.ledger.cuts import ExportError, cuts_of
from streams.ledger.draft import draft_in
from streams.ledger.export import Export, FileChoice
from streams.ledger.left_out_lists import incomplete
from streams.ledger.receipts import DeliveryError, exported_files
from streams.ledger.table import LedgerError
from streams.privacy.identity import Identity, SealError
from tests.support.postings import IDENTITY, ledger_of
from tests.support.run_of_randers import ANNA, NAMES, RANDERS, contents

RUN = 50
TWO = Names(NAMES.benefits, {code: NAMES.municipalities[code] for code in ("730", "751")})
OF_RUN, OF_RANDERS = "left-out-run-0050.jsonl", "left-out-run-0050-730.jsonl"


@pytest.fixture
def export(tmp_path, settings):
    """Exports a run of the ledger of Randers, in a country of two municipalities."""
    ledger = ledger_of(tmp_path / "ledger", *RANDERS)

    def run(number, only=None):
        exporting = Export(settings, ledger, cuts_of(ledger, number), number, TWO)
        return exporting.write(tmp_path / "out", FileChoice(only), lambda *_: None)

    return run


@pytest.fixture
def lists(tmp_path):
    """Return a function that makes lists of municipalities; also a list of another run."""
    (tmp_path / "out").mkdir()

    def make(**municipalities):
        for name, codes in municipalities.items():
            text = "".join(json.dumps({"municipality": code, "rows": 1}) + "\n" for code in codes)
            (tmp_path / "out" / {"run": OF_RUN, "randers": OF_RANDERS}[name]).write_text(text)

    (tmp_path / "out" / "left-out-run-0051.jsonl").write_text('{"municipality":"751"}\n')
    return make


def listed(tmp_path):
    return {path.name for path in (tmp_path / "out").glob("left-out-run-0050*")}


def test_municipalities_of_all_lists_of_a_run_are_incomplete(lists, tmp_path):
    lists(run=["751", "", "751"], randers=["730"])
    assert incomplete(tmp_path / "out", RUN) == {"730", "751", ""}
    assert incomplete(tmp_path / "out", RUN + 1) == {"751"}
    assert incomplete(tmp_path / "out", RUN - 1) == set()


def test_an_export_of_the_run_outdates_every_list_of_it(export, lists, tmp_path):
    lists(run=["730", "751"], randers=["730"])
    assert export(RUN).left_out == []
    assert listed(tmp_path) == set()
    assert incomplete(tmp_path / "out", RUN + 1) == {"751"}


def test_an_export_of_a_municipality_outdates_what_is_listed_of_it(export, lists, tmp_path):
    lists(run=["730", "751", "730", ""], randers=["730"])
    assert export(RUN, "730").left_out == []
    assert listed(tmp_path) == {OF_RUN}
    assert incomplete(tmp_path / "out", RUN) == {"751", ""}
    assert (tmp_path / "out" / OF_RUN).stat().st_mode & 0o777 == 0o600
    lists(run=["730"])
    export(RUN, "730")
    assert listed(tmp_path) == set()


def test_an_export_with_gaps_takes_the_place_of_what_was_listed(
    export, lists, tmp_path, monkeypatch
):
    lists(run=["730", "751"], randers=["730"])
    monkeypatch.setattr(Identity, "unseal", all_but_of(ANNA))
    (left,) = export(RUN, "730").left_out
    assert listed(tmp_path) == {OF_RUN, OF_RANDERS}
    assert json.loads((tmp_path / "out" / OF_RANDERS).read_text()) == left._asdict()
    assert incomplete(tmp_path / "out", RUN) == {"730", "751"}
    export(RUN)
    assert listed(tmp_path) == {OF_RUN}
    assert incomplete(tmp_path / "out", RUN) == {"730"}


def all_but_of(cpr):
    """Seals open, but not those of a citizen: they were sealed with a key that is not here."""
    unseal, (lost, _) = Identity.unseal, IDENTITY.of(cpr)

    def unsealed(identity, citizen, seal):
        if citizen == lost:
            raise SealError("sealed with another key")
        return unseal(identity, citizen, seal)

    return unsealed


def fails(error):
    def instead(*_):
        raise error

    return instead


@pytest.mark.parametrize(
    ("place", "error"),
    [
        ("streams.privacy.identity.Identity.unseal", SealError("sealed with another key")),
        ("streams.ledger.portion.write_csv", OSError(errno.ENOSPC, "No space left on device")),
        ("streams.ledger.portion.write_csv", KeyboardInterrupt()),
        ("streams.ledger.table.LedgerTable.batches", LedgerError("a file is gone")),
        ("streams.ledger.export.write_list", OSError(errno.ENOSPC, "No space left on device")),
    ],
    ids=["another key", "full disk", "Ctrl-C", "ledger", "full disk at the list"],
)
@pytest.mark.parametrize("only", [None, "730"])
def test_an_export_that_fails_leaves_files_and_lists_as_they_were(
    export, tmp_path, monkeypatch, only, place, error
):
    with monkeypatch.context() as patch:
        patch.setattr(Identity, "unseal", all_but_of(ANNA))
        export(RUN, only)
    before = contents(tmp_path / "out")
    monkeypatch.setattr(place, fails(error))
    with pytest.raises(ExportError if isinstance(error, SealError) else type(error)):
        export(RUN, only)
    assert contents(tmp_path / "out") == before
    assert incomplete(tmp_path / "out", RUN) == {"730"}
    assert exported_files(tmp_path / "out", RUN, "730")


def test_where_files_were_being_moved_a_later_failure_makes_none_deliverable(
    export, lists, tmp_path, monkeypatch
):
    """The list may have been moved already, and files of the former export be there still."""
    lists(run=["730"])
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", fails(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            export(RUN)
    with monkeypatch.context() as patch:
        patch.setattr(Identity, "unseal", fails(SealError("sealed with another key")))
        with pytest.raises(ExportError):
            export(RUN)
    with pytest.raises(DeliveryError, match=r"is not finished; .* export again"):
        exported_files(tmp_path / "out", RUN, None)
    export(RUN)
    assert exported_files(tmp_path / "out", RUN, None)


def test_an_export_of_the_run_stands_for_one_of_a_municipality_that_was_killed(export, tmp_path):
    left, at_work = (tmp_path / "out" / f".run-0050-{code}.draft" for code in ("730", "751"))
    left.mkdir(parents=True)
    (left / "half.csv").touch()
    with draft_in(tmp_path / "out", "run-0050-751"):
        export(RUN)
        assert (left.exists(), at_work.exists()) == (False, True)
    assert exported_files(tmp_path / "out", RUN, None)
