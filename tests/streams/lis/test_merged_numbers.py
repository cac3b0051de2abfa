"""The views of LIS show merged numbers as the one person that they are."""

from dataclasses import replace

import orjson
import pytest

from domain.basics.weeks import month_number
from projections.lis.questions import LisQuestion
from streams.lis.inquiry import ask
from streams.lis.marts import open_marts
from streams.wire.control_records import run_of
from tests.properties.test_lis import built
from tests.support.lines import payment
from tests.support.lives import RULES
from tests.support.merging import PARTITIONS, Merging, merging_settings
from tests.support.postings import ledger_of

FORMER, NEW = "6101901357", "6101901365"
TELLING = 6
"""Columns of an answer that say what is true; others tell how much of it was corrected."""
MONTHS = range(1, 9)
YEAR = month_number("2024-01") - 1
VIEWS = ("beloeb", "udgifter", "personer", "anciennitet", "genoptjening", "paa-vej-ned")


def paid(cpr, month):
    days = {"period_start": f"2024-{month:02}-01", "period_end": f"2024-{month:02}-28"}
    return payment(cpr=cpr, report_id=f"P{month}", atp_ore=0, **days)


def answers(stages, folder, runs=()):
    """Asks the views what they know now, and as of runs, from the marts of these postings."""
    records = stages.topics.of["postings"]
    ledger_of(
        folder / "ledger",
        *([orjson.loads(each.value) for each in records[at]] for at in range(PARTITIONS)),
    )
    built(folder)
    with open_marts(str(folder / "lis")) as marts:

        def asked(view, run):
            month = "2024-01" if view == "personer" else None
            question = LisQuestion(view, "730", month)
            if run is not None:
                question = replace(question, run=run, based_on="of")
            rows = ask(marts, RULES, question, str(folder / "ledger"), {}).rows
            return [row[:TELLING] for row in rows]

        return {(view, run): asked(view, run) for run in (None, *runs) for view in VIEWS}


@pytest.fixture
def stages(tmp_path):
    made: list[Merging] = []

    def make(name):
        folder = tmp_path / name / "state"
        made.append(Merging(merging_settings(folder), folder))
        made[-1].state_keys()
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.mark.long
@pytest.mark.parametrize("merged_before", [2, 5])
def test_figures_are_those_of_one_person_whenever_the_numbers_are_merged(
    stages, tmp_path, merged_before
):
    """Half of the months are reported for the former number, also after the merge.

    As of the run before the merge they are those of two persons, now and as of a run behind it
    those of one.
    """
    names = ("several", "apart", "one")
    worlds = {name: stages(name) for name in names}
    for month in MONTHS:
        for name, each in worlds.items():
            each.publish([paid(NEW if name == "one" else (FORMER, NEW)[month % 2], month)])
            each.settle_all()
            if month in {merged_before - 1, merged_before, MONTHS[-1]}:
                each.close_run(f"2024-{month:02}")
        if month == merged_before:
            worlds["several"].merge(FORMER, NEW, "m")
        for each in worlds.values():
            each.settle_all()
    before, after = run_of(month_number(f"2024-{merged_before:02}")), run_of(MONTHS[-1] + YEAR)
    found, apart, one = (answers(worlds[name], tmp_path / name, (before, after)) for name in names)
    assert len(found["paa-vej-ned", None]) == 1
    for view in VIEWS:
        for run, expected in ((None, one), (after, one), (before, apart)):
            assert set(found[view, run]) == set(expected[view, run]), (view, run)
    assert found["beloeb", before], "a run before the merge knows two persons"
    assert apart["anciennitet", after] != one["anciennitet", after]
