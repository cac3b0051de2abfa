"""Disks that cannot be believed: set back, damaged, or of another form."""

import asyncio
from types import SimpleNamespace

import pytest
from rocksdict import Cache

from domain.citizen.records import StateError
from streams.citizens import store as stores
from streams.citizens.store import RocksStore
from streams.citizens.store_port import CorruptDiskError
from streams.kit.errors import UserError
from tests.support import product
from tests.support.citizens_stage import (
    Changelog,
    closed,
    committed,
    journal_of,
    restored,
    stage_of,
    state_in,
)


def test_a_changelog_that_was_set_back_and_grew_again_is_told_by_its_witness(tmp_path, caplog):
    """The same offsets and the same last report, but other reports before: the chain differs."""
    records, others = journal_of(1)[:30], journal_of(2)[:29]
    changelog = Changelog()
    work = restored(tmp_path / "stale", changelog)
    for record in records:
        committed(work, changelog, [record])
    closed(work)
    grown = Changelog()
    work = restored(tmp_path / "other", grown)
    for record in [*others, records[-1]]:
        record.offset = len(grown.records)
        committed(work, grown, [record])
    while grown.end <= changelog.end:
        committed(work, grown, [records[-1]])
    closed(work)
    caplog.clear()
    closed(restored(tmp_path / "stale", grown))
    assert state_in(tmp_path / "stale") == state_in(tmp_path / "other")
    assert [message.split(":")[0] for message in caplog.messages] == ["citizens-0"]
    assert "has another record" in caplog.text


def test_a_witness_that_compaction_has_removed_is_not_believed_either(tmp_path, caplog):
    changelog = Changelog()
    work = restored(tmp_path, changelog)
    committed(work, changelog, journal_of())
    closed(work)
    state = state_in(tmp_path)
    changelog.records[-1].offset += 1
    work = restored(tmp_path, changelog)
    closed(work)
    restored_state = state_in(tmp_path)
    assert restored_state.pop(b"_checkpoint") != state.pop(b"_checkpoint")
    assert restored_state == state
    assert "no longer has record" in caplog.text
    assert work._stage.events["disk_thrown_away"] == 1


def begun_again(stage, run):
    """Steps 1 and 3 to 5 until they succeed, as the loop repeats them. Returns the failures."""
    failures: list[Exception] = []
    while True:
        work = stage.work(0)
        try:
            asyncio.run(work.restore())
            return run(work), failures
        except (UserError, StateError) as error:
            failures.append(error)
            assert len(failures) < 5
        finally:
            closed(work)


def damage(file, start):
    content = bytearray(file.read_bytes())
    content[start : start + 64] = b"\x00" * len(content[start : start + 64])
    file.write_bytes(content)


@pytest.mark.parametrize("tenth", range(0, 10, 3))
def test_damage_on_the_disk_makes_no_dead_letter_and_is_mended_from_the_changelog(
    tmp_path, tenth, monkeypatch
):
    monkeypatch.setattr(stores, "_block_cache", lambda: Cache(1 << 16))
    changelog = Changelog()
    records = journal_of()
    work = restored(tmp_path, changelog)
    committed(work, changelog, records[:20])
    closed(work)
    expected_log = Changelog()
    expected_log.records = [*changelog.records]
    expected = restored(tmp_path / "expected", expected_log)
    messages, counts = committed(expected, expected_log, records[20:])
    closed(expected)
    for file in (tmp_path / "citizens-0").glob("*.sst"):
        damage(file, file.stat().st_size * tenth // 10)
    stage = stage_of(tmp_path, changelog)
    (found, found_counts), failures = begun_again(
        stage, lambda work: committed(work, changelog, records[20:])
    )
    assert (found["postings"], found_counts) == (messages["postings"], counts)
    assert all(isinstance(failure, CorruptDiskError) for failure in failures)
    assert len(failures) <= 1
    assert stage.events["disk_thrown_away"] == 1


def test_a_disk_that_is_damaged_again_before_anything_was_kept_is_mended_again(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(stores, "_block_cache", lambda: Cache(1 << 16))
    changelog = Changelog()
    records = journal_of()
    work = restored(tmp_path, changelog)
    committed(work, changelog, records[:20])
    closed(work)
    stage = stage_of(tmp_path, changelog)
    for _ in range(3):
        for file in (tmp_path / "citizens-0").glob("CURRENT"):
            damage(file, 0)
        (_, failures) = begun_again(stage, lambda _: None)
        assert len(failures) <= 1
    assert stage.events["disk_thrown_away"] == 3


def test_state_that_does_not_fit_is_thrown_away_once_and_not_for_ever(tmp_path):
    changelog = Changelog()
    records = journal_of()
    work = restored(tmp_path, changelog)
    committed(work, changelog, records[:20])
    closed(work)
    store = RocksStore(tmp_path / "citizens-0")
    (head,) = [key for key in store.keys(b"") if key.endswith(b"/head")]
    store.write([(head, b"[2]")])
    store.close()
    stage = stage_of(tmp_path, changelog)
    _, failures = begun_again(stage, lambda work: committed(work, changelog, records[20:30]))
    assert [type(failure) for failure in failures] == [StateError]
    assert stage.events["disk_thrown_away"] == 1
    ours = [product.IDENTITY.macs.at("citizens", 0).header(head, b"", b"[2]")]
    changelog.records.append(
        SimpleNamespace(offset=changelog.end, key=head, value=b"[2]", headers=ours)
    )
    stage = stage_of(tmp_path, changelog)
    with pytest.raises(AssertionError):
        begun_again(stage, lambda work: committed(work, changelog, records[30:]))
    assert stage.events["disk_thrown_away"] == 1, "the changelog has it itself"


def _go_on(work, records):
    asyncio.run(work.restore())
    work.process(records, records[-1].offset + 1)


@pytest.mark.parametrize("part", ["head", "_partition/0"])
@pytest.mark.parametrize("value", [b"{", b"[2,\xff", b'{"position":"7"}'])
def test_state_that_cannot_be_read_is_thrown_away_and_costs_no_report(
    tmp_path, caplog, part, value
):
    """An entry that is no JSON made a dead letter of each of the citizen's reports."""
    changelog, records = Changelog(), journal_of()
    work = restored(tmp_path, changelog)
    committed(work, changelog, records[:20])
    key = records[0].key + b"/head" if part == "head" else part.encode()
    work._disk.store.write([(key, value)])
    closed(work)
    stage = stage_of(tmp_path, changelog)
    work = stage.work(0)
    with pytest.raises(StateError):
        _go_on(work, records[20:])
    closed(work)
    caplog.clear()
    work = stage.work(0)
    asyncio.run(work.restore())
    assert "damaged, or does not fit: thrown away" in caplog.text
    messages, _ = committed(work, changelog, records[20:])
    closed(work)
    reasons = {dict(headers)["reason"] for *_, headers in messages.get("dead-letters", ())}
    assert b"internal_error" not in reasons
