"""The copy of the topic `access`: each record once, searched as the topic is, believed by MAC."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from streams.acts.act_search import ActQuestion, searched
from streams.acts.acts import Act, record_acts
from streams.acts.chain import AccessRecord, genuine_entries
from streams.lis.act_table import ActTable
from streams.lis.store import LisError
from streams.settings import Settings
from tests.support.acts_in_memory import MemoryActTopic

CITIZEN = "ab" * 16


@pytest.fixture
def settings(tmp_path):
    places = {"REFUSION_LEDGER": "ledger", "REFUSION_STATE_DIR": "state"}
    given = {"REFUSION_DEMO": "1", "REFUSION_BOOTSTRAP": "127.0.0.1:1"}
    return Settings.load(given | {name: str(tmp_path / place) for name, place in places.items()})


@pytest.fixture
def topic(settings):
    """A topic with four looks and a record that nobody of ours wrote."""
    made = MemoryActTopic()
    for number in range(4):
        act = Act("site citizen", {"citizens": [CITIZEN], "page": "/borger"}, f"sag {number}")
        asyncio.run(record_acts(settings, [act], made.open))
    made.kept.append(AccessRecord(4, b"x", b'{"type": "act"}', ()))
    return made


def copied(settings, topic, end):
    table = ActTable(settings.ledger)
    start = table.position(topic.identity)
    table.append(topic.identity, genuine_entries(settings.macs(), topic.kept[start:end]), end)
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
    assert read == 5
    copy = copied(settings, topic, 2)
    with_it, read = found(settings, topic, question, copy)
    assert (with_it, read) == (alone, 3)
    copy = copied(settings, topic, 4)
    with_it, read = found(settings, topic, question, copy)
    assert (with_it.lines, with_it.count, read) == (alone.lines, alone.count, 1)


def test_old_records_of_the_copy_are_left_out(settings, topic):
    copy = copied(settings, topic, 4)
    later = ActQuestion(since=datetime.now(UTC) + timedelta(days=40))
    assert found(settings, topic, later, copy)[0].count == 0


def test_a_line_that_somebody_changed_is_not_believed(settings, topic):
    entries = genuine_entries(settings.macs(), topic.kept)
    value = entries[0].record.value or b""
    forged = entries[0].record._replace(value=value.replace(b"sag 0", b"sag 9"))
    table = ActTable(settings.ledger)
    table.append(topic.identity, [entries[0]._replace(record=forged), *entries[1:]], 5)
    result, _ = found(settings, topic, ActQuestion(), table)
    assert (result.count, result.foreign) == (3, 1)


def test_a_topic_that_was_made_anew_is_copied_anew(settings, topic):
    table = copied(settings, topic, 4)
    assert table.position(topic.identity) == 4
    assert table.position("two") == 0
    assert table.take("two", None, lambda _record: True) == 0


def test_a_damaged_copy_is_told_and_can_be_deleted(settings, topic):
    table = copied(settings, topic, 4)
    for file in Path(table.place).rglob("*.parquet"):
        file.write_bytes(b"x")
    with pytest.raises(LisError, match="it can be deleted"):
        found(settings, topic, ActQuestion(), table)
