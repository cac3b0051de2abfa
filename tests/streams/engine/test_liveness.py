"""An outage is logged once, and once more when it is over; a process that stood still waits."""

import asyncio
import logging
from typing import Any

import pytest

from streams.engine.liveness import Outage, Pulse, StalledError
from streams.engine.timing import PAUSE_S, SESSION_S


class Clock(asyncio.SelectorEventLoop):
    """An event loop whose time a test sets."""

    now = 1_000.0

    def time(self):
        return self.now


def run(coroutine):
    with asyncio.Runner(loop_factory=Clock) as runner:
        return runner.run(coroutine)


def test_an_outage_is_said_once_for_everybody(caplog):
    async def work():
        clock: Any = asyncio.get_running_loop()
        outage = Outage()
        outage.ended()
        outage.began(OSError())
        outage.began(TimeoutError())
        assert outage.is_on
        clock.now += 7
        outage.ended()
        outage.ended()
        assert not outage.is_on

    caplog.set_level(logging.WARNING, "refusion")
    run(work())
    assert caplog.messages == [
        "Kafka does not answer (OSError); waiting for it",
        "Kafka answers again after 7 s",
    ]


def test_a_process_that_stood_still_waits_for_two_heartbeats():
    async def work():
        clock: Any = asyncio.get_running_loop()
        pulse = Pulse()
        clock.now += SESSION_S / 2
        pulse.check()
        clock.now += SESSION_S / 2 + 0.1
        with pytest.raises(StalledError):
            pulse.check()
        clock.now += PAUSE_S - 0.1
        with pytest.raises(StalledError):
            pulse.check()
        clock.now += 0.1
        pulse.check()

    run(work())
