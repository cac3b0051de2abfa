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
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from functools import cache

import pytest

from domain.basics.weeks import day_text, month_number
from domain.citizen.reports import CaseFact, Payment, Reversal
from domain.oracle.payments import money_of_slices
from domain.oracle.reports import valid_payments
from streams.citizens.rule_sets import load_rule_set
from streams.simulation import FAULTS, SimulationOptions, simulate, truth
from streams.simulation.arrival import deliveries
from streams.simulation.chance import generator, happens
from streams.simulation.drafts import ArrivingReport
from streams.simulation.extraordinary import STORIES
from streams.simulation.habits import DAY_SECONDS, EPOCH_DAY
from streams.simulation.lines import line
from streams.simulation.lives import MOST_CITIZENS
from streams.simulation.reporters import INHABITANTS, UNEMPLOYMENT_FUNDS, owner_of
from streams.wire.outcomes import Accepted
from streams.wire.validator import Validator
from tests.support.places import ROOT

ORDINARY = FAULTS - {"extraordinary"}


def options(citizens: int, months: str, seed: int = 7, **more) -> SimulationOptions:
    first, _, last = months.partition("..")
    return SimulationOptions(
        citizens, month_number(first), month_number(last), seed, **{"jobs": 1, **more}
    )


def output(asked: SimulationOptions) -> bytes:
    out = io.BytesIO()
    assert simulate(asked, out) == out.getvalue().count(b"\n")
    return out.getvalue()


@cache
def validator() -> Validator:
    return Validator(load_rule_set(), demo=True)


@cache
def usual_reports() -> tuple[tuple[str, tuple[ArrivingReport, ...]], ...]:
    """Two years of 2,000 ordinary citizens."""
    asked = options(2000, "2023-01..2024-12", faults=ORDINARY)
    return tuple(
        (cpr, tuple(sent))
        for cpr, sent in (deliveries(asked, citizen) for citizen in range(asked.citizens))
    )


def usual_payments() -> Iterator[tuple[int, Payment]]:
    """The payments that upstream meant to send, and when they arrive: without what its habits
    added.
    """
    for _, sent in usual_reports():
        seen = set()
        for at, report, _ in sent:
            number = report.report_id
            if isinstance(report, Payment) and number.count("-") == 2 and number not in seen:
                seen.add(number)
                yield at, report


def odd_citizens(asked: SimulationOptions) -> list[int]:
    """The citizens whose first draw makes them extraordinary."""
    return [n for n in range(asked.citizens) if happens(generator(asked.seed, n, "life"), 1)]


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


# Like Denmark

FULL_YEAR_PERSONS = {
    "FPN FPG": 250, "FLT FLS": 90, "ADP AMY": 87, "SDP-A SDP-B": 75, "KTH KNY": 62, "UDH": 35,
    "JAF-A JAF-B": 18,
    "SHO OVG": 15, "LY": 14, "RFY": 12, "SNP": 28, "SU": 300, "BDP": 55,
}  # fmt: skip


def test_shares_are_near_denmarks():
    asked = options(20_000, "2022-03..2022-04", faults=frozenset())
    days = Counter(dict.fromkeys(load_rule_set().benefits, 0))
    for citizen in range(asked.citizens):
        for _, report, _ in deliveries(asked, citizen)[1]:
            if isinstance(report, Payment):
                days[report.benefit] += report.end - report.start + 1
    for codes, thousands in FULL_YEAR_PERSONS.items():
        simulated = sum(days[code] for code in codes.split()) / 61 / asked.citizens * 1400
        assert simulated == pytest.approx(thousands, rel=0.08, abs=4), codes


def test_shares_hold_through_ten_years():
    asked = options(1500, "2015-01..2024-12", faults=frozenset())
    of_year: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for citizen in range(asked.citizens):
        for _, report, _ in deliveries(asked, citizen)[1]:
            if isinstance(report, Payment):
                of_year[day_text(report.end)[:4]][report.benefit] += report.end - report.start + 1
    for code, thousands in (("SU", 300), ("FLT", 84), ("ADP", 86), ("BDP", 55)):
        for year in of_year.values():
            assert year[code] / 365 / asked.citizens * 1400 == pytest.approx(thousands, rel=0.25), (
                code
            )


def test_a_citizen_has_one_to_one_and_a_half_reports_a_month():
    reports = sum(len(sent) for _, sent in usual_reports())
    assert 1.0 <= reports / 2000 / 24 <= 1.4


# Upstream's habits


def test_reports_are_late_by_months_and_by_years():
    waits = [at // DAY_SECONDS + EPOCH_DAY - report.end for at, report in usual_payments()]
    assert sum(29 <= wait <= 156 for wait in waits) / len(waits) == pytest.approx(0.17, abs=0.012)
    assert sum(wait > 300 for wait in waits) / len(waits) == pytest.approx(0.01, abs=0.003)


def test_the_share_of_late_reports_can_be_chosen():
    asked = options(400, "2024-01..2024-12", faults=ORDINARY, late=0.5)
    sent = [
        d for n in range(400) for d in deliveries(asked, n)[1] if d.report.report_id.count("-") == 2
    ]
    late = [
        d
        for d in sent
        if isinstance(d.report, Payment) and d.at // DAY_SECONDS + EPOCH_DAY - d.report.end > 28
    ]
    assert len(late) / len(sent) == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize(
    ("suffix", "share"), [("-R", 0.02), ("-N", 0.02), ("-T", 0.01), ("-D", 0.001)]
)
def test_shares_of_what_befalls_payments(suffix, share):
    payments = sum(1 for _ in usual_payments())
    befallen = sum(d.report.report_id.endswith(suffix) for _, sent in usual_reports() for d in sent)
    assert befallen / payments == pytest.approx(share, rel=0.35)


def test_share_of_second_deliveries():
    numbers = [(cpr, d.report.report_id) for cpr, sent in usual_reports() for d in sent]
    twice = len(numbers) - len(set(numbers))
    assert twice / sum(1 for _ in usual_payments()) == pytest.approx(0.01, rel=0.35)


@pytest.mark.parametrize("seed", [7, 8])
def test_one_in_a_hundred_is_extraordinary(seed):
    assert len(odd_citizens(options(20_000, "2024-01..2024-12", seed))) / 20_000 == pytest.approx(
        0.01, rel=0.25
    )
    assert len(STORIES) >= 12


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
