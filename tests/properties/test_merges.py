"""Numbers that are merged are one person, and those that are parted again are two.

Reports for three numbers come in any order, with reversals, repetitions and conflicts, ids that
two numbers have, ids that are freed, and opening rows, while the numbers are merged, parted and
merged again; partitions lag behind as far as they like. In the end each person has what the
reference computes from the reports of all of their numbers, and no merge is refused that would lose
nothing.
"""

import random
import re
from datetime import date, timedelta
from typing import Any

import orjson
import pytest

from domain.oracle import reference
from domain.oracle.reports import valid_reports
from streams.citizens.refold import postings_again
from streams.citizens.rule_sets import LawBook
from streams.operations.merge_past import MergeError
from streams.wire import journal
from tests.properties.defects_of_merging import SEEDS_TAKEN
from tests.properties.test_openings import expected_rows, openings_of, standing
from tests.simulation.test_seeds import PROMISES
from tests.support import product
from tests.support.histories import fictive_cpr
from tests.support.lives import RULES, short_life
from tests.support.merging import PARTITIONS, Merging, merging_settings
from tests.support.persons import Freed, Merge, Parting, Told, end_of, ids_of, reports_by_person
from tests.support.sizes import sized

SEEDS = [
    pytest.param(seed, marks=[pytest.mark.long] if seed > 9 else [])
    for seed in range(sized(30, 60))
]
EMPTY: dict[str, Any] = {"week": None, "seniority": 0, "earned": []}


@pytest.fixture
def world(tmp_path):
    stages = Merging(merging_settings(tmp_path), tmp_path)
    yield stages
    stages.close()


def renamed(report, prefix):
    """A report whose id no other number has."""
    names = [name for name in ("report_id", "reverses") if name in report]
    return report | {name: f"{prefix}{report[name]}" for name in names}


def lives_of(seed, rng):
    """Reports of three numbers in their order; some of a number take another's reports back."""
    lives = [
        [renamed(report, f"n{number}-") for report in short_life(3 * seed + number, number)]
        for number in range(3)
    ]
    for number, life in enumerate(lives):
        other = lives[number - 1]
        for report in rng.sample(life, min(2, len(life))):
            back = {name: report[name] for name in ("schema", "reporter", "reported_at")}
            back |= {"type": "reversal", "reverses": report["report_id"]}
            back |= {"report_id": f"x{number}-{len(other)}", "cpr": fictive_cpr((number - 1) % 3)}
            other.insert(rng.randint(0, len(other)), back)
    return lives


class Story:
    """Draws from a seed what happens to three numbers."""

    def __init__(self, world, seed):
        self.rng = random.Random(seed)
        self.world = world
        self.lives = lives_of(seed, self.rng)
        self.numbers = [fictive_cpr(number) for number in range(3)]
        self.told: list[Told] = []
        self.merges: list[tuple[str, str]] = []
        self.freed: set[tuple[str, str]] = set()
        self.openings: dict[str, list[Any]] = {}

    def tell(self):
        """Let all of it happen, and all partitions settle everything in the end."""
        rng = self.rng
        while any(self.lives):
            rng.choice([*[self.report] * 6, self.lag, self.decide, self.free, self.share])()
        for _ in range(3):
            self.decide()
        if rng.random() < 0.5 and self.merges:
            self.part()
        self.world.settle_all()

    def load(self):
        """Load opening rows of some weeks of each number, and of weeks and rows of others."""
        before: list[Any] = []
        for place, cpr in enumerate(self.numbers):
            rows: list[Any] = []
            for life in (self.lives[place], self.lives[place - 1]):
                found = openings_of(self.rng, cpr, [{**report, "cpr": cpr} for report in life])
                rows += self.rng.sample(found, min(len(found), 2))
            rows += [row | {"cpr": cpr} for row in before if self.rng.random() < 0.3]
            before = [*{cell_of(row): row for row in rows}.values()]
            self.openings[cpr] = before
            self.world.load_openings(before)

    def report(self):
        life = self.rng.choice([life for life in self.lives if life])
        self.publish(life.pop(0))

    def publish(self, report):
        self.told.append(report)
        self.world.publish([orjson.dumps(report)])
        if self.rng.random() < 0.1:
            self.world.publish([orjson.dumps(report)])
        self.world.take_in()

    def lag(self):
        self.world.settle_some(self.rng.randrange(PARTITIONS), self.rng.randint(1, 9))

    def share(self):
        """Report one number's payment for another one too, right or with another amount."""
        merged = {number for merge in self.merges for number in merge}
        others = [number for number in self.numbers if number not in merged]
        payments = [paid for paid in payments_in(self.told) if not paid.get("atp_ore")]
        if not others or not payments or self.rng.random() < 0.5:
            return
        payment = self.rng.choice(payments)
        less = self.rng.choice((0, 0, 7)) * (1 if payment["amount_ore"] > 0 else -1)
        amount = payment["amount_ore"] - less  # no larger than amounts may be
        self.publish(payment | {"cpr": self.rng.choice(others), "amount_ore": amount})

    def free(self):
        """Free an id of a person, which everything that was reported for has reached by then."""
        moved = {former for former, _ in self.merges}
        numbers = [number for number in self.numbers if number not in moved]
        reports = [report for report in self.told if isinstance(report, dict)]
        if not reports or self.rng.random() < 0.3:
            return
        self.world.settle_all()
        report, cpr = self.rng.choice(reports), self.rng.choice(numbers)
        name = report["reporter"], report["report_id"]
        if name in self.freed and self.merges:
            return  # what was freed of one number may come again for the other
        self.freed.add(name)
        self.world.free(cpr, *name, f"f{'x' * len(self.told)}")
        self.told.append(Freed(cpr, *name))

    def decide(self):
        self.part() if self.merges and self.rng.random() < 0.4 else self.merge()

    def merge(self):
        former, to = self.rng.sample(self.numbers, 2)
        moved = {former for former, _ in self.merges}
        reported = {report["cpr"] for report in self.told if isinstance(report, dict)}
        reported |= {cpr for cpr, rows in self.openings.items() if rows}
        if former in moved or to in moved or not {former, to} <= reported:
            with pytest.raises(MergeError):
                self.world.merge(former, to, "never")
            return
        try:
            self.world.merge(former, to, f"m{len(self.told)}")
        except MergeError:
            assert self.may_be_refused(former, to)
            return
        before = reports_by_person(self.told)
        rows = [*self.standing_openings(former), *self.standing_openings(to)]
        self.merges.append((former, to))
        self.told.append(Merge(former, to))
        after = reports_by_person(self.told)[to]
        assert_nothing_is_lost([before.get(former, []), before.get(to, [])], after)
        assert len({cell_of(row) for row in rows}) == len(rows)
        assert not any(is_answered(row, payments_in(after)) for row in rows)

    def may_be_refused(self, former, to):
        """Tell if an id of both was freed or has other contents, or if opening rows are there."""
        persons = reports_by_person(self.told)
        of = [persons.get(number, []) for number in (former, to)]
        first: list[dict[Any, Any]] = [{}, {}]
        freed = set()
        for mine, reports in zip(first, of, strict=True):
            for report in reports:
                if report["type"] == "free":
                    freed |= ids_of(report)
                for id_ in ids_of(report):
                    mine.setdefault(id_, {**report, "cpr": "", "reported_at": ""})
        shared = first[0].keys() & first[1].keys()
        if shared & freed or any(first[0][id_] != first[1][id_] for id_ in shared):
            return True
        return self.loses_a_row(former, to) or self.loses_a_row(to, former)

    def loses_a_row(self, cpr, other):
        """Tell if an opening row of a person would make way for what another one has."""
        others = self.numbers_of(other)
        rows = [row for number in others for row in self.openings.get(number, ())]
        cells = {cell_of(row) for row in rows}
        payments = [paid for paid in payments_in(self.told) if paid["cpr"] in others]
        return any(
            cell_of(row) in cells or is_answered(row, payments)
            for row in self.standing_openings(cpr)
        )

    def numbers_of(self, cpr):
        """The numbers that lead to a person; none for one that leads to another."""
        leads_to = dict(self.merges)
        return [number for number in self.numbers if end_of(number, leads_to) == cpr]

    def part(self):
        moved = {former for former, _ in self.merges}
        former, to = self.rng.choice([merge for merge in self.merges if merge[1] not in moved])
        self.world.part(former, to, f"m{len(self.told)}")
        self.merges.remove((former, to))
        self.told.append(Parting(former))

    def standing_openings(self, cpr):
        """The opening rows of a person that no payment of the person has answered for."""
        numbers = self.numbers_of(cpr)
        own = [paid for paid in payments_in(self.told) if paid["cpr"] in numbers]
        rows = [row for number in numbers for row in self.openings.get(number, ())]
        return [row for row in rows if not is_answered(row, own)]


def assert_nothing_is_lost(before, after):
    """Whatever stood for one of two numbers stands for the person, unless it is taken back."""
    taken_back = {
        (report["reporter"], report.get("reverses"), report.get("reverses_group"))
        for report in after
        if report["type"] == "reversal"
    }
    stands = [content_of(report) for report in valid_reports(map(content_of, after))]
    for reports in before:
        for report in valid_reports(map(content_of, reports)):
            by_id, by_group = (report["report_id"], None), (None, report.get("group") or "")
            ways = {(report["reporter"], *way) for way in (by_id, by_group)}
            assert report in stands or ways & taken_back, report


def content_of(report):
    return {name: value for name, value in report.items() if name not in ("cpr", "reported_at")}


def cell_of(opening):
    return tuple(opening[name] for name in ("month", "week", "benefit", "paying", "financing"))


def payments_in(told: Any) -> list[Any]:
    reports = (each for each in told if isinstance(each, dict))
    return [report for report in reports if report["type"] == "benefit_payment"]


def is_answered(opening, payments):
    monday = date.fromisoformat(opening["week"])
    first, last = monday.isoformat(), (monday + timedelta(6)).isoformat()
    return any(paid["period_start"] <= last and paid["period_end"] >= first for paid in payments)


def messages_of(world, cpr):
    citizen = world.citizen(cpr)
    found = [message for _, _, _, message in world.topics.messages()]
    return [message for message in found if message["citizen"] == citizen]


@pytest.mark.parametrize("seed", SEEDS)
def test_merged_numbers_are_one_person_however_things_come_about(world, seed):
    story = Story(world, seed)
    if seed % 3 == 1:
        story.load()
    if seed % 2:
        world.state_keys()
    story.tell()
    persons = reports_by_person(story.told)
    for cpr in story.numbers:
        messages = messages_of(world, cpr)
        reports = [in_the_journal(report) for report in persons.get(cpr, ())]
        expected = expected_rows(reports, story.standing_openings(cpr), set())
        assert standing(messages) == expected
        truth = reference.settle(reports, RULES)
        assert (messages[-1]["counters"] if messages else EMPTY) == truth.counters
        revisions = [message["revision"] for message in messages]
        assert revisions == list(range(1, len(messages) + 1))
    assert_folding_gives_the_same(world)


@pytest.mark.parametrize("defect", SEEDS_TAKEN, ids=lambda defect: defect.__name__)
def test_a_defect_of_what_a_merge_writes_is_found(world, defect, monkeypatch):
    """Each is planted alone, and found by the seed that found it first."""
    seed = SEEDS_TAKEN[defect]
    defect(monkeypatch)
    with pytest.raises(AssertionError):
        test_merged_numbers_are_one_person_however_things_come_about(world, seed)


def test_the_page_of_the_simulated_world_names_each_defect_of_what_a_merge_writes():
    told = re.findall(r"\| ([a-z ]+) \| ([0-9]+) of the property \|", PROMISES)
    found = {name.strip().replace(" ", "_"): int(number) for name, number in told}
    assert found == {defect.__name__: seed + 1 for defect, seed in SEEDS_TAKEN.items()}


def in_the_journal(report):
    if report["type"] == "free":
        return report
    accepted: Any = product.record_of(report)
    return orjson.loads(journal.encode(accepted[2], "sealed", report["reported_at"]))


def assert_folding_gives_the_same(world):
    """The journal alone gives the bytes of the postings."""
    for at in range(PARTITIONS):
        entries = [journal.decode(each.key, each.value) for each in world.topics.of["reports"][at]]
        posted = [each.value for each in world.topics.of["postings"][at]]
        assert postings_again(entries, LawBook()) == posted


def told_by(world, seed):
    story = Story(world, seed)
    story.tell()
    return story


def posted(world):
    return [[each.value for each in world.topics.of["postings"][at]] for at in range(PARTITIONS)]


@pytest.mark.parametrize("seed", [2, 5])
def test_a_rebuild_passes_reports_on_again_and_posts_the_same(world, tmp_path, seed):
    """The copies of a merge that was undone count nowhere, however often they come."""
    world.state_keys()
    told_by(world, seed)
    before = posted(world)
    anew = Merging(merging_settings(tmp_path / "anew"), tmp_path / "anew")
    try:
        anew.topics.of["reports"] = world.topics.of["reports"]
        anew.settle_all()
        assert posted(anew) == before
    finally:
        anew.close()
    world.settle_all()
    assert posted(world) == before


def test_a_copied_record_of_a_merge_does_nothing(world):
    """Else whoever may write to the journal could begin a merge again that was undone."""
    former, to = fictive_cpr(0), fictive_cpr(1)
    world.state_keys()
    for number, life in enumerate(lives_of(3, random.Random(3))[:2]):
        world.publish(orjson.dumps(report | {"cpr": fictive_cpr(number)}) for report in life)
    world.settle_all()
    world.merge(former, to, "m")
    world.settle_all()
    world.part(former, to, "u")
    world.settle_all()
    for at, records in world.topics.of["reports"].items():
        for record in [each for each in records if orjson.loads(each.value).get("id") == "m"]:
            world.topics.append("reports", at, record.key, record.value, record.headers)
    world.publish([orjson.dumps(lives_of(3, random.Random(3))[0][-1] | {"report_id": "last"})])
    world.settle_all()
    assert messages_of(world, former)[-1]["cause"].endswith("/last")
