"""Replays and comparisons are kept in sums, and found again by the pages."""

import json
from dataclasses import replace
from typing import Any

import pytest

from domain.citizen.reports import RunMarker, Scope
from projections.whatif.replay import CitizenChange, Difference, MoneyPlace
from streams.citizens.rule_sets import DEFAULT, LawBook, answer_between
from streams.kit.errors import UserError
from streams.operations import kept_differences
from streams.operations.kept_differences import (
    Moved,
    difference_of_replay,
    keep_difference,
    kept_difference,
)
from streams.operations.kept_differences import (
    kept_differences as all_kept,
)
from streams.operations.replay import DryRun, ReplayRequest
from streams.settings import Settings
from tests.support.answers import answering

CITIZEN = "ab" * 16


@pytest.fixture
def settings(tmp_path):
    return Settings.load({"REFUSION_DEMO": "1", "REFUSION_STATE_DIR": str(tmp_path)})


def found(rules="R-2"):
    money = {
        MoneyPlace("2024-01", "730", "KTH", "rule_change"): [100, 0, 2],
        MoneyPlace("2024-02", "730", "KTH", "rule_change"): [50, 20, 1],
        MoneyPlace("2024-02", "751", "KTH", "recalculation"): [-10, 0, 1],
    }
    total = Difference(9, 8, 3, 3, money, {"730": [1000, 0], "751": [0, 5]})
    total.largest = [CitizenChange(100, f"citizen {CITIZEN}, KTH in 730")]
    run = RunMarker(51, "2024-03-05T08:00:00Z", 2024 * 12 + 1)
    return DryRun(rules, DEFAULT, total, reports=77, last_run=run)


def difference(settings, request, dry_run) -> Any:
    return difference_of_replay(settings, request, dry_run)


def test_sums_by_municipality_and_cause_are_kept_and_no_citizen(settings, tmp_path):
    kept = difference(settings, ReplayRequest("R-2"), found())
    keep_difference(tmp_path, kept)
    assert all_kept(tmp_path) == [kept]
    assert CITIZEN not in next(tmp_path.rglob("*.json")).read_text()
    assert (kept.run, kept.month, kept.net_ore) == (51, "2024-02", 120)
    assert kept.by_municipality() == {
        "730": Moved("730", "", 150, 20, 3),
        "751": Moved("751", "", -10, 0, 1),
    }
    assert kept.by_cause()["rule_change"].net_ore == 130
    assert kept.of("751").standing == {"751": [0, 5]}
    assert kept.of("751").net_ore == -10


def test_a_replay_of_one_citizen_is_not_kept(settings):
    request = ReplayRequest("", Scope(citizen=CITIZEN))
    assert difference_of_replay(settings, request, found()) is None


def test_the_newest_are_kept_and_the_newest_of_each_answer(settings, tmp_path, monkeypatch):
    monkeypatch.setattr(kept_differences, "MOST_KEPT", 2)
    for number in range(6):
        answer = "UFB=BENEFIT" if number in {0, 1} else ""
        kept = difference(settings, ReplayRequest(answer=answer), found(DEFAULT))
        name = f"2024010{number}T000000Z-00000000"
        keep_difference(tmp_path, replace(kept, id=name))
    assert [kept.id[:8] for kept in all_kept(tmp_path)] == ["20240105", "20240104", "20240101"]


def test_what_cannot_be_read_is_left_out_and_no_name_leads_elsewhere(settings, tmp_path):
    keep_difference(tmp_path, difference(settings, ReplayRequest(), found()))
    folder = tmp_path / kept_differences.FOLDER
    (folder / "20990101T000000Z-00000000.json").write_text("{")
    (folder / "20990102T000000Z-00000000.json").write_text(json.dumps({"moved": []}))
    (tmp_path / "secret.json").write_text("{}")
    assert len(all_kept(tmp_path)) == 1
    assert kept_difference(tmp_path, "../secret") is None
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be kept"):
        keep_difference(tmp_path / "file", all_kept(tmp_path)[0])


def test_one_answer_is_told_from_any_other_change():
    base = LawBook().law(DEFAULT).rules
    assert answer_between(base, answering(UFB="BENEFIT")) == "UFB=BENEFIT"
    assert answer_between(base, answering(UFB="BENEFIT", SPLIT="WEEKDAYS")) == ""
    assert answer_between(base, base) == ""
    assert LawBook().answering("R-2", "UFB=BENEFIT").rules.name == "R-2-UFB-BENEFIT"
    with pytest.raises(UserError, match="UFB has no value 'PERHAPS'"):
        LawBook().answering(DEFAULT, "UFB=PERHAPS")
