"""A rekey says which refused records stay behind: those that are in no journal."""

import asyncio
from typing import Any

import orjson
import pytest

from streams.archive.key_change import ProvedSameness
from streams.archive.open_letters import open_letters, told_of
from streams.stages.dead_letter import RETRY_OF, RefusedRecord, dead_letter
from streams.wire.rejections import ENDS_BEFORE_START, INTERNAL_ERROR
from tests.streams.archive.conftest import ReaderFromOffsets


@pytest.fixture
def letters(copy):
    """Topics whose dead letters a test writes alone."""
    for records in copy.of["dead-letters"].values():
        records.clear()

    def refuse(stage, topic, offset, reason=ENDS_BEFORE_START, headers=()):
        refused = RefusedRecord(stage, copy.name(topic), 0, offset, b"{}", list(headers))
        key, sealed, marks = dead_letter(copy.settings.identity(), reason, refused)
        return copy.append("dead-letters", 0, key, sealed, marks) - 1

    copy.refuse = refuse
    return copy


def counted(topics):
    reader: Any = ReaderFromOffsets(topics, topics.ends())
    return asyncio.run(open_letters(topics.settings, reader))


def test_what_intake_refused_stays_behind_and_what_settling_refused_comes_along(letters):
    assert counted(letters) == {}
    letters.refuse("citizens", "reports", 5)
    assert counted(letters) == {}
    letters.refuse("intake", "reports.raw", 5)
    letters.refuse("intake", "reports.raw.kmd", 5)
    letters.refuse("intake", "reports.raw", 6, INTERNAL_ERROR)
    assert counted(letters) == {"bad_period": 2, "internal_error": 1}


def test_what_was_sent_again_is_open_no_more_but_where_it_was_refused_again(letters):
    first = letters.refuse("intake", "reports.raw", 5, INTERNAL_ERROR)
    letters.refuse("intake", "reports.raw", 6, INTERNAL_ERROR)
    assert counted(letters) == {"internal_error": 2}
    mark = (RETRY_OF, f"{letters.name('dead-letters')}/0/{first}".encode())
    letters.append("reports.raw", 0, None, b"{}", [mark])
    assert counted(letters) == {"internal_error": 1}
    letters.refuse("intake", "reports.raw", 7, headers=[mark])
    assert counted(letters) == {"internal_error": 1, "bad_period": 1}


def test_the_sentence_says_what_to_do_and_the_proof_has_it():
    assert told_of({}) == ""
    said = told_of({"bad_period": 1_200, "internal_error": 34})
    assert said.startswith(
        "1,234 dead letters of raw records are open (1,200 bad_period, 34 internal_error) and do"
        " not come along"
    )
    assert "dead-letters retry" in said
    assert "dead-letters retry" not in told_of({"bad_period": 1})
    for wrong in ([], ["the postings of 1 citizens are not the same"]):
        proved = ProvedSameness(wrong, 5, 60, {}, {"bad_period": 1})
        assert proved.sentence().endswith("the new system knows nothing of them")
        assert proved.as_json()["open_letters"] == {"bad_period": 1}
    erased = ProvedSameness([], 5, 60, {1: [700, 0]}, {}).as_json()
    assert orjson.loads(orjson.dumps(erased))["erased_ore"] == {"1": [700, 0]}
    assert "dead letters" not in ProvedSameness([], 5, 60, {}, {}).sentence()
