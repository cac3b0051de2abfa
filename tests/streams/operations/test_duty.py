"""A sentence says what needs attention, and nothing else rings a monitor."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from streams.acts import four_eyes
from streams.acts.chain import AccessRecord, Entry
from streams.cli.status import _show as show
from streams.kit.last_outcomes import (
    BACKUP_VERIFY,
    FOLDER,
    RUN_CLOSE,
    keep_outcome,
    last_outcome,
    outcome_kept,
)
from streams.operations import duty
from streams.operations.duty import (
    DAILY,
    DiskDuty,
    DutyReport,
    StageDuty,
    attention,
    held_run,
    last_checks,
)
from streams.settings import Settings

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


def text(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def report(**changes):
    """Everything is well, but for what a test changes."""
    usual = {
        "at": text(NOW),
        "stages": [StageDuty("intake", 40, 2.0, 2, []), StageDuty("citizens", 0, None, 1, [])],
        "last_run": None,
        "open_month": None,
        "held": None,
        "letters": 7,
        "letters_of_day": {"bad_cpr": 7},
        "approvals": [{"id": "abc", "at": text(NOW), "user": "anna", "act": "replay"}],
        "verified": {"at": text(NOW - timedelta(hours=20)), "fine": True},
        "backed_up": None,
        "backup_verified": None,
        "disks": [DiskDuty("state", "state", 89.9, 10)],
    }
    return DutyReport(**usual | changes)


def test_a_system_that_is_well_needs_no_attention():
    assert list(attention(report(), 900.0)) == []
    assert report().as_json()["fine"]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"stages": [StageDuty("intake", 1, 901.0, 1, [])]}, "a record has waited for 901 s"),
        ({"stages": [StageDuty("citizens", 0, None, 0, [0])]}, "citizens: no worker is at work"),
        ({"stages": [StageDuty("intake", 0, None, 1, [3, 5])]}, "nobody has the partitions 3, 5"),
        ({"letters_of_day": {"internal_error": 2}}, "2 records met a defect of the program"),
        (
            {"held": {"run": 82, "month": "2026-10", "at": text(NOW)}},
            "run 82 (2026-10) was held at 2026-11-27T12:00:00Z: see why with",
        ),
        (
            {"held": {"run": 82, "month": "2026-10", "at": text(NOW)}},
            "see why with `refusion run close --month 2026-10 --dry-run`, and close it again",
        ),
        ({"verified": {"at": text(NOW), "fine": False}}, "the last verify found something wrong"),
        ({"verified": {"at": text(NOW)}}, "the last verify found something wrong"),
        (
            {"backed_up": {"at": text(NOW - timedelta(hours=27)), "fine": True}},
            "the last backup is of 2026-11-26T09:00:00Z",
        ),
        (
            {"backup_verified": {"at": text(NOW), "fine": False, "result": "unsigned"}},
            "the last backup verify checked no signature: give it REFUSION_SEAL_KEY",
        ),
        (
            {"backup_verified": {"at": text(NOW), "fine": False, "result": "broken"}},
            "the last backup verify found something wrong",
        ),
        (
            {"backup_verified": {"at": text(NOW - DAILY * 2), "fine": True, "result": "whole"}},
            "the last backup verify is of 2026-11-25T08:00:00Z",
        ),
        ({"disks": [DiskDuty("ledger", "x", 90.0, 1)]}, "the disk of the ledger is 90 % full"),
    ],
)
def test_what_is_not_well_is_said(changes, sentence):
    (said,) = attention(report(**changes), 900.0)
    assert sentence in said


def test_an_outcome_is_kept_with_its_time(tmp_path):
    assert last_outcome(tmp_path, "verify") is None
    keep_outcome(tmp_path, "verify", {"fine": True, "violations": 0})
    kept = last_outcome(tmp_path, "verify")
    assert kept is not None
    assert (kept["fine"], kept["violations"]) == (True, 0)
    assert datetime.now(UTC) - datetime.fromisoformat(kept["at"]) < timedelta(minutes=5)


def test_the_outcome_of_what_fails_is_kept_too(tmp_path):
    keep_outcome(tmp_path, "backup", {"fine": True, "to": "a"})
    with pytest.raises(OSError, match="full"), outcome_kept(tmp_path, "backup", {"to": "b"}):
        raise OSError("full")
    kept = last_outcome(tmp_path, "backup")
    assert kept is not None
    assert (kept["fine"], kept["to"]) == (False, "b")


def test_an_outcome_that_cannot_be_kept_or_read_stops_nothing(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    keep_outcome(blocked, "verify", {"fine": True})
    assert last_outcome(blocked, "verify") is None
    (tmp_path / FOLDER).mkdir()
    for spoiled in (b"", b"[]", b'{"at": "never"}', b"{}"):
        (tmp_path / FOLDER / "verify.json").write_bytes(spoiled)
        assert last_outcome(tmp_path, "verify") is None


def test_each_look_reads_of_the_acts_what_came_since_the_last_one(tmp_path, monkeypatch):
    """`access` has each look at a person: days of it are not read every five seconds."""
    settings = Settings.load({"REFUSION_DEMO": "1", "REFUSION_STATE_DIR": str(tmp_path)})
    asked = []

    def entry(offset, **fields):
        return Entry(AccessRecord(offset, b"", b"", ()), fields)

    kept = {3: entry(3, type="request", id="a", at=text(NOW), user="anna", act="replay")}

    async def decisions(_settings, since):
        asked.append(datetime.now(UTC) - since)
        return dict(kept)

    monkeypatch.setattr(four_eyes, "decisions", decisions)
    desk = duty.DutyDesk(settings, None)  # type: ignore[arg-type]
    (waiting,) = asyncio.run(desk._approvals())
    assert waiting["id"] == "a"
    kept.clear()
    assert len(asyncio.run(desk._approvals())) == 1
    kept[9] = entry(9, type="refusal", request="a", user="bo", at=text(NOW))
    assert asyncio.run(desk._approvals()) == []
    assert asked[0] > timedelta(days=29)
    assert max(asked[1:]) < timedelta(hours=2)


def test_the_last_checks_are_those_that_operators_commands_keep(tmp_path):
    folders = {name: str(tmp_path / name) for name in ("state", "operations")}
    settings = Settings.load(
        {"REFUSION_STATE_DIR": folders["state"], "REFUSION_OPERATIONS_DIR": folders["operations"]}
    )
    keep_outcome(tmp_path / "operations", "verify", {"fine": True})
    keep_outcome(tmp_path / "operations", BACKUP_VERIFY, {"fine": True, "result": "whole"})
    verified, backed_up, backup_verified = last_checks(settings)
    assert verified is not None
    assert backed_up is None
    assert backup_verified is not None
    assert backup_verified["result"] == "whole"


def test_the_last_backup_and_the_last_verified_one_are_told_apart(capsys):
    outcomes = {
        "backed_up": {"at": "2026-11-27T01:30:00Z", "fine": True, "to": "s3://b/journal"},
        "backup_verified": {
            "at": "2026-11-26T04:30:00Z", "fine": True, "result": "whole", "from": "s3://b/older",
        },
    }  # fmt: skip
    show(report(**outcomes), as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert "last backup: 2026-11-27T01:30:00Z, fine, s3://b/journal" in lines
    assert "last verified backup: 2026-11-26T04:30:00Z, whole, s3://b/older" in lines
    for result, said in (("broken", "BROKEN"), ("unsigned", "NO SIGNATURE WAS CHECKED")):
        verified = outcomes["backup_verified"] | {"fine": False, "result": result}
        show(report(backup_verified=verified), as_json=False)
        assert f"2026-11-26T04:30:00Z, {said}, s3://b/older" in capsys.readouterr().out


def test_a_run_is_held_until_it_is_closed_here_or_elsewhere(tmp_path):
    settings = Settings.load({"REFUSION_STATE_DIR": str(tmp_path)})
    assert held_run(settings, 0) is None
    keep_outcome(tmp_path, RUN_CLOSE, {"fine": False, "run": 82, "month": "2026-10"})
    held = held_run(settings, 81)
    assert held is not None
    assert (held["run"], held["month"]) == (82, "2026-10")
    assert held_run(settings, 82) is None
    keep_outcome(tmp_path, RUN_CLOSE, {"fine": True, "run": 82, "month": "2026-10"})
    assert held_run(settings, 81) is None
