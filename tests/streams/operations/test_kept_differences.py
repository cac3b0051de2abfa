"""Replays and comparisons are kept in sums, and found again by the pages."""

import json
from dataclasses import replace
from typing import Any

import pytest

from domain.citizen.reports import Recalculation, RulesRecord, RunMarker, Scope
from projections.whatif.replay import CitizenChange, Difference, MoneyPlace
from streams.acts import four_eyes
from streams.acts.four_eyes import ApprovalError, ApprovalRequest
from streams.citizens.rule_sets import DEFAULT, LawBook, answer_between
from streams.cli import replay
from streams.kit.errors import UserError
from streams.operations import kept_differences, replay_apply, runs
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
from streams.operations.replay_partition import SettledTo
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


def test_an_approved_replay_posts_no_larger_amounts_than_the_second_person_saw(
    settings, monkeypatch
):
    monkeypatch.setattr(replay, "load_settings", lambda: settings)
    seen = replay._guarded(ReplayRequest("R-2"), found())
    now = found()
    now.difference.add(  # one municipality gets more, another less: the sum is the same
        Difference(
            money={
                MoneyPlace("2024-03", "730", "KTH", "late_report"): [20_000_00, 0, 1],
                MoneyPlace("2024-03", "751", "KTH", "late_report"): [-20_000_00, 0, 1],
            }
        )
    )
    asked = {"id": "a", "act": seen.act.name, "scope": dict(seen.act.scope), "files": {}}
    request = ApprovalRequest(asked | {"about": seen.told()})
    four_eyes._check_same(request, seen, {})
    little = found()
    place = MoneyPlace("2024-03", "751", "KTH", "x")
    little.difference.add(Difference(money={place: [-900, 0, 1]}))
    four_eyes._check_same(request, replay._guarded(ReplayRequest("R-2"), little), {})
    with pytest.raises(ApprovalError, match="less refusion in 751 is larger now"):
        four_eyes._check_same(request, replay._guarded(ReplayRequest("R-2"), now), {})


def test_an_approved_replay_has_no_more_processes_than_were_asked_for(settings, monkeypatch):
    monkeypatch.setattr(replay, "load_settings", lambda: settings)
    asked = replay._guarded(ReplayRequest("R-2", Scope(municipality="730"), jobs=1), found())
    scope = ["--rules", "R-2", "--municipality", "730"]
    assert asked.command == ["replay", *scope, "--jobs", "1", "--apply"]
    without = replay._guarded(ReplayRequest("R-2", Scope(municipality="730"), jobs=0), found())
    assert without.command == ["replay", *scope, "--apply"]
    assert without.act == asked.act  # how many there are is no part of what is agreed to


def test_a_replay_writes_the_rules_that_were_looked_at_whatever_the_file_holds_now(
    settings, monkeypatch
):
    monkeypatch.setattr(replay, "load_settings", lambda: settings)  # none of which has the file
    looked_at = replace(found("mine"), digest="as it was")
    asked = replay._guarded(ReplayRequest("mine"), looked_at)
    assert asked.act.scope["rule_set_digest"] == "as it was"
    rules, _ = replay_apply._records(looked_at, Recalculation("an act", Scope()))
    assert rules == RulesRecord("an act", "mine", "as it was")


@pytest.mark.parametrize(
    ("source", "at_a_report", "at_a_control_record"),
    [(6, True, True), (7, False, True), (8, False, False)],
)
def test_what_was_settled_while_we_were_reading_is_not_counted(
    source, at_a_report, at_a_control_record
):
    settled = SettledTo(committed=7)
    settled.take_control(3)
    assert settled.has(source) == at_a_report
    settled.take_control(7)  # carried out in part: its postings stand, and it is not committed
    settled.take_control(9)
    assert settled.has(source) == at_a_control_record


def test_an_approved_closing_has_no_more_processes_than_were_asked_for():
    survey: Any = None  # what a closing asks for does not look into it
    outcome = runs.Closed(52, "2024-03", survey, [])
    asked = runs._guarded(runs.Closing("2024-03", jobs=1, wait=False), outcome)
    assert asked.command == ["run", "close", "--month", "2024-03", "--no-wait", "--jobs", "1"]
    without = runs._guarded(runs.Closing("2024-03"), outcome)
    assert without.command == ["run", "close", "--month", "2024-03"]
    assert without.act == asked.act


def test_amounts_of_all_citizens_may_grow_a_little_while_they_wait():
    most = four_eyes._most
    assert (most(500_000_00, goes_on=False), most(None, goes_on=False)) == (500_000_00, -1)
    assert (most(5_000_000_00, goes_on=True), most(None, goes_on=True)) == (5_060_000_00, 10_000_00)


def test_what_waits_for_a_request_is_posted_in_its_place_or_waits_no_more(
    settings, tmp_path, monkeypatch
):
    monkeypatch.setattr(replay, "load_settings", lambda: settings)
    asked = replace(difference(settings, ReplayRequest("R-2"), found()), request="r-1")
    keep_difference(tmp_path, asked)
    again = difference(settings, ReplayRequest("R-2"), found())
    with four_eyes.carried_out(ApprovalRequest({"id": "r-1"})):
        posted = replay._kept(again)
    assert posted is not None
    assert posted.id == asked.id
    assert all_kept(tmp_path) == [asked], "before it is posted, what was asked for stands"
    kept_differences.forget_request(tmp_path, "r-1")
    assert [kept.request for kept in all_kept(tmp_path)] == [""]
    keep_difference(tmp_path, replace(asked, at="2024-01-01T00:00:00Z"))
    assert [kept.request for kept in all_kept(tmp_path)] == [""], "it is stale"
