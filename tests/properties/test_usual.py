"""The usual payment's way of its own gives, to the byte, what the general way gives."""

from itertools import product as product_of

import pytest

from domain.basics.weeks import week_of
from domain.citizen import aggregate as citizen
from domain.citizen.usual import take_in
from tests.support import product
from tests.support.lives import THEMES, in_order_of_time, life


@pytest.mark.parametrize("theme", THEMES)
def test_both_ways_post_the_same_messages(theme, monkeypatch):
    """In the order of time, where the usual way is taken, and in the order of the plan, where it often is not."""
    lives = [
        reports
        for seed in range(1100, 1112)
        for reports in (life(theme, seed), in_order_of_time(theme, seed))
    ]
    taken = []
    kinds = set()

    def watched(law, known, payment, name):
        is_late = week_of(payment.end) <= known.head.horizon
        usual = take_in(law, known, payment, name)
        taken.append(usual is not None)
        if usual:
            has_moved_counters = usual[2] is not None
            kinds.add((law.usual[payment.benefit].counts, is_late, has_moved_counters))
        return usual

    monkeypatch.setattr(citizen, "take_in", watched)
    usual = [product.outcomes(reports, batch=3, restarts=True) for reports in lives]
    monkeypatch.setattr(citizen, "take_in", lambda *_: None)
    assert [product.outcomes(reports) for reports in lives] == usual
    if theme == "years_of_53_weeks":
        impossible = (True, False, False)  # the latest benefit week moves the counters
        assert kinds == {*product_of((True, False), repeat=3)} - {impossible}, (
            "each kind must be tried"
        )
    assert 0.05 < sum(taken) / len(taken) < 0.95, "both ways must be tried by these lives"
