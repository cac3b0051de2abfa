"""The copy of the topic `access`: each record once, searched as the topic is, believed by MAC."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest
from deltalake import DeltaTable

from streams.acts.act_search import ActQuestion, searched
from streams.acts.acts import Act, record_acts
from streams.acts.chain import AccessRecord
from streams.lis import act_keeper, act_table
from streams.lis.act_keeper import ActKeeper
from streams.lis.act_table import ActTable
from streams.lis.store import PROPERTIES
from streams.settings import Settings
from tests.support.acts_in_memory import MemoryActTopic

CITIZEN = "ab" * 16


def settings_at(tmp_path, **more):
    places = {"REFUSION_LEDGER": "ledger", "REFUSION_STATE_DIR": "state"}
    given = {"REFUSION_DEMO": "1", "REFUSION_BOOTSTRAP": "127.0.0.1:1"} | more
    return Settings.load(given | {name: str(tmp_path / place) for name, place in places.items()})


@pytest.fixture
def settings(tmp_path):
    return settings_at(tmp_path)


@pytest.fixture
def topic(settings):
    """A topic with four looks and two records that nobody of ours wrote, one of them of no form."""
    made = MemoryActTopic()
    for number in range(4):
        act = Act("site citizen", {"citizens": [CITIZEN], "page": "/borger"}, f"sag {number}")
        asyncio.run(record_acts(settings, [act], made.open))
    made.kept.append(AccessRecord(4, b"x", b'{"type": "act"}', ()))
    made.kept.append(made.kept[0]._replace(offset=5, key=b"x"))
    return made


def table_of(settings):
    return ActTable(settings.ledger, settings.macs())


def copied(settings, topic, end):
    table = table_of(settings)
    start = table.position(topic.identity)
    assert table.append(topic.identity, topic.kept[start:end])
    return table


def found(settings, topic, question, copy=None):
    topic.read = 0
    return asyncio.run(searched(settings, question, topic.open, copy)), topic.read


QUESTIONS = [
    ActQuestion(),
    ActQuestion(citizen=CITIZEN),
    ActQuestion(since=datetime.now(UTC) - timedelta(days=400), act="site citizen"),
    ActQuestion(sample=2, draw=7),
    ActQuestion(citizen="cd" * 16),
]


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_search_finds_the_same_with_the_copy_and_reads_the_rest_alone(settings, topic, question):
    alone, read = found(settings, topic, question)
    assert read == 6
    for end in (2, 4, 6):
        copy = copied(settings, topic, end)
        assert found(settings, topic, question, copy) == (alone, 6 - end)


def test_records_that_nobody_of_ours_wrote_are_counted_in_the_copy_too(settings, topic):
    result, read = found(settings, topic, ActQuestion(), copied(settings, topic, 6))
    assert (result.count, result.foreign, read) == (4, 1, 0)


def test_what_the_copier_has_no_key_for_yet_is_found_by_who_has_it(tmp_path):
    old, both = "1" * 64, f"{'2' * 64},{'1' * 64}"
    site, worker = (settings_at(tmp_path, REFUSION_JOURNAL_KEY=keys) for keys in (both, old))
    topic = MemoryActTopic()
    asyncio.run(record_acts(site, [Act("site citizen", {}, "sag")], topic.open))
    copied(worker, topic, 1)
    result, read = found(site, topic, ActQuestion(), table_of(site))
    assert (result.count, result.foreign, result.copy_trouble, read) == (1, 0, "", 0)


def test_records_are_copied_once_by_two_workers_that_began_at_one_place(settings, topic):
    first, second = table_of(settings), table_of(settings)
    assert first.position(topic.identity) == second.position(topic.identity) == 0
    assert first.append(topic.identity, topic.kept[:4])
    assert not second.append(topic.identity, topic.kept[:4])
    assert not second.append(topic.identity, topic.kept[:6])
    result, _ = found(settings, topic, ActQuestion(), second)
    assert (result.count, result.copy_trouble) == (4, "")


def test_old_records_of_the_copy_are_left_out(settings, topic):
    copy = copied(settings, topic, 4)
    later = ActQuestion(since=datetime.now(UTC) + timedelta(days=40))
    assert found(settings, topic, later, copy)[0].count == 0


CHANGES = {
    "a record": lambda table: table.update({"value": "replace(value, 'sag 0', 'sag 9')"}),
    "a line that is gone": lambda table: table.delete('"offset" = 1'),
    "the last line that is gone": lambda table: table.delete('"offset" = 5'),
    "a line in the place of another": lambda table: table.update({"offset": '"offset" + 1'}),
    "lines of another topic": lambda table: table.update({"topic": "'two'"}),
    "nothing in the place of a record": lambda table: table.update(
        {"value": "''"}, predicate='"offset" = 2'
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_copy_that_somebody_changed_is_told_and_the_topic_is_read(settings, topic, change):
    alone, _ = found(settings, topic, ActQuestion())
    copy = copied(settings, topic, 6)
    CHANGES[change](DeltaTable(copy.place))
    result, read = found(settings, topic, ActQuestion(), copy)
    assert "cannot be believed" in result.copy_trouble
    assert (replace(result, copy_trouble=""), read) == (alone, 6)


def test_a_record_of_any_form_is_copied(settings, topic):
    wild: dict[str, object] = {"id": "x", "at": "../../x", "writer": "x", "number": 1, "before": ""}
    wild |= {"type": "act", "act": 7, "user": ["x"]}
    topic.kept.append(AccessRecord(6, b"\xff", orjson.dumps(wild), [("mac", b"\xff")]))
    topic.kept.append(AccessRecord(7, None, b"\xff\xfe", ()))
    topic.kept.append(AccessRecord(8, None, None, ()))
    alone, _ = found(settings, topic, ActQuestion())
    assert found(settings, topic, ActQuestion(), copied(settings, topic, 9)) == (alone, 0)
    assert alone.foreign == 2


def test_the_copy_has_few_files_whatever_the_number_of_commits(settings, topic, monkeypatch):
    monkeypatch.setattr(act_table, "COMPACT_EVERY", 5)
    off = {"delta.deletedFileRetentionDuration": "interval 0 seconds"}
    monkeypatch.setattr(act_table, "PROPERTIES", PROPERTIES | off)
    table, record = table_of(settings), topic.kept[0]
    for offset in range(24):
        assert table.append(topic.identity, [record._replace(offset=offset)])
    assert len([*Path(table.place).rglob("*.parquet")]) < 15
    assert table.take(topic.identity, 0, lambda _record: True) == 24


def test_a_record_is_copied_though_the_files_cannot_be_compacted(
    settings, topic, monkeypatch, caplog
):
    def fails(_table):
        raise OSError("no space")

    monkeypatch.setattr(act_table, "COMPACT_EVERY", 1)
    monkeypatch.setattr(DeltaTable, "optimize", property(fails))
    assert copied(settings, topic, 4).position(topic.identity) == 4
    assert "cannot be compacted: no space" in caplog.text


def test_a_topic_that_was_made_anew_is_copied_anew(settings, topic):
    table = copied(settings, topic, 4)
    assert table.position(topic.identity) == 4
    assert table.position("two") == 0
    assert table.take("two", 0, lambda _record: True) == 0


def test_a_damaged_copy_is_told_and_can_be_deleted(settings, topic):
    table = copied(settings, topic, 4)
    for file in Path(table.place).rglob("*.parquet"):
        file.write_bytes(b"x")
    alone, _ = found(settings, topic, ActQuestion())
    result, read = found(settings, topic, ActQuestion(), table)
    assert "it can be deleted" in result.copy_trouble
    assert (replace(result, copy_trouble=""), read) == (alone, 6)


def test_a_defect_ends_no_copying(settings, monkeypatch, caplog):
    begun = []

    async def copy(_settings):
        begun.append(1)
        if len(begun) == 1:
            raise RuntimeError("cpr " + CITIZEN)
        return 0

    monkeypatch.setattr(act_keeper, "copy_acts", copy)
    monkeypatch.setattr(act_keeper, "LOOK_S", 0)

    async def kept():
        keeper = ActKeeper(settings)
        keeper.start(keeper)
        while len(begun) < 3:
            await asyncio.sleep(0)
        await keeper.stop(keeper)

    asyncio.run(asyncio.wait_for(kept(), 60))
    assert "acts are not copied: RuntimeError" in caplog.text
    assert CITIZEN not in caplog.text
