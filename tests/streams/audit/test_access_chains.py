"""Verify says where the records of who did what were changed, cut, forged or done by one person."""

import asyncio

import orjson
import pytest

from streams.acts import chain
from streams.acts.chain import AccessRecord
from streams.acts.writer import ActWriter
from streams.audit.access_chains import AccessChains
from streams.kit.operating_user import acting_as
from tests.streams.acts.test_acts import act, settings_of
from tests.streams.acts.test_four_eyes import Office
from tests.support.acts_in_memory import ANNA, BO, MemoryActTopic


def found(settings, records):
    chains = AccessChains("access", settings.macs())
    return [violation.text for record in records for violation in chains.add(record)]


@pytest.fixture
def kept(tmp_path):
    """Settings, and the records of two writers: Anna, Anna, Bo, Anna."""
    settings, topic = settings_of(tmp_path), MemoryActTopic()
    for who in (ANNA, ANNA, BO, ANNA):
        act(settings, topic, who)
    return settings, topic.kept


def test_whole_chains_are_fine(kept):
    settings, records = kept
    assert found(settings, records) == []
    assert found(settings, []) == []


@pytest.mark.parametrize(
    ("without", "said"),
    [
        (0, ["records 1 to 1 of its writer are gone"]),
        (1, ["the record that its writer saw before it is gone", "records 2 to 2 of its writer"]),
    ],
)
def test_a_record_that_is_gone_is_missed(kept, without, said):
    settings, records = kept
    texts = found(settings, records[:without] + records[without + 1 :])
    assert len(texts) == len(said)
    assert all(map(str.startswith, texts, said))


def test_a_chain_that_is_dropped_whole_is_missed_where_a_later_one_saw_it(kept):
    settings, records = kept
    assert found(settings, records[2:3]) == ["the record that its writer saw before it is gone"]


def test_a_record_that_was_changed_or_is_of_nobody_of_ours_is_told(kept):
    settings, records = kept
    value = orjson.dumps(orjson.loads(records[1].value) | {"user": "carl"})
    for forged in (records[1]._replace(value=value), AccessRecord(9, None, b"[1]", [])):
        texts = found(settings, [*records[:1], forged, *records[1:]])
        assert texts == ["nobody of ours wrote this record: its MAC is not right"]


def test_a_holder_of_the_keys_cannot_change_one_record_unseen(kept):
    settings, records = kept
    fields = orjson.loads(records[1].value) | {"reason": "another"}
    value = orjson.dumps(fields)
    headers = chain.headers(settings.macs(), records[1].key, value)
    changed = AccessRecord(1, records[1].key, value, headers)
    assert found(settings, [records[0], changed, *records[2:]]) == [
        "the record that its writer saw before it is gone",
        "it does not follow the record before it: one of the two was changed",
    ]


def test_a_copy_of_a_record_or_of_a_state_folder_is_told(kept):
    settings, records = kept
    (text,) = found(settings, [*records, records[1]])
    assert text == "record 2 of its writer is there twice: its state folder was copied"


def test_an_approved_act_has_a_second_person_before_it_and_is_done_once(tmp_path):
    office = Office(tmp_path)
    request = office.request(ANNA)
    office.approve(request, BO)
    asked, _, done = office.topic.kept
    assert found(office.settings, office.topic.kept) == []
    assert "nobody else approved its request before it" in found(office.settings, [asked, done])
    writer = ActWriter(office.settings, office.topic)
    own = {"request": office.request(BO), "act": "opening load", "person": "Bo Bang"}
    with acting_as(BO):
        asyncio.run(writer.write("approval", own))
        again = {"act": "x", "four_eyes": "approved", "request": request}
        asyncio.run(writer.write("act", again))
    assert found(office.settings, office.topic.kept) == [
        "it approves a request of the same user, or one that nobody asked for",
        "its request was carried out before; see which of the two was done",
    ]


def test_acts_that_one_person_did_alone_are_counted(tmp_path):
    office = Office(tmp_path, REFUSION_FOUR_EYES="0")
    office.ask(ANNA)
    chains = AccessChains("access", None)
    assert [list(chains.add(record)) for record in office.topic.kept] == [[]]
    assert chains.alone == 1
