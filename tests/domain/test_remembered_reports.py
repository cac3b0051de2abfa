"""The memory of a citizen's reports: what came again, was freed, or is doubtful beside others."""

from dataclasses import replace

import orjson
import pytest

from domain.citizen.aggregate import is_what_was_freed
from domain.citizen.recalculation import fold_lines
from domain.citizen.records import FREED, SeenReport
from domain.citizen.reports import Freeing, content_digest, line_digest, line_of
from domain.citizen.state import Citizen, Head
from domain.law.counters import Window, extend_resets_at_benefit
from domain.law.staircase import Law
from streams.citizens.rule_sets import load_rule_set
from streams.citizens.store_port import MemoryStore
from tests.support import product
from tests.support.lives import RULES
from tests.support.noticing import HEAD, noticed, payment, reversal


def report_of(published):
    return tuple(product.record_of(published))[2]


def income(report_id, kind, start="2024-01-01", end="2024-01-31"):
    body = {"type": "income", "report_id": report_id, "kind": kind, "pension_ore": 0}
    return HEAD | body | {"period_start": start, "period_end": end, "amount_ore": 500_000}


def test_a_report_of_the_time_before_counting_is_known_again_by_its_content():
    """It has no line in the state, only a digest."""
    old = income("W1", "wage", "2014-05-01", "2014-05-31")
    first, again, other = product.outcomes([old, old, old | {"amount_ore": 1}])
    assert (first.refused, again.refused, other.refused) == ("", "", "conflicting_duplicate")
    assert again.notices == []


@pytest.mark.parametrize(
    "digest", [content_digest, lambda report: line_digest(line_of(report, False))]
)
def test_a_freed_report_is_not_believed_when_it_comes_again(digest):
    freed = report_of(payment())
    seen = SeenReport(FREED, False, digest(freed))
    assert is_what_was_freed(seen, freed)
    assert not is_what_was_freed(seen, report_of(payment(amount_ore=2)))


def test_a_reversals_id_is_not_freed_and_the_reports_after_it_are_taken():
    law = product.law()
    reports = [report_of(reversal("P0")), Freeing("F", "", "12345678", "R1"), report_of(payment())]
    citizen = Citizen("c", MemoryStore(), law)
    fold_lines(law, citizen, reports)
    (part,) = citizen.all_parts()
    assert [line.report_id for line in part.lines] == ["P1"]


def test_a_head_read_again_is_settled_by_the_law_that_settled_it():
    law = product.law()
    assert Head.decode(law, Head(law).encode()).law is law
    assert Head.decode(Law(load_rule_set("R-2")), Head(law).encode()).law is None


@pytest.mark.parametrize("outside_act", [False, True])
def test_money_of_a_benefit_is_seen_inside_and_outside_the_act(outside_act):
    store = MemoryStore()
    report = payment(outside_act=outside_act, financing_municipality="730")
    product.settle_all([report], store)
    citizen = product.state_of(store, report["cpr"])
    assert citizen.has_money_of({"KTH"})
    assert not citizen.has_money_of({"SU", "KTH!"})


def test_benefit_weeks_in_a_time_that_was_busy_already_move_the_counters():
    """Money of 2015 gives no row, so that the counters alone are told."""
    year = {"start": "2015-03-02", "end": "2015-03-29"}
    busy, counted = product.outcomes(
        [payment("P1", benefit="SU", paying_municipality=None, **year), payment("P2", **year)]
    )
    assert busy.posting is not None
    assert counted.posting is not None
    message = orjson.loads(counted.posting)
    assert (message["rows"], message["counters"]["seniority"]) == ([], 4)


def test_a_case_is_old_by_an_earlier_payment_alone():
    """The benefit took no new case after June 2026: a later payment makes none old."""
    law = Law(load_rule_set("R-2"))
    months = [("P1", "2026-09"), ("P2", "2026-08"), ("P3", "2026-10")]
    reports = [
        payment(name, f"{month}-01", f"{month}-28", benefit="RFY",
                reported_at="2026-12-01T08:00:00Z")
        for name, month in months
    ]  # fmt: skip
    notices = product.settle_all(reports, settled_by=law).notices
    closed = [each["cause"][-2:] for each in notices if each["code"] == "closed_to_new"]
    assert closed == ["P1", "P2"]


def test_the_last_day_that_is_near_enough_is_so_beside_other_reports_too():
    first = payment("P1", amount_ore=1)
    report = payment("P2", "2024-01-10", "2024-01-31", reported_at="2023-11-30T08:00:00Z")
    late = report | {"report_id": "P3", "reported_at": "2023-11-29T08:00:00Z", "amount_ore": 5}
    codes = [notice for notice in noticed(first, report, late) if notice[0] == "future_period"]
    assert codes == [("future_period", "P3")]


def test_weeks_earned_begin_at_the_benefit_week_after_a_new_start():
    """Two weeks of self-support are needed: weeks 1 and 3 make week 3 a new start.

    From week 4 on week 5 alone is earned, so that week 6 makes no other one.
    """
    weeks = 1 << 0 | 1 << 2 | 1 << 4 | 1 << 6
    window = Window(replace(RULES.reset, self_support_weeks=2))
    assert extend_resets_at_benefit(window, weeks, weeks, [], -1, 7) == [3]
