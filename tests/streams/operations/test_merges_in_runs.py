"""Runs with merges in them: their books, and the money of their files to the øre.

Books that begin behind a merge, which may be years old, are the same as those of one person who
never had another number.
"""

import asyncio
from collections import defaultdict
from typing import Any

import orjson
import pytest

from domain.basics.weeks import month_number
from domain.law.staircase import Law
from domain.oracle import reference
from projections.runs.completeness import findings
from streams.citizens.rule_sets import load_rule_set
from streams.ledger.cuts import cuts_of
from streams.ledger.export import Export, FileChoice
from streams.ledger.table import LedgerTable
from streams.operations.run_survey import RunTopics
from tests.properties.test_merges import in_the_journal
from tests.properties.test_run_files import MUNICIPALITIES, NAMES, key_of, read_files
from tests.streams.archive.conftest import ReaderFromOffsets
from tests.support.lines import payment
from tests.support.lives import RULES
from tests.support.merging import PARTITIONS, Merging, merging_settings
from tests.support.postings import ledger_of

FORMER, NEW, THIRD = "6101901357", "6101901365", "6101901360"
MONTH = "2024-07"
REPORTER = orjson.loads(payment())["reporter"]


@pytest.fixture
def new_world(tmp_path):
    made: list[Merging] = []

    def make(name):
        folder = tmp_path / name
        made.append(Merging(merging_settings(folder), folder))
        made[-1].state_keys()
        return made[-1]

    yield make
    for each in made:
        each.close()


def paid(cpr, report_id, month, amount_ore=1_000_000, place="730"):
    days = {"period_start": f"2024-{month:02}-01", "period_end": f"2024-{month:02}-28"}
    places = {"paying_municipality": place, "financing_municipality": place}
    return payment(cpr=cpr, report_id=report_id, atp_ore=0, amount_ore=amount_ore, **days, **places)


def taken_back(cpr, report_id):
    report = {"schema": 1, "type": "reversal", "report_id": f"R{report_id}", "cpr": cpr}
    report |= {"reporter": REPORTER, "reverses": report_id}
    return orjson.dumps(report | {"reported_at": "2024-09-01T08:00:00Z"})


def tell(world, *lines):
    for line in lines:
        world.publish([line])
        world.settle_all()


# --- the books ------------------------------------------------------------------------------------


class ReaderSince(ReaderFromOffsets):
    """A reader of the journal for whom a moment is a place: where the books begin."""

    def __init__(self, topics, begins):
        super().__init__(topics, topics.ends())
        self._begins = begins

    async def since(self, topic, moment):
        is_journal = topic.endswith("reports")
        return dict(self._begins) if is_journal else await super().since(topic, moment)


def surveyed(world, begins):
    async def asked():
        reader: Any = ReaderSince(world.topics, begins)
        runs = RunTopics(world.topics.settings, reader)
        last = await runs.last_run(lambda *_: None)
        law = Law(load_rule_set())
        return await runs.survey(law, last, month_number(MONTH), lambda *_: None)

    return asyncio.run(asked())


def books_of(world, begins):
    """All that the books say, in plain values, and the findings about control sums."""
    survey = surveyed(world, begins)
    books = survey.books
    off = [each for each in findings(books, month_number(MONTH)) if each.code == "control_sum"]
    names = ("received", "control", "months", "sent", "doubled", "repeated", "awaiting", "waiting")
    told = {name: getattr(books, name) for name in names}
    return {name: _without_nothing(value) for name, value in told.items()}, off


def _without_nothing(value):
    if not isinstance(value, dict):
        return value
    return {key: each for key, each in value.items() if each not in ([0, 0], {}, 0)}


def late_reports(former, new):
    """Reports come behind the merge: late, twice, with other contents, taken back by either."""
    return [
        paid(former, "L1", 3),
        paid(new, "L2", 4),
        paid(former, "L2", 4),
        paid(former, "L3", 5, 700_000),
        paid(new, "L3", 5, 900_000),
        taken_back(new, "L1"),
        paid(new, "L4", 6),
        taken_back(former, "L4"),
        paid(former, "L5", 7),
        paid(former, "L6", 7, 333_000, "751"),
    ]


@pytest.mark.parametrize("turned", [False, True], ids=["one way", "the other way"])
def test_books_that_begin_behind_a_merge_are_those_of_one_person(new_world, turned):
    """Whichever of the two partitions is read first."""
    former, new = (NEW, FORMER) if turned else (FORMER, NEW)
    found = []
    for name, numbers in (("several", (former, new)), ("one", (new, new))):
        world = new_world(name)
        tell(world, paid(numbers[0], "P1", 1), paid(numbers[1], "P2", 2))
        if name == "several":
            world.merge(former, new, "m")
        world.settle_all()
        begins = world.topics.ends()["reports"]
        world.close_run("2024-06")
        tell(world, *late_reports(*numbers))
        found.append(books_of(world, begins))
    (several, off), (one, _) = found
    assert off == []
    assert several == one
    assert several["control"]


def test_books_that_begin_behind_several_merges_follow_them_to_the_end(new_world):
    """The former number leads to the new one, and that to a third, before the books begin."""
    found = []
    for name, numbers in (("several", (FORMER, NEW, THIRD)), ("one", (THIRD,) * 3)):
        world = new_world(name)
        tell(world, *(paid(cpr, f"P{at}", at) for at, cpr in enumerate(numbers, 1)))
        if name == "several":
            world.merge(FORMER, NEW, "m")
            world.merge(NEW, THIRD, "n")
        world.settle_all()
        begins = world.topics.ends()["reports"]
        world.close_run("2024-06")
        tell(world, *late_reports(numbers[0], numbers[1]))
        found.append(books_of(world, begins))
    assert found[0] == found[1]


def test_books_that_begin_behind_a_merge_see_it_end(new_world):
    """Reports that come again then are reported and settled once more; no sum is off."""
    world = new_world("parted")
    tell(world, paid(FORMER, "P1", 1), paid(NEW, "P2", 2))
    world.merge(FORMER, NEW, "m")
    world.settle_all()
    begins = world.topics.ends()["reports"]
    world.close_run("2024-06")
    tell(world, *late_reports(FORMER, NEW)[:3])
    world.part(FORMER, NEW, "u")
    world.settle_all()
    tell(world, paid(FORMER, "L7", 7), paid(NEW, "L8", 7))
    _, off = books_of(world, begins)
    assert off == []


def test_copies_that_a_rebuild_makes_once_more_are_in_no_books(new_world, tmp_path):
    """Their sources are older than the books."""
    world = new_world("running")
    tell(world, paid(FORMER, "P1", 1), paid(NEW, "P2", 2))
    world.merge(FORMER, NEW, "m")
    tell(world, paid(FORMER, "late", 3))
    begins = world.topics.ends()["reports"]
    world.close_run("2024-06")
    tell(world, paid(NEW, "P4", 7))
    before = books_of(world, begins)
    anew = Merging(merging_settings(tmp_path / "anew"), tmp_path / "anew")
    try:
        anew.topics.of["reports"] = world.topics.of["reports"]
        anew.settle_all()
    finally:
        anew.close()
    world.settle_all()
    assert books_of(world, begins) == before


def test_a_report_that_is_still_to_go_on_waits(new_world):
    world = new_world("waiting")
    tell(world, paid(FORMER, "P1", 1), paid(NEW, "P2", 2))
    world.merge(FORMER, NEW, "m")
    world.settle_all()
    settled_to = world.topics.ends()["reports"]
    world.publish([paid(FORMER, "late", 3)])
    world.take_in()

    class Lagging(ReaderSince):
        async def committed(self, group):
            return settled_to if group.endswith("citizens") else await super().committed(group)

    async def asked():
        reader: Any = Lagging(world.topics, dict.fromkeys(settled_to, 0))
        runs = RunTopics(world.topics.settings, reader)
        return await runs.survey(Law(load_rule_set()), None, None, lambda *_: None)

    assert asyncio.run(asked()).books.waiting == 1


# --- the files ------------------------------------------------------------------------------------

RUNS = {49: "2024-01", 50: "2024-02", 51: "2024-03"}
EARLY = [paid((FORMER, NEW)[at % 2], f"P{at}", at, place="751" if at < 4 else "730")
         for at in range(1, 9)]  # fmt: skip
LATE = [paid(FORMER, "late", 9), taken_back(NEW, "P3"), paid(NEW, "last", 10, place="751")]


def truth(*persons):
    """The files of persons must add up to this: whose file, week, person, names, rates."""
    sums: defaultdict[tuple, int] = defaultdict(int)
    for cpr, lines in persons:
        reports = [in_the_journal({**orjson.loads(line), "cpr": cpr}) for line in lines]
        for row in reference.settle(reports, RULES).rows:
            sums[key_of(row, cpr)] += row["refusion_ore"] + row["medfinansiering_ore"]
    return {key: ore for key, ore in sums.items() if ore}


TWO = truth((FORMER, EARLY[1::2]), (NEW, EARLY[::2]))
ONE = truth((NEW, EARLY))
WITH_LATE = truth((NEW, [*EARLY, *LATE]))


def close(world, run):
    world.close_run(RUNS[run])


def merge_before_the_marker(world):
    world.merge(FORMER, NEW, "m")
    close(world, 50)


def merge_behind_the_marker(world):
    close(world, 50)
    world.merge(FORMER, NEW, "m")


def marker_in_the_midst(world):
    """The fence of the writers forbids it: then a run has one side, and the next the other."""
    world.merge(FORMER, NEW, "m", between=lambda: close(world, 50))


def merge_with_a_marker_before_it_is_settled(world):
    """One partition is far behind the other."""
    world.merge(FORMER, NEW, "m")
    world.settle_some(0, 2)
    close(world, 50)
    world.settle_some(2, 3)


ORDERS = {
    merge_before_the_marker: ONE,
    merge_behind_the_marker: TWO,
    marker_in_the_midst: None,
    merge_with_a_marker_before_it_is_settled: ONE,
}


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: order.__name__)
def test_files_of_runs_with_a_merge_are_right_to_the_ore(new_world, tmp_path, order):
    """Their sums until each run are those of two persons before the merge, of one behind it."""
    world = new_world("world")
    tell(world, *EARLY)
    close(world, 49)
    world.settle_all()
    order(world)
    world.settle_all()
    tell(world, *LATE)
    close(world, 51)
    world.settle_all()
    messages = world.topics.of["postings"]
    ledger_of(
        tmp_path / "ledger",
        *([orjson.loads(each.value) for each in messages[at]] for at in range(PARTITIONS)),
    )
    ledger = LedgerTable.open(str(tmp_path / "ledger"))
    found = {}
    for run in RUNS:  # the files of all runs until this one
        for code in MUNICIPALITIES:
            Export(world.topics.settings, ledger, cuts_of(ledger, run), run, NAMES).write(
                tmp_path / "files", FileChoice(code), lambda *_: None
            )
        found[run], by_account = read_files(tmp_path / "files")
        for code in MUNICIPALITIES:
            sums = [ore for key, ore in found[run].items() if key[0] == code]
            assert by_account[code] == sum(sums)
    assert found[49] == TWO
    assert ORDERS[order] in (found[50], None)
    assert found[51] == WITH_LATE
    assert TWO.keys() != ONE.keys(), "the merge moves rates"
    begins = dict.fromkeys(range(PARTITIONS), 0)
    assert books_of(world, begins)[1] == []
