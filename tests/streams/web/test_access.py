"""The records of a site: what waits for the brokers, and for how long."""

import asyncio
from contextlib import asynccontextmanager
from types import SimpleNamespace

from fastapi import HTTPException

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
