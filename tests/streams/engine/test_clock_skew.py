"""A clock that differs from the brokers' is said once, and a slow broker is no skew."""

import logging

import pytest

from streams.engine.clock_skew import ClockSkew


@pytest.fixture
def said(caplog):
    caplog.set_level(logging.INFO, "refusion")
    return caplog


@pytest.mark.parametrize(("ours", "words"), [(17_200, "7200 s ahead of"), (2_800, "7198 s behind")])
def test_a_large_skew_is_said_once_and_once_more_when_it_is_gone(said, ours, words):
    now = [ours + 2.0]
    clock = ClockSkew(lambda: now[0])
    for _ in range(3):
        clock.measure(ours, 10_000_000)
    assert [record.getMessage() for record in said.records] == [
        f"the clock of this machine is {words} the brokers'"
    ]
    now[0] = 10_001.0
    clock.measure(9_999.0, 10_000_000)
    assert clock.ahead_s == 0
    assert said.records[-1].getMessage().endswith("agrees with the brokers' again")


def test_a_broker_that_takes_minutes_is_no_skew(said):
    clock = ClockSkew(lambda: 10_500.0)
    clock.measure(10_000.0, 10_300_000)
    assert (clock.ahead_s, said.records) == (0, [])
