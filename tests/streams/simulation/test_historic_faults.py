"""Faults that have happened, by name: each shows what catches it, and when."""

import io
import json
from collections import Counter
from functools import lru_cache
from itertools import pairwise
from typing import Any

import pytest

from domain.basics.weeks import first_day, month_number, month_of, month_text
from projections.runs.completeness import Thresholds, findings
from streams.offline.settle import settle
from streams.settings import Settings
from streams.simulation import HISTORIC, SimulationOptions, truth
from streams.simulation.arrival import deliveries
from streams.simulation.habits import DAY_SECONDS, EPOCH_DAY
from streams.simulation.historic import HISTORIES, LOST_MUNICIPALITY, NOT_SET_UP
from streams.simulation.lines import line
from streams.simulation.reporters import owner_of
from streams.wire.validator import Validator
from tests.support.lives import RULES
from tests.support.run_books import Journal

DEMO = Settings.load({"REFUSION_DEMO": "1"})


def asked(fault: str, citizens: int, months: str) -> SimulationOptions:
    first, _, last = months.partition("..")
    span = month_number(first), month_number(last)
    return SimulationOptions(citizens, *span, 5, None, frozenset({fault}), 1)


@lru_cache(maxsize=4)
def arrivals(options: SimulationOptions) -> list[tuple[int, str, Any]]:
    """Give all reports in the order of arrival, each with its time and citizen.

    Tests share those of one population.
    """
    found = [
        (at, number, cpr, report)
        for cpr, delivered in (deliveries(options, n) for n in range(options.citizens))
        for number, (at, report, _) in enumerate(delivered)
    ]
    found.sort(key=lambda each: each[:3])
    return [(at, cpr, report) for at, _, cpr, report in found]


def start_of(month: int) -> int:
    return (first_day(month) - EPOCH_DAY) * DAY_SECONDS


def held(arrived, month: str, **thresholds):
    """Give what holds the run of a month, closed when the next month is ten days old."""
    number = month_number(month)
    journal = Journal()
    for at, cpr, report in arrived:
        if at < start_of(number + 1) + 10 * DAY_SECONDS:
            journal.add(report, cpr)
    journal.closed()
    return [
        each
        for each in findings(journal.books, number, Thresholds(**thresholds))
        if each.code != "control_sum"
    ]


class Settled:
    """A population settled, with a run for each month."""

    def __init__(self, options: SimulationOptions) -> None:
        arrived = arrivals(options)
        lines: list[bytes] = []
        last = max(month_of(EPOCH_DAY + at // DAY_SECONDS) for at, *_ in arrived)
        cuts = [(start_of(month), month) for month in range(options.first_month + 1, last + 2)]
        for (since, _), (until, month) in pairwise([(0, 0), *cuts]):
            lines += [
                line(report, cpr, at).encode() for at, cpr, report in arrived if since <= at < until
            ]
            run = month - month_number("2020-01")
            marker = {"schema": 1, "type": "run", "run": run, "data_month": month_text(month - 1)}
            lines.append(json.dumps(marker | {"closed_at": "2024-01-01T00:00:00Z"}).encode())
        postings, rejects, notices = io.BytesIO(), io.BytesIO(), io.BytesIO()
        settle(lines, DEMO, 1, postings, rejects, notices)
        assert rejects.getvalue() == b""
        self.messages = [json.loads(text) for text in postings.getvalue().splitlines()]
        self.notices = [json.loads(text) for text in notices.getvalue().splitlines()]

    def codes(self) -> Counter[str]:
        return Counter(each["code"] for each in self.notices)

    def money_by_run(self) -> list[tuple[int, Counter[str]]]:
        """Give what is true at each cut, by benefit."""
        sums: Counter[str] = Counter()
        found = []
        for message in self.messages:
            if message.get("type") == "run":
                found.append((message["run"], Counter(sums)))
            for row in message.get("rows", ()):
                sums[row["benefit"]] += row["amount_ore"]
        return found


def usual(citizens: int, months: str) -> SimulationOptions:
    first, _, last = months.partition("..")
    span = month_number(first), month_number(last)
    return SimulationOptions(citizens, *span, 5, None, frozenset(), 1)


@pytest.mark.parametrize("fault", sorted(HISTORIC))
def test_every_line_is_valid_and_the_fault_is_there(fault):
    options = asked(fault, 250, "2015-06..2016-12")
    parse = Validator(RULES, demo=True).parse
    arrived = arrivals(options)
    for at, cpr, report in arrived:
        assert hasattr(parse(line(report, cpr, at).encode()), "report"), report
    if fault != "silent_reporter":  # few of these benefits were there in those years
        assert arrived != arrivals(usual(250, "2015-06..2016-12"))


def test_each_fault_has_its_name():
    assert set(HISTORIES) == HISTORIC


def test_double_channel_is_noticed_at_once_and_holds_the_run():
    options = asked("double_channel", 150, "2021-01..2021-03")
    kinds = [
        each["detail"]["kind"] for each in Settled(options).notices if "kind" in each["detail"]
    ]
    assert kinds
    assert set(kinds) == {"channel"}
    assert {each.code for each in held(arrivals(options), "2021-03")} == {"duplicate"}


def test_silent_reporter_holds_the_first_run_without_the_benefit():
    population = 1000, "2020-04..2020-12"  # half of the time is over on 16 August
    silent, without = arrivals(asked("silent_reporter", *population)), arrivals(usual(*population))
    lost = {
        month: {each.benefit for each in held(silent, month) if each not in held_without}
        for month in ("2020-07", "2020-08")
        for held_without in (held(without, month),)
    }
    assert not lost["2020-07"]
    assert lost["2020-08"]
    assert lost["2020-08"] <= NOT_SET_UP


def test_swapped_code_is_a_jump_and_its_correction_is_noticed():
    population = 700, "2020-04..2020-11"
    swapped, without = (
        {
            (each.reporter, each.benefit)
            for each in held(arrivals(options), "2020-09", jump_ore=20_000_00)
            if each.code == "jump"
        }
        for options in (asked("swapped_code", *population), usual(*population))
    )
    assert {benefit for _, benefit in swapped - without} == {"SDP-A", "SDP-B"}
    few = Settled(asked("swapped_code", 150, "2020-01..2020-12"))
    assert few.codes()["awaiting_reversal"] > 0


def test_mass_reopen_is_seen_to_the_ore_in_the_run_of_its_night():
    options = asked("mass_reopen", 200, "2021-01..2022-03")
    settled, plain = Settled(options), Settled(usual(200, "2021-01..2022-03"))
    before_by, after_by = (dict(each.money_by_run()) for each in (plain, settled))
    *earlier, of_night = sorted(after_by)
    assert all(after_by[run] == before_by[run] for run in earlier)
    was, now = before_by[of_night], after_by[of_night]
    taken = {code: now[code] - was[code] for code in now if now[code] != was[code]}
    assert taken
    assert set(taken) <= {"SDP-A", "SDP-B", "JAF-A", "JAF-B"}
    assert all(ore < 0 for ore in taken.values())
    night = [
        each for each in settled.messages if "/" in each.get("cause", "") and "-M" in each["cause"]
    ]
    assert {each["reason"] for each in night} == {"late_report"}
    assert sum(taken.values()) == sum(row["amount_ore"] for each in night for row in each["rows"])


def test_bulk_negative_that_takes_more_than_was_paid_is_noticed():
    assert Settled(asked("bulk_negative", 250, "2020-01..2020-12")).codes()["negative_net"] > 0


def test_missing_municipality_holds_the_run_until_its_reports_come():
    population = 1200, "2022-03..2022-06"
    arrived = arrivals(asked("missing_municipality", *population))
    without = held(arrivals(usual(*population)), "2022-06")
    lost = {each.reporter for each in held(arrived, "2022-06") if each not in without}
    assert lost
    assert {owner_of(reporter).code for reporter in lost} == {LOST_MUNICIPALITY}
    come = start_of(month_number("2022-07"))
    early = [(min(at, come), cpr, report) for at, cpr, report in arrived]
    assert held(early, "2022-06") == without


def test_legacy_on_new_is_noticed_with_the_referral():
    codes = Settled(asked("legacy_on_new", 400, "2020-01..2020-06")).codes()
    assert codes["flex_referral"] > 0


def test_split_reversal_has_the_money_twice_at_the_cut_and_the_next_run_sets_it_right():
    options = asked("split_reversal", 200, "2023-01..2023-04")
    settled = Settled(options)
    assert settled.codes()["awaiting_reversal"] > 0
    journal = Journal()
    cut = start_of(month_number("2023-04"))
    for at, cpr, report in arrivals(options):
        if at < cut:
            journal.add(report, cpr)
    journal.closed()
    assert sum(number for number, _ in journal.books.awaiting.values()) > 0
    expected: Counter[str] = Counter()
    for citizen in range(options.citizens):
        for (benefit, _), ore in truth(options, citizen).net_ore.items():
            expected[benefit] += ore
    runs = settled.money_by_run()
    standing = {benefit: ore for benefit, ore in runs[-1][1].items() if benefit != "FB"}
    on_staircase = {benefit: ore for benefit, ore in expected.items() if benefit in standing}
    assert standing == on_staircase
    assert sum(runs[2][1].values()) != sum(runs[3][1].values())
