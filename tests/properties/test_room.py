"""A citizen's month takes so many reports; whoever reads the journal agrees which were too many."""

import io
import random
from typing import Any

import orjson
import pytest

from domain.citizen.records import Part
from domain.citizen.reports import Line
from domain.citizen.room import MOST_REPORTS
from domain.explain.fates import fates
from streams.citizens.settler import Partition
from streams.citizens.store_port import MemoryStore
from streams.kafka.topics import LARGE_BYTES
from streams.offline.settle import settle
from streams.settings import Settings
from tests.properties.test_replaying import dry_run
from tests.support import product
from tests.support.lines import payment
from tests.support.lives import THEMES, life

FEW = 2
FICTIVE = "6101801234"
DEMO = Settings.load({"REFUSION_DEMO": "1"})


@pytest.fixture
def little_room(monkeypatch):
    for module in ("domain.citizen.room", "domain.citizen.aggregate"):
        monkeypatch.setattr(f"{module}.MOST_REPORTS", FEW)


def settled(reports):
    """Messages and reasons of refusal, report by report."""
    partition = Partition(product.law(), MemoryStore())
    outcomes = [partition.settle(product.record_of(report)) for report in reports]
    return [message for outcome in outcomes for message in outcome.postings], [
        outcome.refused for outcome in outcomes
    ]


@pytest.mark.usefixtures("little_room")
@pytest.mark.parametrize("theme", sorted(THEMES))
def test_settling_replay_and_explanations_agree_on_what_was_too_many(theme):
    too_many = 0
    for seed in range(9300, 9312):
        reports = life(theme, seed)
        random.Random(seed).shuffle(reports)
        messages, refused = settled(reports)
        records: list[Any] = [product.record_of(report)[2] for report in reports]
        told = [each.fate == "too_many" for each in fates(records)]
        assert told == [reason == "too_many" for reason in refused], seed
        found = dry_run(product.law(), reports, messages)
        assert (found.messages, found.money) == (0, {}), seed
        too_many += sum(told)
    assert too_many or theme not in {"plan_of", "chaos"}


@pytest.mark.usefixtures("little_room")
def test_settle_rejects_what_the_stage_refuses_and_a_reversal_makes_no_room():
    lines = [payment(cpr=FICTIVE, report_id=f"r{number}") for number in range(FEW + 1)]
    lines.insert(FEW, payment(cpr=FICTIVE, report_id="x"))
    lines.append(payment(cpr=FICTIVE, report_id="r0"))  # again: it has its place
    postings, rejects, notices = io.BytesIO(), io.BytesIO(), io.BytesIO()
    settle(lines, DEMO, 1, postings, rejects, notices)
    refused = [orjson.loads(line) for line in rejects.getvalue().splitlines()]
    assert [(each["line"], each["reason"], each["field"]) for each in refused] == [
        (FEW + 1, "too_many", "period_start"),
        (FEW + 2, "too_many", "period_start"),
    ]
    assert len(postings.getvalue().splitlines()) == FEW


def test_a_month_that_is_full_is_far_from_the_largest_message():
    """A citizen with the longest ids, each character of which takes two bytes."""
    longest = "\\" * 100
    line = Line(
        "12345678", longest, "SDP-B", 735000, 735030, -(10**9), -(10**9), "730", "751",
        "eindkomst", 1,
    )  # fmt: skip
    part = Part(24289, [line] * MOST_REPORTS, [], [])
    assert len(part.encode()) < LARGE_BYTES / 2
