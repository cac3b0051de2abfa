"""The simulated population: the same bytes anywhere, valid reports, Denmark's shares, upstream's
habits.
"""

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import date

import pytest

from domain.basics.weeks import first_day, month_number
from domain.citizen.reports import CaseFact, Payment, Reversal
from domain.oracle.payments import money_of_slices
from domain.oracle.reports import valid_payments
from streams.citizens.rule_sets import load_rule_set
from streams.simulation import FAULTS, simulate, truth
from streams.simulation.arrival import deliveries
from streams.simulation.lines import line
from streams.simulation.lives import MOST_CITIZENS
from streams.simulation.reporters import INHABITANTS, UNEMPLOYMENT_FUNDS, owner_of
from streams.wire.outcomes import Accepted
from tests.support.places import ROOT
from tests.support.simulated import odd_citizens, options, output, usual_reports, validator

# The same everywhere


def test_a_small_run_is_known_to_the_byte():
    digest = hashlib.sha256(output(options(60, "2019-11..2021-02", seed=1))).hexdigest()
    assert digest == "fc621b7a516cfafe31e0e69a5abc4495466782051f1393a9292ce20093a3e88f"


@pytest.mark.parametrize("jobs", [2, 3])
def test_the_number_of_processes_cannot_be_seen(jobs):
    asked = options(700, "2024-01..2025-12")
    assert output(replace(asked, jobs=jobs)) == output(asked)


def test_another_seed_gives_another_population():
    assert output(options(20, "2024-01..2024-06", seed=1)) != output(
        options(20, "2024-01..2024-06", seed=2)
    )


def test_citizens_do_not_depend_on_how_many_there_are():
    few, many = options(10, "2024-01..2024-06"), options(1000, "2024-01..2024-06")
    assert [deliveries(few, n) for n in range(10)] == [deliveries(many, n) for n in range(10)]


def payments_in(sent):
    return [report for _, report, _ in sent if isinstance(report, Payment)]


def first_payments(**more):
    """The month of each citizen's first payment."""
    asked = options(1500, "2020-01..2023-12", faults=frozenset(), **more)
    return [
        min(starts) // 31
        for _, sent in (deliveries(asked, number) for number in range(asked.citizens))
        if (starts := [paid.start - first_day(asked.first_month) for paid in payments_in(sent)])
    ]


def test_with_seasons_more_people_come_in_winter_and_some_later():
    usual, seasons = first_payments(), first_payments(seasons=True)
    late, later = (sum(month >= 12 for month in found) for found in (usual, seasons))
    assert later > late * 1.3
    winter, summer = (
        sum(month >= 12 and month % 12 in chosen for month in seasons)
        for chosen in ((10, 11, 0, 1), (4, 5, 6, 7))
    )
    assert winter > summer * 1.3


# Valid


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
            contents[report.report_id].add(report._replace(reported=0))
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


# Upstream's habits


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


# Truth by construction


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


# The program around it


def test_progress_counts_citizens_up_to_all():
    told: list[int] = []
    simulate(options(250, "2024-01..2024-03"), io.BytesIO(), told.append)
    assert told == sorted(told)
    assert told[-1] == 250


def test_nobody_has_no_reports():
    assert output(options(0, "2024-01..2024-01")) == b""


@pytest.mark.parametrize("jobs", [1, 2])
def test_the_temporary_folder_goes_when_the_run_is_broken_off(jobs, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def interrupt(_: int) -> None:
        assert list(tmp_path.iterdir())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(options(200, "2024-01..2024-03", jobs=jobs), io.BytesIO(), interrupt)
    assert not list(tmp_path.iterdir())


def test_ctrl_c_leaves_neither_files_nor_processes(tmp_path):
    program = (
        "import sys; from streams.simulation import *; from domain.basics.weeks import"
        " month_number as m;"
        "simulate(SimulationOptions(100000, m('2015-01'), m('2024-12'), 1, jobs=2),"
        " sys.stdout.buffer)"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    running = subprocess.Popen(
        [sys.executable, "-c", program],
        env=environment, start_new_session=True, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
    )  # fmt: skip
    deadline = time.monotonic() + 30
    while not any(tmp_path.glob("*/*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(running.pid, signal.SIGINT)
    assert running.wait(30) != 0
    assert not list(tmp_path.iterdir())
    with pytest.raises(ProcessLookupError):
        os.killpg(running.pid, 0)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"citizens": -1}, "citizens"),
        ({"citizens": MOST_CITIZENS + 1}, "citizens"),
        ({"first_month": month_number("2014-06")}, "2014-07"),
        ({"last_month": month_number("2014-01")}, "months"),
        ({"late": 1.5}, "late"),
        ({"faults": frozenset({"gremlins"})}, "gremlins"),
    ],
)
def test_impossible_options_are_refused_with_a_sentence(wrong, said):
    with pytest.raises(ValueError, match=said):
        replace(options(1, "2024-01..2024-12"), **wrong)


def test_the_last_possible_citizen_has_a_number():
    cpr, _ = deliveries(options(MOST_CITIZENS, "2024-01..2024-01"), MOST_CITIZENS - 1)
    assert date(2000, int(cpr[2:4]), int(cpr[:2]) - 60)
