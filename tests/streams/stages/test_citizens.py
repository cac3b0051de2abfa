"""The citizens stage through the ports of the batch loop: outputs, figures, state on disk."""

import asyncio
import shutil
from collections import Counter
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from rocksdict import Cache

from domain.citizen.records import StateError
from streams.citizens import store as stores
from streams.citizens.rule_sets import LawBook
from streams.citizens.store import CorruptDiskError, RocksStore
from streams.engine.ports import Batch
from streams.kit.errors import UnworkableError, UserError
from streams.stages.citizens import CitizenStage, CitizenTopics, OpenTransactionError
from streams.wire.journal import encode
from tests.support import product
from tests.support.lives import life

TOPICS = CitizenTopics("reports", "postings", "notices", "citizens", "dead-letters")
AT = "2024-02-01T08:00:00Z"
UNREADABLE = b"{"


class Changelog:
    """The changelog of one partition: the messages that were committed to it."""

    identity = "cluster/citizens"

    def __init__(self):
        self.records: list[Any] = []
        self.open_transactions = 0
        self.read_from: list[int] = []
        self.journal: list[Any] = []
        """First records of the journal; without any its keys are to be stated."""

    @property
    def end(self):
        return len(self.records)

    async def is_whole(self):
        return not self.open_transactions

    async def read(self, start):
        self.read_from.append(start)
        yield Batch(self.records[start:], self.end)

    async def record(self, offset):
        record = self.records[offset]
        return record if record.offset == offset else None

    @asynccontextmanager
    async def changelog(self, topic, _partition):
        if topic == TOPICS.citizens:
            yield self
        else:
            journal = Changelog()
            journal.records = self.journal
            yield journal


def stage_of(folder, changelog):
    return CitizenStage(TOPICS, LawBook(), product.IDENTITY, changelog, folder)


def restored(folder, changelog):
    work = stage_of(folder, changelog).work(0)
    asyncio.run(work.restore())
    return work


async def kept_nothing(_ends, _position):
    """Step 5 that a crash has prevented."""


def closed(work):
    asyncio.run(work.close())


def journal_of(seed=1):
    """Reports of a life as records of the journal, and one in the middle that nobody can read."""
    records: list[Any] = []
    for line in life("plan_of", seed):
        settleable: Any = product.record_of(line)
        citizen, sealed, report = settleable
        value = encode(report, sealed, AT)
        records.append(SimpleNamespace(key=citizen.encode(), value=value, headers=[]))
    records.insert(len(records) // 2, SimpleNamespace(key=b"c", value=UNREADABLE, headers=[]))
    for offset, record in enumerate(records):
        record.offset = offset
    return records


def committed(work, changelog, records):
    """Steps 3 to 5 of the loop, in one go. Returns the messages by topic, and the figures."""
    processed = work.process(records, records[-1].offset + 1)
    assert processed.done == len(records)
    messages = {output.topic: [*output.messages] for output in processed.outputs}
    changelog.records += [
        SimpleNamespace(offset=changelog.end + number, key=key, value=value, headers=headers)
        for number, (key, value, headers) in enumerate(messages.get("citizens", ()))
    ]
    asyncio.run(work.keep({"citizens": changelog.end}, records[-1].offset + 1))
    return messages, processed.counts


def state_in(folder):
    store = RocksStore(folder / "citizens-0")
    state = {key: store.get(key) for key in store.keys(b"")}
    store.close()
    return state


def test_outputs_and_figures_of_a_batch(tmp_path):
    changelog = Changelog()
    work = restored(tmp_path, changelog)
    messages, counts = committed(work, changelog, journal_of())
    closed(work)
    postings = [orjson.loads(value) for _, value, _ in messages["postings"]]
    assert len(postings) > 10
    reasons = Counter(message["reason"] for message in postings)
    corrections = Counter(
        message["reason"]
        for message in postings
        for row in message["rows"]
        if row["kind"] == "correction"
    )
    assert corrections
    assert counts == {
        ("rejected", "foreign_record"): 1,
        ("foreign", ""): 1,
        **{("postings", reason): number for reason, number in reasons.items()},
        **{("correction_rows", reason): number for reason, number in corrections.items()},
    }
    ((_, _, headers),) = messages["dead-letters"]
    assert dict(headers)["reason"] == b"foreign_record"


def test_step_1_restores_a_lost_disk_from_the_changelog_to_the_same_bytes(tmp_path):
    changelog = Changelog()
    records = journal_of()
    work = restored(tmp_path, changelog)
    committed(work, changelog, records[:20])
    committed(work, changelog, records[20:])
    closed(work)
    state = state_in(tmp_path)
    shutil.rmtree(tmp_path / "citizens-0")
    closed(restored(tmp_path, changelog))
    assert state_in(tmp_path) == state


def test_step_1_repairs_a_crash_between_steps_4_and_5(tmp_path):
    changelog = Changelog()
    records = journal_of()
    work = restored(tmp_path, changelog)
    committed(work, changelog, records[:20])
    work.keep = kept_nothing
    committed(work, changelog, records[20:])
    closed(work)
    end = changelog.end
    closed(restored(tmp_path, changelog))
    assert 0 < changelog.read_from[-1] < end
    repaired = state_in(tmp_path)
    shutil.rmtree(tmp_path / "citizens-0")
    closed(restored(tmp_path, changelog))
    assert state_in(tmp_path) == repaired


def test_state_of_another_changelog_or_ahead_of_it_is_thrown_away(tmp_path, caplog):
    changelog = Changelog()
    work = restored(tmp_path, changelog)
    committed(work, changelog, journal_of())
    closed(work)
    caplog.clear()
    closed(restored(tmp_path, Changelog()))
    assert [key for key in state_in(tmp_path) if not key.startswith(b"_")] == []
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_a_changelog_with_an_open_transaction_is_not_gone_behind(tmp_path):
    changelog = Changelog()
    changelog.open_transactions = 1
    with pytest.raises(OpenTransactionError, match="neither committed nor aborted"):
        restored(tmp_path, changelog)


# --- the position in the state --------------------------------------------------------------------


def position_of(folder, changelog, committed):
    work = restored(folder, changelog)
    try:
        return asyncio.run(work.position(committed))
    finally:
        closed(work)


def test_the_position_is_that_of_the_state_whatever_the_group_has_forgotten(tmp_path, caplog):
    changelog = Changelog()
    records = journal_of()
    work = restored(tmp_path, changelog)
    assert asyncio.run(work.position(None)) is None
    committed(work, changelog, records[:20])
    closed(work)
    assert position_of(tmp_path, changelog, 20) == 20
    assert caplog.messages == []
    assert position_of(tmp_path, changelog, None) == 20
    assert position_of(tmp_path, changelog, 7) == 20
    shutil.rmtree(tmp_path / "citizens-0")
    assert position_of(tmp_path, changelog, None) == 20, "it is in the changelog"
    assert caplog.messages == [
        "citizens/0: its group has no offset any more: goes on at 20, as its state says",
        "citizens/0: its group's offset is 7, its state is at 20: goes on at the latter",
        "citizens/0: its group has no offset any more: goes on at 20, as its state says",
    ]


def test_the_position_is_in_every_transaction_also_where_nothing_else_changes(tmp_path):
    changelog = Changelog()
    work = restored(tmp_path, changelog)
    record = journal_of()[0]
    for offset in (0, 1):
        record.offset = offset
        messages, _ = committed(work, changelog, [record])
        assert orjson.loads(messages["citizens"][-1][1])["position"] == offset + 1
    assert len(messages["citizens"]) == 1, "the second delivery changes nothing else"
    closed(work)


def test_state_of_a_former_version_goes_on_at_the_groups_offset_and_not_without(tmp_path):
    changelog = Changelog()
    work = restored(tmp_path, changelog)
    committed(work, changelog, journal_of())
    closed(work)
    own = orjson.loads(changelog.records[-1].value)
    del own["position"], own["chain"]
    changelog.journal = journal_of()[:1]
    for former in (orjson.dumps(own), b""):  # with an entry, and from before there was one
        changelog.records[-1].value = former
        shutil.rmtree(tmp_path / "citizens-0")
        assert position_of(tmp_path, changelog, 40) == 40
        with pytest.raises(UnworkableError, match="no offset any more"):
            position_of(tmp_path, changelog, None)


def test_a_group_that_is_ahead_of_no_state_at_all_is_not_believed(tmp_path):
    assert position_of(tmp_path, Changelog(), None) is None
    assert position_of(tmp_path, Changelog(), 0) == 0
    with pytest.raises(UnworkableError, match="has lost its records"):
        position_of(tmp_path, Changelog(), 40)


# --- disks that cannot be believed ----------------------------------------------------------------


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
