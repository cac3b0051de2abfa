"""The site on a real Kafka: its records of access stand in their chain, and it sees the stages."""

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import HTTPException

from streams.acts.act_search import ActQuestion
from streams.acts.four_eyes import ApprovalError
from streams.acts.topic import open_act_topic
from streams.acts.writer import ActWriter
from streams.audit.access_chains import AccessChains
from streams.kafka import topics
from streams.kafka.topic_layout import ensure_topics_of
from streams.kit.errors import AwaitingApproval, UserError
from streams.lis.act_keeper import copy_acts
from streams.operations.dead_letters import Wanted
from streams.operations.letter_retry import Retry
from streams.operations.runs import Closing
from streams.operations.stage_lags import LENGTHS_S
from streams.settings import Settings
from streams.web.access import AccessBook, Look
from streams.web.board import look
from streams.web.desk.actor import acting
from streams.web.desk.works import DeskWorks
from tests.support.acts_in_memory import ANNA, BO
from tests.support.lines import PAYMENT, changed
from tests.support.site_client import visitor


def a_request() -> Any:
    route = SimpleNamespace(path="/borger/{token}")
    return SimpleNamespace(scope={"route": route}, state=SimpleNamespace(request_id="abcd"))


def test_a_look_is_recorded_before_it_is_shown_and_never_without(settings):
    who = visitor("caseworker", municipality="730", subject="anne")

    async def looks():
        book = AccessBook(settings)
        for number in range(3):
            await book.record(
                a_request(), who, Look("site look", ["c" * 32], purpose=f"sag {number}")
            )
        await book.close()
        async with open_act_topic(settings) as topic:
            return await ActWriter(settings, topic).entries()

    entries = asyncio.run(looks())
    assert [entry.fields["number"] for entry in entries] == [1, 2, 3]
    assert entries[1].fields["before"] == entries[0].head.hash
    assert entries[2].fields["reason"] == "sag 2"
    assert entries[2].fields["scope"] == {
        "visitor": {"subject": "anne", "roles": ["caseworker"], "municipality": "730"},
        "page": "/borger/{token}",
        "request": "abcd",
        "citizens": ["c" * 32],
    }
    nowhere = {name: value for name, (value, _) in settings.values.items() if value}
    nowhere["REFUSION_BOOTSTRAP"] = "127.0.0.1:1"
    with pytest.raises(HTTPException) as refused:
        asyncio.run(AccessBook(Settings.load(nowhere)).record(a_request(), who, Look("site look")))
    assert refused.value.status_code == 503


def test_acts_are_copied_once_beside_the_ledger_and_found_there(settings, tmp_path):
    given = {name: value for name, (value, _) in settings.values.items() if value}
    own = Settings.load(given | {"REFUSION_LEDGER": str(tmp_path / "ledger")})
    who = visitor("auditor", subject="rie")

    async def copied():
        counts = [await copy_acts(own)]
        for citizens in (["c" * 32], ["d" * 32], []):
            book = AccessBook(own)
            await book.record(a_request(), who, Look("site look", citizens, purpose="sag 1"))
            await book.close()
            counts += [await copy_acts(own), await copy_acts(own)]
        async with open_act_topic(own) as topic:
            await topic.append(b"x", b"nobody of ours", [])
        return [*counts, await copy_acts(own), await copy_acts(own)]

    assert asyncio.run(copied()) == [0, 1, 0, 1, 0, 1, 0, 1, 0]
    question = ActQuestion(citizen="c" * 32)
    found = DeskWorks(own).acts(question)
    assert [line.who for line in found.lines] == ["rie"]
    assert found == DeskWorks(settings).acts(question)


def test_the_board_sees_a_system_without_runs(pipeline, settings):
    async def seen():
        await ensure_topics_of(settings)
        return await look(settings)

    board = asyncio.run(seen())
    assert board.last is None
    assert board.waiting == board.waited_s == {"intake": 0, "citizens": 0, "projections": 0}
    pipeline.publish([changed(PAYMENT)])
    board = asyncio.run(seen())
    assert board.waiting == {"intake": 1, "citizens": 0, "projections": 0}
    assert board.waited_s["intake"] in LENGTHS_S
    assert board.waited_s["citizens"] == 0


@pytest.mark.long
def test_dead_letters_and_notices_are_read_as_the_command_line_reads_them(pipeline, as_person):
    twice = changed(PAYMENT, report_id="again", channel="direct")
    pipeline.publish([changed(PAYMENT), twice, changed(PAYMENT, report_id="bad", benefit="XYZ")])
    worker = pipeline.start()
    pipeline.wait_until_settled()
    works = DeskWorks(pipeline.settings)
    listed = json.loads(as_person(ANNA, "dead-letters", "list", "--json")[1])["letters"]
    (letter,) = works.letters(Wanted(since="2020-01-01T00:00:00Z")).newest
    assert (letter.place, letter.reason) == (listed[0]["place"], "unknown_benefit")
    assert works.letters(Wanted(since="2099-01-01T00:00:00Z")).total == 0
    shown, text = works.masked_letter(letter.place)
    assert shown.reporter == listed[0]["reporter"]
    assert "XYZ" in text
    assert str(PAYMENT["cpr"]) not in text
    with pytest.raises(UserError, match="--unchanged"):
        works.retry(Retry((letter.place,)))
    assert len(works.retry(Retry((letter.place,), unchanged=True)).sent) == 1
    shelf = works.notices(7)
    assert [line.code for line in shelf.lines] == ["possible_duplicate"]
    assert shelf.lines[0].other
    assert works.notices(7) is shelf
    pipeline.stop(worker)


def test_a_run_is_asked_for_on_the_site_and_closed_by_another_person_on_the_command_line(
    pipeline, settings, as_person, tmp_path
):
    """Site and command line obey one rule by the same records, and `verify` finds them whole."""
    pipeline.publish([])
    given = {
        name: value for name, (value, origin) in settings.values.items() if origin == "environment"
    }
    persons = tmp_path / "persons.yaml"
    given |= {"REFUSION_FOUR_EYES": "1", "REFUSION_PERSONS": str(persons)}
    works = DeskWorks(Settings.load(given))
    asked = Closing("2024-01", wait=False, by_two=True)
    anna = visitor("operator", subject="subject-of-anna")
    with acting(anna), pytest.raises(AwaitingApproval) as waiting:
        works.close(asked, lambda *_: None)
    request = waiting.value.request
    with acting(anna), pytest.raises(ApprovalError, match="is your own"):
        works.approve(request)
    assert as_person(ANNA, "approve", request)[0] == 2
    assert not any(pipeline.records(topics.REPORTS).values())
    status, told, said = as_person(BO, "approve", request, "--json")
    assert (status, json.loads(told)["closed"]) == (0, True), said
    (card,) = works.requests()
    assert (card.state, card.decided_by, card.fields["user"]) == (
        "carried out", "bo", "oidc:subject-of-anna",
    )  # fmt: skip
    records = [record for each in pipeline.records(topics.ACCESS).values() for record in each]
    chains = AccessChains("access", settings.macs())
    assert [violation for record in records for violation in chains.add(record)] == []
