"""The views of LIS show merged numbers as the one person that they are."""

import orjson
import pytest

from projections.lis.questions import LisQuestion
from streams.lis.inquiry import ask
from streams.lis.marts import open_marts
from tests.properties.test_lis import built
from tests.support.lines import payment
from tests.support.lives import RULES
from tests.support.merging import PARTITIONS, Merging, merging_settings
from tests.support.postings import ledger_of

FORMER, NEW = "6101901357", "6101901365"
TELLING = 6
"""Columns of an answer that say what is true; others tell how much of it was corrected."""
MONTHS = range(1, 9)
VIEWS = ("beloeb", "udgifter", "personer", "anciennitet", "genoptjening", "paa-vej-ned")


def paid(cpr, month):
    days = {"period_start": f"2024-{month:02}-01", "period_end": f"2024-{month:02}-28"}
    return payment(cpr=cpr, report_id=f"P{month}", atp_ore=0, **days)


def answers(stages, folder):
    """Asks the views what they know, from the marts of these postings."""
    records = stages.topics.of["postings"]
    ledger_of(
        folder / "ledger",
        *([orjson.loads(each.value) for each in records[at]] for at in range(PARTITIONS)),
    )
    built(folder)
    with open_marts(str(folder / "lis")) as marts:
        return {
            view: ask(
                marts, RULES, LisQuestion(view, "730", "2024-08" if view == "personer" else None),
                str(folder / "ledger"), {},
            ).rows
            for view in VIEWS
        }  # fmt: skip


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
    """Half of the months are reported for the former number, also after the merge."""
    several, one = stages("several"), stages("one")
    for month in MONTHS:
        several.publish([paid((FORMER, NEW)[month % 2], month)])
        one.publish([paid(NEW, month)])
        for each in (several, one):
            each.settle_all()
            if month in {merged_before - 1, merged_before, MONTHS[-1]}:
                each.close_run(f"2024-{month:02}")
        if month == merged_before:
            several.merge(FORMER, NEW, "m")
        for each in (several, one):
            each.settle_all()
    found, expected = answers(several, tmp_path / "several"), answers(one, tmp_path / "one")
    assert len(found["paa-vej-ned"]) == 1
    for view in VIEWS:
        told = {row[:TELLING] for row in found[view]}
        assert told == {row[:TELLING] for row in expected[view]}, view
