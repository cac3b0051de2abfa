"""A rekey asks first, goes on with what was approved alone, and proves what counts alone."""

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from domain.basics.weeks import day, first_day, month_number
from streams.acts import four_eyes
from streams.acts.acts import record_act
from streams.acts.four_eyes import ApprovalError
from streams.archive import key_change
from streams.archive.erasure import ErasureError
from streams.archive.key_change import (
    RekeyRequest,
    act_of,
    check_erasure,
    check_prefix,
    last_booked,
    permitted,
    posted,
)
from streams.archive.open_letters import told_of
from streams.archive.rekey import RekeyError
from streams.archive.sameness import differences
from streams.kit.errors import AwaitingApproval, UserError
from streams.kit.operating_user import acting_as
from streams.settings import Settings
from tests.streams.archive.conftest import ReaderFromOffsets
from tests.streams.archive.test_rekey import NewSystem, TwoSystems
from tests.support.acts_in_memory import ANNA, ANNA_TOO, BO, PERSONS, MemoryActTopic

ASKED = RekeyRequest("anew.")


@pytest.fixture
def new(clean, tmp_path):
    made = NewSystem(clean, tmp_path / "state")
    yield made
    made.stages.close()


@pytest.fixture
def settings(clean, tmp_path):
    values: dict[str, Any] = {**clean.settings.values}
    return Settings(values | {"REFUSION_STATE_DIR": (str(tmp_path / "acts"), "environment")})


def test_a_prefix_is_gone_on_with_by_the_same_keys_and_list_alone(clean, new, settings):
    first = act_of(new.settings)
    with_list = act_of(new.settings, "digest of a list")
    with_old_keys = act_of(clean.settings)
    with_old_keys = with_old_keys._replace(scope={**with_old_keys.scope, "prefix": "anew."})
    topic = MemoryActTopic()

    def check(act):
        reader: Any = TwoSystems(new.topics)
        asyncio.run(check_prefix(settings, new.settings, act, reader, topic.open))

    asyncio.run(record_act(settings, first, topic.open))
    check(with_list)  # nothing was written yet
    new.rekey()
    check(first)
    for other in (with_list, with_old_keys):
        with pytest.raises(RekeyError, match="take another prefix"):
            check(other)


def test_who_is_erased_and_what_is_agreed_to_are_of_one_reading(tmp_path, monkeypatch):
    """Whoever may write the list may swap it at any moment, and back again."""
    head, (anna, bo) = "citizen;reason;basis\n", ("a" * 32, "b" * 32)
    agreed_to, swapped = (f"{head}{who};død;GDPR art. 17\n".encode() for who in (anna, bo))
    contents = [agreed_to, swapped, agreed_to]
    monkeypatch.setattr(Path, "read_bytes", lambda _path: contents.pop(0))
    asked = RekeyRequest("anew.", erase=tmp_path / "erase.csv")
    read = [asked.erased() for _ in range(3)]
    assert [[*erased] for erased, _ in read] == [[anna], [bo], [anna]]
    assert read[0][1] == read[2][1] != read[1][1]


def test_a_rekey_into_another_prefix_hinders_nobody(new, settings):
    act, topic = act_of(new.settings), MemoryActTopic()
    elsewhere = act._replace(scope={**act.scope, "prefix": "elsewhere.", "partitions": 99})
    asyncio.run(record_act(settings, elsewhere, topic.open))
    new.rekey()
    reader: Any = TwoSystems(new.topics)
    asyncio.run(check_prefix(settings, new.settings, act, reader, topic.open))


def test_a_rekey_that_goes_on_is_recorded_too(new, settings):
    act, topic = act_of(new.settings), MemoryActTopic()
    for number in (1, 2, 3):
        asyncio.run(permitted(settings, ASKED, act, topic.open))
        assert len(topic.kept) == number


def test_with_four_eyes_a_rekey_is_approved_once_and_then_followed_by_either(
    new, settings, tmp_path
):
    """Each request that is approved is carried out: none stays open that could be done again."""
    persons = tmp_path / "persons.yaml"
    persons.write_text(PERSONS)
    persons.chmod(0o600)
    given = {"REFUSION_FOUR_EYES": "1", "REFUSION_PERSONS": str(persons)}
    office = Settings(
        {**settings.values, **{name: (text, "environment") for name, text in given.items()}}
    )
    topic, act = MemoryActTopic(), act_of(new.settings)

    def do(who, acted=act):
        with acting_as(who):
            asyncio.run(permitted(office, ASKED, acted, topic.open))

    def request(who, acted=act):
        with pytest.raises(AwaitingApproval) as waiting:
            do(who, acted)
        return waiting.value.request

    def approve(request_id, who):
        with acting_as(who):
            approved = asyncio.run(four_eyes.approve(office, request_id, topic.open))
        with four_eyes.carried_out(approved):
            do(who)

    first, again = request(ANNA), request(ANNA)
    with pytest.raises(ApprovalError, match="is your own"):
        approve(first, ANNA_TOO)
    approve(first, BO)
    approve(again, BO)
    do(ANNA)  # to follow, another time
    do(BO)
    states = {each.id: each.state for each in asyncio.run(four_eyes.requests(office, topic.open))}
    assert states == {first: "carried out", again: "carried out"}
    with pytest.raises(ApprovalError, match="was carried out before"):
        approve(first, BO)
    other = act._replace(scope={**act.scope, "partitions": 99})
    assert request(ANNA, other) not in states


def test_nothing_is_written_into_a_journal_that_states_other_keys(clean, new, monkeypatch):
    written = []

    async def nothing(*_, **_more):
        """Do nothing."""

    async def check_keys(settings):
        if settings.prefix == "anew.":
            raise UserError("other keys")

    @asynccontextmanager
    async def open_topics(_clients):
        yield TwoSystems(clean, new.topics)

    @asynccontextmanager
    async def open_writer(*_):
        written.append("opened")
        yield None

    for name in ("check_prefix", "permitted", "ensure_topics_of", "begin_journal"):
        monkeypatch.setattr(key_change, name, nothing)
    monkeypatch.setattr(key_change, "check_keys", check_keys)
    monkeypatch.setattr(key_change, "open_topics", open_topics)
    monkeypatch.setattr(key_change, "open_atomic_writer", open_writer)
    with pytest.raises(UserError, match="other keys"):
        asyncio.run(key_change.rekey(clean.settings, ASKED, asyncio.Event(), print, print))
    assert written == []


def test_what_does_not_come_along_is_said_before_anybody_is_asked(clean, new, monkeypatch):
    said: list[str] = []

    async def nothing(*_):
        """Do nothing."""

    async def letters(_settings, _reader):
        return {"bad_cpr": 3}

    async def permitted(*_):
        assert said == [told_of({"bad_cpr": 3})]
        raise AwaitingApproval("waits", "abc")

    @asynccontextmanager
    async def open_topics(_clients):
        yield TwoSystems(clean, new.topics)

    for name in ("check_prefix", "check_keys"):
        monkeypatch.setattr(key_change, name, nothing)
    for instead in (permitted, open_topics):
        monkeypatch.setattr(key_change, instead.__name__, instead)
    monkeypatch.setattr(key_change, "open_letters", letters)
    with pytest.raises(AwaitingApproval):
        asyncio.run(
            key_change.rekey(clean.settings, ASKED, asyncio.Event(), lambda _: None, said.append)
        )


# --- who is to be kept, and what is compared ------------------------------------------------------


def without_mac(record):
    return record._replace(headers=[header for header in record.headers if header[0] != "mac"])


def test_records_of_an_old_journal_keep_a_citizen_from_being_erased(copy):
    _, _, record = copy.find("reports", lambda record: bool(record.key))
    for records in copy.of["reports"].values():
        records[:] = map(without_mac, records)
    erased = {record.key.decode(): "because"}
    reader = ReaderFromOffsets(copy, copy.ends())
    with pytest.raises(ErasureError, match="must be kept still"):
        asyncio.run(check_erasure(copy.settings, reader, erased))


def test_what_is_booked_late_keeps_a_citizen_as_what_is_reported_does(copy, monkeypatch):
    """A recalculation for other rules books in a year in which nothing was reported."""
    reader, booked = ReaderFromOffsets(copy, copy.ends()), {}
    for records in copy.of["postings"].values():
        runs = [
            0,
            *(
                value["data_month"]
                for each in records
                if "data_month" in (value := orjson.loads(each.value))
            ),
        ]
        assert len(runs) > 1, "the books have runs"
        for record in records:
            message = orjson.loads(record.value)
            if message["type"] == "run":
                runs.pop(0)
            elif message["rows"]:
                open_month = month_number(runs[0]) + 1 if len(runs) == 1 else month_number(runs[1])
                booked[message["citizen"]] = first_day(open_month + 1) - 1
    keys = {citizen.encode() for citizen in booked}
    assert asyncio.run(last_booked(copy.settings, reader, keys)) == booked
    assert asyncio.run(last_booked(copy.settings, reader, set())) == {}
    monkeypatch.setattr(key_change, "last_day_of", lambda _: day("2010-01-01"))
    erased = {min(booked): "because"}
    with pytest.raises(ErasureError, match="must be kept still"):
        asyncio.run(check_erasure(copy.settings, reader, erased))

    async def nothing(*_):
        return {}

    monkeypatch.setattr(key_change, "last_booked", nothing)
    asyncio.run(check_erasure(copy.settings, reader, erased))


def test_a_copy_of_a_posting_is_compared_once_and_an_old_one_too(clean, copy):
    at, index, record, _ = copy.message(lambda message: message["rows"])
    copy.replace("postings", at, index, without_mac(record))
    copy.append("postings", at, record.key, record.value, record.headers)

    def of(topics):
        return asyncio.run(posted(topics.settings, ReaderFromOffsets(topics, topics.ends()), {}))

    assert of(copy).messages == of(clean).messages > 0
    assert differences(of(clean), of(copy)) == []
