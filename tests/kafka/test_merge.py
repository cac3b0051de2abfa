"""`refusion merge`: two persons make two numbers one, and part them again."""

import os
import subprocess
from typing import Any

import orjson
import pytest

from domain.oracle import reference
from streams.audit.verify import VerifyRequest, verify
from streams.kafka import topics
from streams.wire import journal
from tests.kafka.test_backup import elsewhere
from tests.kafka.test_rebuild import values_of
from tests.support import product
from tests.support.acts_in_memory import ANNA, BO
from tests.support.lines import payment
from tests.support.lives import RULES
from tests.support.pipeline import DONE_S, PROGRAM, Pipeline
from tests.support.product import true_now

FORMER, NEW, THIRD = "6101901357", "6101901365", "6101901360"
AT = "2024-02-01T08:00:00Z"
BOTH = f"{FORMER}\n{NEW}\n"


@pytest.fixture
def refusion(pipeline):
    def run(*arguments, given=BOTH, **more):
        values = {name: text for name, (text, _) in pipeline.settings.values.items() if text}
        return subprocess.run(
            [PROGRAM, *arguments],
            check=False,
            env={**os.environ, **values, **more},
            input=given,
            capture_output=True,
            text=True,
        )

    return run


def published(cpr, report_id, month):
    return payment(
        cpr=cpr, report_id=report_id, atp_ore=0,
        period_start=f"2024-{month:02}-01", period_end=f"2024-{month:02}-28",
    )  # fmt: skip


def posted(pipeline, cpr):
    citizen = pipeline.settings.identity().of(cpr)[0]
    found = [
        orjson.loads(record.value)
        for records in pipeline.records(topics.POSTINGS).values()
        for record in records
    ]
    return [message for message in found if message.get("citizen") == citizen]


def standing(pipeline, cpr):
    return true_now(product.standing_rows(posted(pipeline, cpr)))


def truth(*lines):
    accepted: list[Any] = [product.record_of(orjson.loads(line)) for line in lines]
    reports = [orjson.loads(journal.encode(report, "sealed", AT)) for _, _, report in accepted]
    return true_now(reference.settle(reports, RULES).rows)


def stand(pipeline, cpr, *lines):
    """Wait until a citizen has what these reports give, and nothing else.

    The markers of a merge come into its partitions after it was answered, so a stage may seem to
    have read all before.
    """
    true = truth(*lines)
    pipeline.wait_until(lambda: standing(pipeline, cpr) == true)


def test_two_numbers_are_one_person_and_two_again(pipeline, refusion):
    """A late report for the former number goes on, and the audit finds nothing."""
    first, second = published(FORMER, "P1", 1), published(NEW, "P2", 2)
    pipeline.publish([first, second])
    worker = pipeline.start()
    pipeline.wait_until_settled()
    asked = ("merge", "--reason", "a new number")
    waiting = refusion(*asked, REFUSION_FOUR_EYES="1")
    assert waiting.returncode == 3, waiting.stderr
    assert refusion(*asked, given=f"{FORMER}\n{FORMER}\n").returncode == 2
    assert refusion(*asked, "--undo").returncode == 2
    done = refusion(*asked, "--json")
    assert done.returncode == 0, done.stderr
    assert orjson.loads(done.stdout)["records"] == 1
    assert not {FORMER, NEW} & set((done.stdout + done.stderr + waiting.stderr).split())
    late = published(FORMER, "P3", 3)
    pipeline.publish([late])
    stand(pipeline, NEW, first, second, late)
    pipeline.wait_until_settled()
    assert standing(pipeline, FORMER) == []
    moved = posted(pipeline, FORMER)[-1]
    assert moved["reason"] == "moved"
    assert moved["moved_to"] == pipeline.settings.identity().of(NEW)[0]
    verified = refusion("verify", "--deep", "--fold", given="")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    again = refusion("replay", "--dry-run", "--jobs", "1", "--json", given="")
    assert again.returncode == 0, again.stderr
    assert orjson.loads(again.stdout)["citizens_changed"] == 0
    of_former = refusion("explain", "--whole-journal", given=FORMER)
    assert of_former.returncode == 2
    assert moved["moved_to"] in of_former.stderr
    of_new = refusion("explain", "--whole-journal", "--json", given=NEW)
    assert of_new.returncode == 0, of_new.stderr
    assert len(orjson.loads(of_new.stdout)["explanation"]["reports"]) == 3
    undone = refusion(*asked, "--undo")
    assert undone.returncode == 0, undone.stderr
    pipeline.wait_until_settled()
    stand(pipeline, NEW, second)
    stand(pipeline, FORMER, first, late)
    verified = refusion("verify", "--deep", "--fold", given="")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    pipeline.stop(worker)
    pipeline.audit()


def test_several_pairs_are_one_act_of_two_persons_and_each_is_whole_or_not_there(
    pipeline, as_person
):
    lines = [
        published(cpr, f"P{month}", month) for month, cpr in enumerate((FORMER, NEW, THIRD), 1)
    ]
    pipeline.publish(lines)
    worker = pipeline.start()
    pipeline.wait_until_settled()
    of = pipeline.settings.identity().of
    possible = f"{FORMER} {NEW}\n\n{of(THIRD)[0]};{of(NEW)[0]}\n"
    asked = ("merge", "--pairs", "--reason", "new numbers")
    status, told, said = as_person(ANNA, *asked, stdin=f"{FORMER} {NEW}\n{THIRD}\n")
    assert (status, "line 2" in said, THIRD in said + told) == (2, True, False)
    status, told, said = as_person(ANNA, *asked, stdin=f"{possible}{NEW} {FORMER}\n")
    assert status == 3, said
    (waiting,) = orjson.loads(as_person(BO, "approvals", "list", "--json")[1])
    assert waiting["about"] == {"pairs": 3}
    status, told, said = as_person(BO, "approve", told.strip(), "--json")
    done = orjson.loads(told)
    assert (status, len(done["merged"]), done["fine"]) == (1, 2, False), said
    ((pair, why),) = [((no["former"], no["to"]), no["why"]) for no in done["not_done"]]
    assert pair == (of(NEW)[0], of(FORMER)[0])
    assert of(NEW)[0] in why
    pipeline.wait_until_settled()
    stand(pipeline, NEW, lines[1], lines[0], lines[2])
    status, told, said = as_person(ANNA, *asked, stdin=possible)
    status, told, said = as_person(BO, "approve", told.strip())
    assert (status, told.count("one person already")) == (2, 2), said
    assert told.endswith("pairs done: 0, not done: 2\n")
    status, told, said = as_person(ANNA, *asked, "--undo", stdin=possible)
    status, told, said = as_person(BO, "approve", told.strip())
    assert (status, told.count("are two persons again")) == (0, 2), said
    pipeline.wait_until_settled()
    for cpr, line in zip((FORMER, NEW, THIRD), lines, strict=True):
        stand(pipeline, cpr, line)
    pipeline.stop(worker)


@pytest.mark.long
def test_a_backup_with_a_merge_is_restored_and_gives_the_same_postings(
    pipeline, refusion, tmp_path
):
    """The workers of the restored journal pass late reports on once more, which changes nothing."""
    settings, place = pipeline.settings, str(tmp_path / "backup")
    pipeline.publish([published(FORMER, "P1", 1), published(NEW, "P2", 2)])
    worker = pipeline.start()
    pipeline.wait_until_settled()
    asked = ("merge", "--reason", "a new number")
    assert refusion(*asked).returncode == 0
    late = published(FORMER, "P3", 3)
    pipeline.publish([late])
    pipeline.wait_until(lambda: any(row["month"] == "2024-03" for row in standing(pipeline, NEW)))
    pipeline.stop(worker)
    saved = refusion("backup", "--to", place, given="")
    assert saved.returncode == 0, saved.stdout + saved.stderr
    prefix = f"new-{settings.prefix}"
    restored = refusion("restore", "--from", place, "--prefix", prefix, given="")
    assert restored.returncode == 0, restored.stderr
    new = Pipeline(elsewhere(settings, prefix, tmp_path))
    try:
        worker = new.start()
        new.wait_until_settled()
        new.stop(worker)
        assert values_of(new, topics.POSTINGS) == values_of(pipeline, topics.POSTINGS)
        request = VerifyRequest(sample_percent=100, jobs=0, fold=True)
        assert verify(new.settings, request, lambda *_: None).violations.named == []
    finally:
        new.clean_up()


@pytest.mark.long
@pytest.mark.parametrize("point", ["before_transaction", "before_commit", "after_commit"])
def test_a_late_report_goes_on_once_whenever_a_worker_dies(pipeline, refusion, point):
    """The command dies before its commit, and is given again; then a worker dies, of several."""
    lines = [published(FORMER, "P1", 1), published(NEW, "P2", 2)]
    pipeline.publish(lines)
    worker = pipeline.start()
    pipeline.wait_until_settled()
    pipeline.stop(worker)
    asked = ("merge", "--reason", "a new number")
    killed = refusion(*asked, REFUSION_TEST_KILL="merge:before_commit:1")
    assert killed.returncode < 0
    done = refusion(*asked)
    assert done.returncode == 0, done.stderr
    assert refusion(*asked).returncode == 2  # they are merged
    late = [published(FORMER, f"L{month}", month) for month in range(3, 9)]
    pipeline.publish(late)
    dying = pipeline.start(REFUSION_TEST_KILL=f"citizens:{point}:2")
    assert dying.wait(DONE_S) != 0
    worker = pipeline.start()
    stand(pipeline, NEW, *lines, *late)
    pipeline.wait_until_settled()
    assert standing(pipeline, FORMER) == []
    copies = [
        orjson.loads(record.value)["report_id"]
        for records in pipeline.records(topics.REPORTS).values()
        for record in records
        if b'"moved":{' in record.value
    ]
    assert sorted(copies) == ["L3", "L4", "L5", "L6", "L7", "L8", "P1"]
    pipeline.stop(worker)
    pipeline.audit()
