"""The early exits of the law give, to the byte, what the long way gives."""

from itertools import product as product_of

import pytest

from domain.citizen import aggregate, fresh, touch
from domain.law import recount
from domain.law.staircase import Law
from tests.support import product
from tests.support.lives import THEMES, in_order_of_time, life

EXITS = {
    "the fast path": (aggregate, "fresh_cells", None),
    "no other week moves": (recount, "_moves_no_other", False),
    "one ordinal for a run of weeks": (Law, "run_of_weeks", None),
    "all weeks gain": (touch, "_all_weeks_gain", False),
}
"""Each early exit, and its answer that sends a report the long way."""


def lives(theme):
    for seed in range(1100, 1112):
        yield life(theme, seed)
        yield in_order_of_time(theme, seed)


@pytest.mark.parametrize("theme", THEMES)
def test_without_the_early_exits_the_same_messages_are_posted(theme, monkeypatch):
    """Lives in the order of time take the exits; those in the order of the plan often do not."""
    with_exits = [product.outcomes(reports, batch=3, restarts=True) for reports in lives(theme)]
    for owner, name, long_way in EXITS.values():
        monkeypatch.setattr(owner, name, lambda *_, answer=long_way: answer)
    assert [product.outcomes(reports) for reports in lives(theme)] == with_exits


@pytest.mark.parametrize("exit_", EXITS)
def test_each_early_exit_is_taken_by_some_reports_and_not_by_others(exit_, monkeypatch):
    owner, name, long_way = EXITS[exit_]
    real = getattr(owner, name)
    taken = []

    def watched(*arguments):
        answer = real(*arguments)
        taken.append(answer != long_way)
        return answer

    monkeypatch.setattr(owner, name, watched)
    for reports in lives("years_of_53_weeks"):
        product.outcomes(reports)
    assert sum(taken) >= 15
    assert len(taken) - sum(taken) >= 15


@pytest.mark.parametrize("theme", ["the_window", "years_of_53_weeks", "backwards"])
def test_every_kind_of_payment_takes_the_fast_path(theme, monkeypatch):
    """A kind: gives rows or none, comes before known money or after it, has ATP or none."""
    real = fresh.fresh_cells
    kinds = set()

    def watched(law, citizen, line, parts):
        known_until = citizen.head.last_week_with_money
        cells = real(law, citizen, line, parts)
        if cells:
            last_week = cells.pieces[-1][1]
            kinds.add((law.gives_rows(line.code), last_week <= known_until, line.atp_ore != 0))
        return cells

    monkeypatch.setattr(aggregate, "fresh_cells", watched)
    for reports in lives(theme):
        product.outcomes(reports)
    assert kinds == set(product_of((True, False), repeat=3))
