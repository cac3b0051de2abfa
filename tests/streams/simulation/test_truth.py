"""The truth that a simulation tells is what the reference computation reads from its reports."""

import json
from collections import Counter, defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from domain.citizen.reports import Payment
from domain.oracle.payments import money_of_slices
from domain.oracle.reports import valid_payments
from streams.citizens.rule_sets import load_rule_set
from streams.simulation import truth
from streams.simulation.arrival import deliveries
from streams.simulation.lines import line
from tests.support.simulated_lines import odd_citizens, options

if TYPE_CHECKING:
    from datetime import date


def test_truth_agrees_with_the_reference_reading_the_published_lines():
    asked = options(3000, "2014-07..2019-12")
    for citizen in [*odd_citizens(asked), *range(150)]:
        cpr, sent = deliveries(asked, citizen)
        in_order = sorted(sent, key=lambda delivery: delivery.at)
        months, weeks = reference_nets(
            [json.loads(line(report, cpr, at)) for at, report, _ in in_order]
        )
        expected = truth(asked, citizen)
        assert expected.cpr == cpr
        assert {key: ore for key, ore in expected.net_ore.items() if ore} == months
        assert expected.touched_weeks == weeks


def reference_nets(reports: list[dict]) -> tuple[dict, dict]:
    """Net by benefit and month, and the touched weeks of each benefit, as the reference finds
    them.
    """
    months: Counter[tuple[str, str]] = Counter()
    weeks: Counter[tuple[str, date]] = Counter()
    for found in money_of_slices(valid_payments(reports), load_rule_set()):
        if found.kind != "outside":
            months[found.benefit, found.slice.month] += found.amount_ore
            weeks[found.benefit, found.slice.week] += found.amount_ore
    touched = defaultdict(set)
    for (benefit, week), ore in weeks.items():
        if ore > 0:
            touched[benefit].add(week)
    return {key: ore for key, ore in months.items() if ore}, dict(touched)


def test_truth_of_a_two_channel_payment_is_paid_twice():
    asked = options(3000, "2023-01..2024-12", faults=frozenset({"two_channels"}))
    sent = ((n, report) for n in range(asked.citizens) for _, report, _ in deliveries(asked, n)[1])
    citizen, other = next(
        (n, r) for n, r in sent if isinstance(r, Payment) and r.report_id.endswith("-D")
    )
    plain = truth(replace(asked, faults=frozenset()), citizen)
    doubled = truth(asked, citizen)
    more = {
        key: ore - plain.net_ore[key]
        for key, ore in doubled.net_ore.items()
        if ore != plain.net_ore[key]
    }
    assert sum(more.values()) == other.amount_ore - (other.atp_ore if other.benefit == "ADP" else 0)
    assert doubled.touched_weeks == plain.touched_weeks
