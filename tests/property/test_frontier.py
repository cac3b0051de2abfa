"""The usual report's way of its own gives, to the byte, what the general way gives."""

import pytest

from domain import citizen
from domain.frontier import settle_at_frontier
from tests import product
from tests.property.lives import THEMES, in_order_of_time, life


@pytest.mark.parametrize("theme", THEMES)
def test_both_ways_post_the_same_messages(theme, monkeypatch):
    """In the order of time, where the usual way is taken, and in the order of the plan, where it often is not."""
    lives = [reports for seed in range(1100, 1112) for reports in (life(theme, seed), in_order_of_time(theme, seed))]
    taken = []

    def watched(*arguments, **options):
        usual = settle_at_frontier(*arguments, **options)
        taken.append(usual is not None)
        return usual

    monkeypatch.setattr(citizen, "settle_at_frontier", watched)
    usual = [product.outcomes(reports, batch=3, restarts=True) for reports in lives]
    monkeypatch.setattr(citizen, "settle_at_frontier", lambda *_, **__: None)
    assert [product.outcomes(reports) for reports in lives] == usual
    assert 0.05 < sum(taken) / len(taken) < 0.95, "both ways must be tried by these lives"
