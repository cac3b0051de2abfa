"""The usual report's way of its own gives, to the byte, what the general way gives."""

import random

import pytest

from domain import citizen
from tests.histories import history
from tests.product import law, settle_all

SEEDS = range(60)


@pytest.mark.parametrize("seed", SEEDS)
def test_both_ways_post_the_same_messages(seed, monkeypatch):
    reports = history(random.Random(seed), law().rules)
    usual = settle_all(reports)
    monkeypatch.setattr(citizen, "settle_at_frontier", lambda *_: None)
    general = settle_all(reports)
    assert usual.messages == general.messages
    assert usual.notices == general.notices


def test_the_usual_way_is_taken_where_it_is_meant_to_be(monkeypatch):
    taken = []
    frontier = citizen.settle_at_frontier

    def counted(*arguments):
        settled = frontier(*arguments)
        taken.append(settled is not None)
        return settled

    monkeypatch.setattr(citizen, "settle_at_frontier", counted)
    for seed in SEEDS:
        settle_all(history(random.Random(seed), law().rules))
    assert 0.1 < sum(taken) / len(taken) < 0.9, "both ways must be tried by these histories"
