"""Entries of the state that others wrote, or copied, set no citizen's state back."""

import asyncio
import shutil
from types import SimpleNamespace

import orjson
import pytest

from streams.kit.errors import UnworkableError
from streams.stages.state_entries import MOST_AGAIN, TakenOverError
from tests.support import product
from tests.support.citizens_stage import (
    Changelog,
    closed,
    committed,
    journal_of,
    restored,
    state_in,
)

CITIZEN_TEXT = 32


@pytest.fixture
def settled(tmp_path):
    """A changelog in two transactions, the journal's rest, and the state on disk."""
    changelog, records = Changelog(), journal_of()
    work = restored(tmp_path, changelog)
    committed(work, changelog, records[:20])
    earlier = [*changelog.records]
    committed(work, changelog, records[20:30])
    closed(work)
    return changelog, earlier, records[30:], state_in(tmp_path)


def put(changelog, key, value, headers=()):
    """A record that somebody else writes."""
    changelog.records.append(
        SimpleNamespace(offset=changelog.end, key=key, value=value, headers=[*headers])
    )


def forged(changelog, earlier):
    """Records of nobody's, and copies of ours: of earlier, and under other keys."""
    (head,) = {record.key for record in earlier if record.key.endswith(b"/head")}
    first = next(record for record in earlier if record.key == head)
    own = earlier[-1]
    put(changelog, head, b"[2]")
    put(changelog, head, None)
    put(changelog, None, b"\xff")
    put(changelog, b"_checkpoint", b"{}")
    put(changelog, b"_partition/0", orjson.dumps({"position": 0}))
    put(changelog, first.key, first.value, first.headers)
    put(changelog, b"0" * CITIZEN_TEXT + b"/head", first.value, first.headers)
    put(changelog, own.key, own.value, own.headers)
    for record in earlier:
        put(changelog, record.key, record.value, record.headers)


def test_a_restore_passes_over_what_others_wrote_and_copies_of_before(tmp_path, settled, caplog):
    changelog, earlier, _, state = settled
    forged(changelog, earlier)
    for lost in (False, True):
        if lost:
            shutil.rmtree(tmp_path / "citizens-0")
        closed(restored(tmp_path, changelog))
        found = state_in(tmp_path)
        point, before = (orjson.loads(each.pop(b"_checkpoint")) for each in (found, dict(state)))
        assert point["witness"] == before["witness"]
        assert point["offset"] == changelog.end
        assert found == {key: value for key, value in state.items() if key != b"_checkpoint"}
        assert "records that nobody of ours wrote, first citizens/0/" in caplog.text
        caplog.clear()


@pytest.mark.parametrize("older", [True, False])
def test_state_whose_own_entry_compaction_took_is_not_gone_on_with(tmp_path, settled, older):
    """Somebody else wrote its key; without it the first rule set would be valid, and no run cut."""
    changelog, earlier, _, _ = settled
    own = earlier[-1]
    put(changelog, own.key, own.value if older else None, own.headers if older else ())
    changelog.records = [
        record for record in changelog.records[:-1] if record.key != own.key
    ] + changelog.records[-1:]
    shutil.rmtree(tmp_path / "citizens-0")
    with pytest.raises(UnworkableError, match="own entry in citizens is gone, while others"):
        restored(tmp_path, changelog)


def test_a_partition_that_another_worker_took_over_meanwhile_begins_anew(tmp_path, settled):
    """Its own entry lies behind the end that is read, and compaction took the one before it."""
    changelog, earlier, _, _ = settled
    own = earlier[-1]
    changelog.records = [record for record in changelog.records if record.key != own.key]
    whole = iter([True, False])

    async def is_whole():
        return next(whole)

    changelog.is_whole = is_whole
    shutil.rmtree(tmp_path / "citizens-0")
    with pytest.raises(TakenOverError, match="citizens/0: another worker has gone on with it"):
        restored(tmp_path, changelog)


def test_the_own_entry_of_a_former_version_is_one_although_it_says_no_position(tmp_path, settled):
    """Workers are exchanged one by one, and back: the former version wrote last."""
    changelog, *_ = settled
    own = changelog.records[-1]
    fields = {name: said for name, said in orjson.loads(own.value).items() if name != "position"}
    value = orjson.dumps(fields)
    mac = product.IDENTITY.macs.at("citizens", 0).header(own.key, b"", value)
    put(changelog, own.key, value, [mac])
    shutil.rmtree(tmp_path / "citizens-0")
    closed(restored(tmp_path, changelog))


def test_what_was_passed_over_is_written_again_so_that_compaction_keeps_ours(tmp_path, settled):
    changelog, earlier, rest, _ = settled
    forged(changelog, earlier)
    work = restored(tmp_path, changelog)
    start = changelog.end
    committed(work, changelog, rest[:1])
    closed(work)
    written = {record.key: record.value for record in changelog.records[start:]}
    changed = {record.key for record in earlier if record.key[:1] != b"_"}
    assert changed <= set(written)
    assert b"_checkpoint" not in written
    last = {record.key: record.offset for record in changelog.records if record.key is not None}
    changelog.records = [changelog.records[offset] for offset in sorted(last.values())]
    for offset, record in enumerate(changelog.records):
        record.offset = offset
    kept = state_in(tmp_path)
    shutil.rmtree(tmp_path / "citizens-0")
    closed(restored(tmp_path, changelog))
    restored_state = state_in(tmp_path)
    for each in (kept, restored_state):
        each.pop(b"_checkpoint")
    assert restored_state == kept


def test_what_others_write_beside_our_transactions_is_seen_with_the_next(tmp_path, settled, caplog):
    changelog, earlier, rest, _ = settled
    work = restored(tmp_path, changelog)
    committed(work, changelog, rest[:1])
    for _ in range(2):  # the first has the place of the mark that ends a transaction
        put(changelog, earlier[0].key, b"x")
    said = "citizens/0: passed over 1 records that nobody of ours wrote"
    assert said not in caplog.text
    committed(work, changelog, rest[1:2])
    assert caplog.text.count(said) == 1
    assert work._stage.events["foreign_entries"] == 1
    start = changelog.end
    committed(work, changelog, rest[2:3])
    closed(work)
    assert earlier[0].key in {record.key for record in changelog.records[start:]}


def test_entries_of_an_earlier_version_are_believed_where_the_journal_has_no_keys(
    tmp_path, settled
):
    changelog, _, _, state = settled
    changelog.journal = journal_of()[:1]
    for record in changelog.records:
        record.headers = []
    shutil.rmtree(tmp_path / "citizens-0")
    closed(restored(tmp_path, changelog))
    assert state_in(tmp_path) == state


def test_a_flood_of_foreign_keys_is_remembered_in_bounded_memory(tmp_path, settled):
    changelog, *_ = settled
    work = restored(tmp_path, changelog)
    for number in range(MOST_AGAIN + 10):
        put(changelog, b"%032x/head" % number, b"x")
    asyncio.run(work._kept.look_at_journal(work._stage.kafka, work._stage.topic))
    work._kept.ours(changelog.records[-MOST_AGAIN - 10 :])
    assert len(work._kept._foreign) == MOST_AGAIN
    asyncio.run(work.close())
