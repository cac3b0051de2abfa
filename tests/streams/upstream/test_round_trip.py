"""A simulated population settles to the same amounts through its answers of eIndkomst."""

import io
import json
import re
from collections import Counter
from typing import Any

import pytest

from domain.basics.weeks import month_number
from streams.offline.settle import settle
from streams.settings import Settings
from streams.simulation import FAULTS, HISTORIC, SimulationOptions, simulate
from streams.upstream.conversion import AnswerConversion
from streams.upstream.simulated_answers import AnswerWriter
from streams.upstream.tables import UpstreamTables

DEMO = Settings.load({"REFUSION_DEMO": "1"})


def true_sums(lines):
    postings = io.BytesIO()
    settle(lines, DEMO, 1, postings)
    sums: Counter[Any] = Counter()
    for line in postings.getvalue().splitlines():
        message = json.loads(line)
        for row in message["rows"]:
            place = (message["citizen"], row["month"], row["week"], row["benefit"], row["rate"])
            for name in ("amount_ore", "refusion_ore", "medfinansiering_ore"):
                sums[*place, row["paying"], row["financing"], name] += row[name]
    return {place: ore for place, ore in sums.items() if ore}


def simulated(citizens, seed, months, faults):
    first, _, last = months.partition("..")
    plain = io.BytesIO()
    span = month_number(first), month_number(last)
    simulate(SimulationOptions(citizens, *span, seed, None, faults, 1), plain)
    return plain.getvalue().splitlines()


def round_trip(folder, lines, *, joins):
    """Write the answers of reports, convert them, and compare what is true of both."""
    AnswerWriter(folder, joins=joins).write(lines)
    out = io.BytesIO()
    conversion = AnswerConversion(DEMO, UpstreamTables(folder), out, None)
    conversion.convert([str(folder)])
    summary = conversion.totals.as_object()
    assert summary["rejects"] == {}
    assert summary["difference_ore"] == 0
    assert true_sums(out.getvalue().splitlines()) == true_sums(lines)
    return summary


@pytest.mark.parametrize(
    ("seed", "months", "joins"), [(3, "2015-11..2016-06", True), (4, "2025-04..2025-12", False)]
)
def test_a_population_settles_to_the_same_amounts(tmp_path, seed, months, joins):
    lines = simulated(40, seed, months, FAULTS)
    summary = round_trip(tmp_path, lines, joins=joins)
    assert summary["reports"]["reversal"] > 0
    several = summary["blankets"]["16300"] > summary["blankets"]["16000"]
    assert several == joins


RARE = {
    "legacy_on_new": (400, 5, "2020-01..2020-06"),
    "missing_municipality": (300, 5, "2022-05..2022-06"),
}
"""Populations in which faults are found that few citizens have."""


FIELD = "{:03d}</BlanketFeltNummerIdentifikator><AngivelseFeltIndholdTekst>{}"
ID = re.compile("<AngivelseVirksomhedEgenIdentifikator>([^<]+)<")


def test_answers_show_atp_marks_and_second_periods_beside_what_stands(tmp_path):
    """The tests of ids hold that none is taken for another."""
    round_trip(tmp_path, simulated(120, 3, "2015-11..2016-06", FAULTS), joins=True)
    found: Counter[str] = Counter()
    for path in sorted(tmp_path.glob("answer-*.xml")):
        for person in path.read_text().split("<IndkomstOplysningPersonStruktur>")[1:]:
            found["second periods"] += max(Counter(ID.findall(person)).values()) > 1
            for own in person.split("<LoenPeriodeOplysningStruktur>")[1:]:
                groups = own.split(">16000<")[1:]
                has_atp = [FIELD.format(199, "0.00") not in each for each in groups]
                is_marked = [FIELD.format(21, "1<") in each for each in groups]
                found["ATP beside others"] += len(groups) > 1 and any(has_atp)
                found["marks beside others"] += any(is_marked) and not all(is_marked)
    wanted = ("second periods", "ATP beside others", "marks beside others")
    assert all(found[name] for name in wanted), found


@pytest.mark.long
@pytest.mark.parametrize("fault", sorted(HISTORIC))
def test_a_fault_that_has_happened_is_the_same_through_answers(tmp_path, fault):
    population = RARE.get(fault, (60, 5, "2018-01..2019-06"))
    lines = simulated(*population, frozenset({fault}))
    without = simulated(*population, frozenset())
    assert sorted(lines) != sorted(without), "the population does not show the fault"
    summary = round_trip(tmp_path, lines, joins=True)
    answers = "".join(path.read_text() for path in sorted(tmp_path.glob("answer-*.xml")))
    if fault in ("mass_reopen", "bulk_negative"):  # difference amounts
        assert ">-" in answers
    if fault in ("swapped_code", "split_reversal"):  # reported anew, and reversed later
        assert summary["reports"]["reversal"] > 0


@pytest.mark.long
@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_a_usual_fault_alone_is_the_same_through_answers(tmp_path, fault):
    round_trip(tmp_path, simulated(40, 7, "2023-01..2023-12", frozenset({fault})), joins=True)


def test_a_report_anew_comes_before_the_reversal_of_the_old_one(tmp_path):
    lines = simulated(40, 5, "2019-01..2019-06", frozenset({"split_reversal"}))
    summary = round_trip(tmp_path, lines, joins=True)
    assert summary["reports"]["reversal"] > 0
    reversed_in: dict[str, str] = {}
    anew_in: dict[str, str] = {}
    for path in sorted(tmp_path.glob("answer-*.xml")):
        for own in path.read_text().split("<AngivelseVirksomhedEgenIdentifikator>")[1:]:
            report_id = own.partition("<")[0]
            if "Tekst>T<" in own:
                reversed_in[report_id] = path.name
            elif report_id.endswith("-S"):
                anew_in[report_id.removesuffix("-S")] = path.name
    assert anew_in
    assert all(anew_in[old] < reversed_in[old] for old in reversed_in if old in anew_in)
