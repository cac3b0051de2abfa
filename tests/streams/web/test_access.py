"""The records of a site: what waits for the brokers, and for how long."""

import asyncio
from contextlib import asynccontextmanager
from types import SimpleNamespace

from fastapi import HTTPException

from projections.lis.answers import Answer
from projections.lis.questions import LisQuestion
from projections.lis.views import VIEWS
from streams.acts.acts import record_acts
from streams.acts.chain import genuine_entries
from streams.lis.citizens import acts_of
from streams.settings import Settings
from streams.web import access
from streams.web.access import AccessBook, Look
from tests.support.acts_in_memory import MemoryActTopic
from tests.support.site_client import visitor

CITIZEN = "c" * 32


def a_request():
    route = SimpleNamespace(path="/lis/paa-vej-ned")
    return SimpleNamespace(scope={"route": route}, state=SimpleNamespace(request_id="abcd"))


def settings_of(tmp_path):
    return Settings.load(
        {
            "REFUSION_DEMO": "1",
            "REFUSION_STATE_DIR": str(tmp_path),
            "REFUSION_BOOTSTRAP": "127.0.0.1:1",
        }
    )


def test_who_waits_for_others_to_be_recorded_waits_no_longer_than_for_the_brokers(
    tmp_path, monkeypatch
):
    """Silent brokers cost each of a hundred visitors the same time, not the sum of all."""
    monkeypatch.setattr(access, "RECORD_S", 0.2)

    @asynccontextmanager
    async def silent(_settings):
        await asyncio.sleep(60)
        yield MemoryActTopic()

    async def looks():
        book, who = AccessBook(settings_of(tmp_path), silent), visitor("auditor")
        asked = [book.record(a_request(), who, Look("lis", [CITIZEN])) for _ in range(20)]
        async with asyncio.timeout(3):
            return await asyncio.gather(*asked, return_exceptions=True)

    answers = asyncio.run(looks())
    assert {type(answer) for answer in answers} == {HTTPException}
    assert {answer.status_code for answer in answers} == {503}


def test_each_citizen_of_a_long_list_stands_in_a_record_with_the_question(tmp_path):
    """One finds who saw a citizen by the citizen, however long the list was."""
    citizens = [f"{number:032x}" for number in range(2_500)]
    question = LisQuestion("paa-vej-ned", "730", benefit="KTH", based_on="of", run=50, weeks=8)
    figures = VIEWS["paa-vej-ned"].figures
    rows = [("730", citizen, *[None] * (len(figures) - 2)) for citizen in citizens]
    answer = Answer("paa-vej-ned", "", "of", 50, "R-1", figures, rows)
    acts = acts_of(question, answer, "sag 12", names_cpr=False, ledger_version=7)
    topic, settings = MemoryActTopic(), settings_of(tmp_path)
    asyncio.run(record_acts(settings, acts, topic.open))
    entries = genuine_entries(settings.macs(), topic.kept)
    scopes = [entry.fields["scope"] for entry in entries]
    assert [citizen for scope in scopes for citizen in scope["citizens"]] == citizens
    assert [(scope["part"], scope["parts"], scope["persons"]) for scope in scopes] == [
        (1, 3, 2_500), (2, 3, 2_500), (3, 3, 2_500),
    ]  # fmt: skip
    asked = {"view": "paa-vej-ned", "municipality": "730", "as": "of", "run": 50, "weeks": 8}
    asked |= {"benefit": "KTH", "ledger_version": 7}
    assert all({name: scope[name] for name in asked} == asked for scope in scopes)
    assert [entry.fields["number"] for entry in entries] == [1, 2, 3]
    assert entries[2].fields["before"] == entries[1].head.hash
