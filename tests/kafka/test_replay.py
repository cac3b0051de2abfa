"""`refusion replay`: first a dry run, then the differences alone; after a kill, nothing twice."""

import asyncio
import json
import os
import signal
import subprocess

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from streams.kafka import topics
from streams.operations.kept_differences import kept_differences
from streams.operations.replay import ReplayRequest, dry_run
from streams.operations.replay_apply import apply
from streams.operations.replay_partition import ReplayError
from tests.kafka.test_control_records import many, settings  # noqa: F401 - fixtures
from tests.support.pipeline import DONE_S, PROGRAM

OTHER = "second-step-35"


@pytest.fixture
def refusion(settings):  # noqa: F811
    """Runs `refusion replay`: its status, what it says as JSON, and stderr."""
    given = {
        name: value for name, (value, origin) in settings.values.items() if origin == "environment"
    }

    def run(*arguments, **environment):
        done = subprocess.run(
            [PROGRAM, "replay", *arguments, "--json"],
            env=os.environ | given | environment,
            capture_output=True,
            check=False,
            timeout=DONE_S,
        )
        return done.returncode, json.loads(done.stdout or "null"), done.stderr.decode()

    return run


def journal_of(pipeline):
    return {number: len(records) for number, records in pipeline.records(topics.REPORTS).items()}


@pytest.mark.long
def test_a_replay_posts_the_differences_once_whoever_dies(pipeline, refusion, many):  # noqa: F811
    late = many[-len(many) // 6 :]
    pipeline.publish(many[: -len(late)])
    worker = pipeline.start()
    pipeline.wait_until_settled()
    before = journal_of(pipeline)
    status, found, _ = refusion("--apply", "--yes")
    assert (status, found["messages"], found["applied"]) == (0, 0, None)
    status, found, _ = refusion("--rules", OTHER, "--dry-run")
    assert (status, found["rules"], found["rules_holding"]) == (0, OTHER, "R-1")
    assert found["messages"] == found["citizens_changed"] > 100
    assert len(found["largest"]) == 10
    assert journal_of(pipeline) == before, "a dry run writes nothing"

    killed, _, _ = refusion(
        "--rules", OTHER, "--apply", "--yes", REFUSION_TEST_KILL="replay:before_commit:1"
    )
    assert killed == -signal.SIGKILL
    assert journal_of(pipeline) == before
    pipeline.stop(worker)
    worker = pipeline.start(REFUSION_TEST_KILL="citizens:in_recalculation:3")
    pipeline.wait_until(lambda: refusion("--dry-run")[1]["workers"])
    killed, _, _ = refusion(
        "--rules", OTHER, "--apply", "--yes", REFUSION_TEST_KILL="replay:after_commit:1"
    )
    assert killed == -signal.SIGKILL
    pipeline.wait_for_death(worker)
    worker = pipeline.start()
    pipeline.wait_until(lambda: refusion("--dry-run")[1]["workers"])
    status, pending, _ = refusion("--rules", OTHER, "--apply", "--yes")
    assert status == 0
    assert pending["rules_holding"] == OTHER
    pipeline.publish(late)
    pipeline.wait_until_settled()
    status, again, _ = refusion("--rules", OTHER, "--apply", "--yes")
    assert (status, again["messages"], again["money"], again["applied"]) == (0, 0, [], None)
    pipeline.stop(worker)

    postings = pipeline.audit()
    messages = [json.loads(record.value) for records in postings.values() for record in records]
    anew = [message for message in messages if message["reason"] == "rule_change"]
    assert len(anew) == found["messages"]
    moved = sum(row["refusion_ore"] for message in anew for row in message["rows"])
    assert moved == sum(place["refusion_ore"] for place in found["money"])
    kinds = [json.loads(record.value)["type"] for record in pipeline.records(topics.REPORTS)[0]]
    assert (kinds.count("rules"), kinds.count("recalculate")) == (1, 1)


def test_an_apply_waits_for_the_workers_and_says_what_they_posted(pipeline, refusion, lives):
    pipeline.publish(lives[0])
    worker = pipeline.start()
    pipeline.wait_until_settled()
    status, asked, _ = refusion("--answer", "UFB=BENEFIT", "--dry-run")
    assert (status, asked["rules"]) == (0, "R-1-UFB-BENEFIT")
    status, _, said = refusion("--answer", "UFB=BENEFIT", "--apply", "--yes")
    assert (status, "--answer is for --dry-run" in said) == (2, True)
    status, found, _ = refusion("--rules", OTHER, "--apply", "--yes")
    assert status == 0
    posted, tried = kept_differences(pipeline.settings.state_dir)
    assert (tried.answer, tried.applied, posted.answer) == ("UFB=BENEFIT", None, "")
    assert posted.applied is not None
    assert posted.applied["messages"] == found["messages"]
    assert posted.net_ore == posted.applied["cost_ore"]
    assert sum(sum(ore) for ore in posted.standing.values()) > 0
    assert found["applied"]["messages"] == found["messages"] > 0
    cost = sum(place["refusion_ore"] - place["medfinansiering_ore"] for place in found["money"])
    assert found["applied"]["cost_ore"] == cost
    pipeline.stop(worker)
    pipeline.audit(crashed=False)


# --- refused --------------------------------------------------------------------------------------


def test_a_rule_set_that_moves_nothing_is_one_record_and_settles_nobody_anew(
    pipeline, refusion, lives
):
    pipeline.publish(lives[0])
    worker = pipeline.start()
    pipeline.wait_until_settled()
    before = journal_of(pipeline)
    other = ReplayRequest(OTHER)
    plan = asyncio.run(dry_run(pipeline.settings, other, lambda *_: None))
    status, found, _ = refusion("--rules", "R-2", "--apply", "--yes")
    assert (status, found["messages"], found["applied"]["messages"]) == (0, 0, 0)
    after = {number: size + 1 for number, size in before.items()}
    assert journal_of(pipeline) == after
    with pytest.raises(ReplayError, match="came in between; nothing was written"):
        asyncio.run(apply(pipeline.settings, other, plan, "stale", lambda *_: None))
    assert journal_of(pipeline) == after
    status, found, _ = refusion("--dry-run")
    assert (status, found["rules_holding"], found["messages"]) == (0, "R-2", 0)
    pipeline.stop(worker)
    pipeline.audit()


def test_what_must_not_be_replayed_is_refused_with_why(pipeline, refusion, lives):
    pipeline.publish(lives[0])
    worker = pipeline.start()
    pipeline.wait_until_settled()
    stranger = asyncio.run(_with_stranger(pipeline.settings, lambda: refusion("--dry-run")))
    pipeline.stop(worker)
    refusals = {
        r"workers of mixed versions are at work \(0\.0-0-0, ": stranger,
        "the rule set R-9 is not known here; known are R-1, R-2, second-step-35": refusion(
            "--rules", "R-9", "--dry-run"
        ),
        "nobody is in scope: of": refusion("--citizen", "f" * 32, "--dry-run"),
        "is not one of the 98 codes": refusion("--municipality", "000", "--dry-run"),
        "a CPR does not belong on a command line": refusion("--citizen", "6101901357", "--dry-run"),
        "no worker of the citizens stage is at work": refusion(
            "--rules", OTHER, "--apply", "--yes"
        ),
    }
    for why, (status, told, said) in refusals.items():
        assert (status, told) == (2, None), said
        assert why.replace("\\", "") in said
        assert "6101901357" not in said
        assert "Traceback" not in said
    asyncio.run(_lose_the_first_record(pipeline.settings))
    status, _, said = refusion("--dry-run")
    assert status == 2
    assert "the journal has a hole" in said


async def _with_stranger(settings, ask):  # noqa: F811
    """Ask while a member of another version is in the group."""
    consumer = AIOKafkaConsumer(
        settings.prefix + topics.REPORTS.name,
        bootstrap_servers=settings.bootstrap,
        group_id=f"{settings.prefix}citizens",
        client_id="refusion-other@0.0-0-0",
    )
    await consumer.start()
    try:
        return await asyncio.to_thread(ask)
    finally:
        await consumer.stop()


async def _lose_the_first_record(settings):  # noqa: F811
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.bootstrap)
    await admin.start()
    at = TopicPartition(settings.prefix + topics.REPORTS.name, 0)
    await admin.delete_records({at: RecordsToDelete(before_offset=1)})
    await admin.close()


async def end_before_the_first_record(bootstrap, at):
    """Abort a transaction that has a partition, and has written nothing there yet."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=f"empty {at}")
    async with producer:
        await producer.begin_transaction()
        producer._txn_manager.maybe_add_partition_to_txn(at)
        async with asyncio.timeout(DONE_S):
            while at not in producer._txn_manager._txn_partitions:
                producer._txn_manager.notify_task_waiter()
                await asyncio.sleep(0.05)
        await producer.abort_transaction()


def test_the_marker_of_a_transaction_without_a_record_is_no_hole(pipeline, refusion, many):  # noqa: F811
    worker = pipeline.start()
    pipeline.publish(many[:20])
    pipeline.wait_until_settled()
    at = TopicPartition(pipeline.topic(topics.REPORTS), 0)
    asyncio.run(end_before_the_first_record(pipeline.settings.bootstrap, at))
    pipeline.publish(many[20:200])
    pipeline.wait_until_settled()
    status, _, said = refusion("--dry-run")
    assert (status, "hole" in said) == (0, False), said
    pipeline.stop(worker)
