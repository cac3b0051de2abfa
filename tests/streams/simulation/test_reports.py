"""The reports of a simulated population are valid, and come as upstream would send them."""

import json
from collections import defaultdict
from dataclasses import replace

import pytest

from domain.citizen.reports import CaseFact, Payment, Reversal
from streams.citizens.rule_sets import load_rule_set
from streams.simulation import FAULTS
from streams.simulation.arrival import deliveries
from streams.simulation.lines import line
from streams.simulation.reporters import INHABITANTS, UNEMPLOYMENT_FUNDS, owner_of
from streams.wire.outcomes import Accepted
from tests.support.simulated_lines import odd_citizens, options, output, usual_reports, validator


@pytest.mark.parametrize(
    "months", ["2014-07..2016-12", "2019-06..2022-03", "2025-01..2025-12", "2016-02..2016-02"]
)
def test_every_line_is_accepted(months):
    for text in output(options(400, months)).splitlines():
        assert isinstance(validator().parse(text), Accepted), text


@pytest.mark.parametrize("months", ["2014-07..2018-06", "2019-09..2025-12"])
def test_every_extraordinary_history_is_accepted_and_read_back_as_it_was_meant(months):
    asked = options(20_000, months)
    for citizen in odd_citizens(asked):
        cpr, sent = deliveries(asked, citizen)
        for at, report, _ in sent:
            parsed = validator().parse(line(report, cpr, at).rstrip().encode())
            assert isinstance(parsed, Accepted), (report, parsed)
            assert parsed.cpr == cpr
            assert parsed.report == report


def test_every_story_can_be_told_in_a_window_of_one_month():
    asked = options(20_000, "2025-06..2025-06")
    for citizen in odd_citizens(asked):
        cpr, sent = deliveries(asked, citizen)
        assert all(
            isinstance(validator().parse(line(r, cpr, at).rstrip().encode()), Accepted)
            for at, r, _ in sent
        )


def test_reports_come_in_the_order_of_arrival():
    times = [
        json.loads(text)["reported_at"]
        for text in output(options(300, "2024-01..2024-12")).splitlines()
    ]
    assert times == sorted(times)
    assert len(times) > 3000


def test_numbers_are_fictive_unique_and_never_in_a_report_id():
    cprs = [cpr for cpr, _ in usual_reports()]
    assert len(set(cprs)) == len(cprs)
    for cpr, sent in usual_reports():
        assert 61 <= int(cpr[:2]) <= 91
        assert not any(cpr in delivery.report.report_id for delivery in sent)


def test_a_report_id_belongs_to_one_report_of_a_citizen():
    for _, sent in usual_reports():
        contents = defaultdict(set)
        for _, report, _ in sent:
            contents[report.report_id].add(report[:-1])
        assert all(len(same) == 1 for same in contents.values())


def test_every_reporter_belongs_to_a_municipality_a_fund_or_udbetaling_danmark():
    assert set(INHABITANTS) == set(load_rule_set().municipalities)
    funds = set()
    for _, report, _ in (delivery for _, sent in usual_reports() for delivery in sent):
        owner = owner_of(report.reporter)
        funds |= {owner.code} if owner.kind == "a-kasse" else set()
        if isinstance(report, Payment) and owner.kind == "municipality":
            assert report.paying == owner.code
    assert len(funds) == UNEMPLOYMENT_FUNDS
    with pytest.raises(ValueError, match="not a reporter"):
        owner_of("29189668")


def test_without_faults_everything_is_on_time_and_stands():
    asked = options(300, "2024-01..2024-12", faults=frozenset())
    sent = [delivery for citizen in range(300) for delivery in deliveries(asked, citizen)[1]]
    assert all(delivery.stands for delivery in sent)
    assert all(delivery.report.report_id.count("-") == 2 for delivery in sent)
    assert not any(isinstance(delivery.report, CaseFact | Reversal) for delivery in sent)


def test_case_facts_can_be_left_out_of_ordinary_and_extraordinary_lives():
    asked = options(40_000, "2015-01..2016-12")
    plain = replace(asked, faults=FAULTS - {"facts"})
    citizens = [*odd_citizens(asked), *range(300)]
    with_facts, without = (
        [r for n in citizens for _, r, _ in deliveries(o, n)[1]] for o in (asked, plain)
    )
    assert len({r.fact for r in with_facts if isinstance(r, CaseFact)}) == 6
    assert not any(isinstance(r, CaseFact) for r in without)
