"""The log-on of a connection is renewed before the brokers end it, and once for all that wait."""

import asyncio
import logging

import pytest
from aiokafka.errors import KafkaConnectionError, SaslAuthenticationFailed

from streams.kafka import sessions
from streams.kafka.sessions import Session


class Broker:
    """Lets a connection log on; the time of its session is over at once."""

    def __init__(self, error=None):
        self.log_ons = 0
        self.cuts: list[Exception] = []
        self.may_end = asyncio.Event()
        self._error = error
        self.session = Session(self._log_on, self.cuts.append)

    async def _log_on(self):
        self.log_ons += 1
        await self.may_end.wait()
        if self._error is not None:
            raise self._error
        self.session.began(60_000)


@pytest.fixture
def at_once(monkeypatch):
    """Renewals are due at once."""
    monkeypatch.setattr(sessions, "LEAST_S", 0.0)
    monkeypatch.setattr(sessions, "USED", (0.0, 0.0))


def test_a_log_on_that_is_good_without_end_is_not_renewed():
    session = Broker().session
    session.began(0)
    assert not session.must_wait()


def test_a_log_on_is_renewed_when_most_of_its_time_is_over(monkeypatch):
    now_s = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now_s)
    session = Broker().session
    session.began(100_000)
    now_s += 79.9
    assert not session.must_wait()
    now_s += 10.2
    assert session.must_wait()


def test_brokers_are_not_asked_again_within_the_second_in_which_they_refuse(monkeypatch):
    slept = []

    async def sleep(seconds):
        slept.append(seconds)

    async def tried():
        broker = Broker()
        broker.session.began(1)
        await asyncio.sleep(0.01)
        assert broker.session.must_wait()
        broker.may_end.set()
        monkeypatch.setattr(asyncio, "sleep", sleep)
        await broker.session.renewed()

    asyncio.run(tried())
    assert sessions.LEAST_S - 0.5 < slept[0] <= sessions.LEAST_S


@pytest.mark.usefixtures("at_once")
def test_requests_wait_for_one_renewal_and_one_that_gives_up_does_not_end_it(monkeypatch):
    async def tried():
        broker = Broker()
        broker.session.began(1)
        assert broker.session.must_wait()
        waiting = [asyncio.create_task(broker.session.renewed()) for _ in range(3)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        waiting[0].cancel()
        await asyncio.sleep(0)
        assert broker.session.must_wait()
        monkeypatch.setattr(sessions, "USED", (1.0, 1.0))
        broker.may_end.set()
        await asyncio.gather(*waiting[1:])
        assert broker.log_ons == 1
        assert not broker.session.must_wait()
        assert broker.cuts == []

    asyncio.run(tried())


@pytest.mark.usefixtures("at_once")
def test_a_renewal_that_is_refused_cuts_the_connection_and_is_said(caplog):
    async def tried():
        broker = Broker(SaslAuthenticationFailed("no such principal"))
        broker.session.began(1)
        broker.may_end.set()
        with pytest.raises(KafkaConnectionError):
            await broker.session.renewed()
        assert len(broker.cuts) == 1

    with caplog.at_level(logging.WARNING):
        asyncio.run(tried())
    assert "could not be renewed (SaslAuthenticationFailed)" in caplog.text
