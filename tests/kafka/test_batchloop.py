"""The batch loop on a real Kafka, with processes that die.

Step numbers are those of `streams.engine.loop`."""

import os
import re
import shutil
import signal
import time

import orjson
import pytest

from streams.devtools.local_kafka import QUICK_START, LocalKafka
from streams.engine.timing import HEARTBEAT_S, SESSION_S
from streams.kafka import topics
from tests.support.pipeline import (
    QUICK_RETURN,
    SETTLING,
    Pipeline,
    expected_postings,
    longest_silence_s,
    settings_for,
    shares,
)
from tests.support.processes import listening_sockets


def test_reports_become_postings_and_the_worker_stops_in_good_order(kafka, pipeline, lives):
    worker = pipeline.start()
    for portion in lives:
        pipeline.publish(portion)
    pipeline.wait_until_settled()
    assert listening_sockets(kafka.nodes[0].pid)
    if os.access(f"/proc/{worker.pid}/fd", os.R_OK):  # a worker is closed to all but root
        assert not listening_sockets(worker.pid)  # no web server, so no tables and no routes
    pipeline.stop(worker)
    postings = pipeline.audit(crashed=False)
    assert sum(map(len, postings.values())) > 1_000


@pytest.mark.parametrize("stage", ["intake", "citizens"])
@pytest.mark.parametrize(
    "point",
    [
        pytest.param("before_transaction:3", id="before-step-4", marks=pytest.mark.long),
        pytest.param("before_commit:3", id="inside-step-4"),
        pytest.param("after_commit:3", id="between-steps-4-and-5", marks=pytest.mark.long),
    ],
)
def test_a_worker_dies_and_another_takes_over(pipeline, lives, stage, point):
    doomed = pipeline.start(REFUSION_TEST_KILL=f"{stage}:{point}")
    pipeline.publish(lives[0])
    pipeline.publish(lives[1])
    pipeline.wait_for_death(doomed)
    successor = pipeline.start()
    pipeline.publish(lives[2])
    pipeline.wait_until_settled()
    pipeline.stop(successor)
    pipeline.audit()


def test_a_worker_dies_in_the_restore_of_step_1(pipeline, lives):
    first = pipeline.start()
    pipeline.publish(lives[0])
    pipeline.wait_until_settled()
    pipeline.stop(first)
    shutil.rmtree(pipeline.settings.state_dir)
    doomed = pipeline.start(REFUSION_TEST_KILL="citizens:in_restore:2")
    pipeline.wait_for_death(doomed)
    successor = pipeline.start()
    pipeline.publish(lives[1])
    pipeline.wait_until_settled()
    pipeline.stop(successor)
    pipeline.audit()


@pytest.mark.long
def test_a_worker_dies_in_the_revocation_of_step_6(pipeline, lives):
    doomed = pipeline.start(REFUSION_TEST_KILL="citizens:in_revocation:1")
    pipeline.publish(lives[0])
    pipeline.wait_until_settled()
    successor = pipeline.start()  # its joining revokes
    pipeline.publish(lives[1])
    pipeline.wait_for_death(doomed)
    pipeline.wait_until_settled()
    pipeline.stop(successor)
    pipeline.audit()


def test_a_zombie_is_fenced_and_does_not_write(pipeline, lives, tmp_path):
    said = tmp_path / "said"
    with said.open("wb") as log:
        zombie = pipeline.start(log=log, REFUSION_TEST_STOP="citizens:before_commit:3")
    pipeline.publish(lives[0])
    pipeline.publish(lives[1])
    pipeline.wait_until_stopped(zombie)
    successor = pipeline.start()
    pipeline.publish(lives[2])
    pipeline.wait_until_settled()  # all of it, so the zombie's session is over
    before = pipeline.records(topics.POSTINGS)
    known = len(shares(said, "citizens"))
    zombie.send_signal(signal.SIGCONT)
    pipeline.wait_until(
        lambda: len(shares(said, "citizens")) > known
    )  # it is back, and what it was at is over
    assert pipeline.records(topics.POSTINGS) == before
    pipeline.publish(lives[3])  # both are of use again
    pipeline.wait_until_settled()
    pipeline.stop(zombie)
    pipeline.stop(successor)
    pipeline.audit()


@pytest.mark.long
def test_partitions_move_between_workers_while_batches_run(pipeline, lives, tmp_path):
    logs = first_said, second_said = tmp_path / "first", tmp_path / "second"
    with first_said.open("wb") as one, second_said.open("wb") as other:
        first = pipeline.start(log=one)
        pipeline.publish(lives[0])
        pipeline.wait_until_settled()
        second = pipeline.start(log=other)
    pipeline.feed(lives[1], lambda: all_work(logs))
    first.send_signal(signal.SIGTERM)
    pipeline.feed(lives[2], lambda: works_alone(second_said, pipeline.settings.partitions))
    pipeline.wait_until_settled()
    assert first.wait() == 0
    pipeline.stop(second)
    pipeline.audit(crashed=False)


def all_work(logs):
    """Tell if each worker has partitions of each stage."""
    return all(any(shares(log, stage)[-1:]) for log in logs for stage in SETTLING)


def works_alone(log, partitions):
    return all(shares(log, stage)[-1] == set(range(partitions)) for stage in SETTLING)


@pytest.mark.long
def test_survivors_go_on_while_the_session_of_a_dead_worker_runs_out(pipeline, lives, tmp_path):
    logs = _, survivor_said = tmp_path / "doomed", tmp_path / "survivor"
    with logs[0].open("wb") as one, logs[1].open("wb") as other:
        doomed, survivor = pipeline.start(log=one), pipeline.start(log=other)
    pipeline.wait_until(lambda: all_work(logs))
    pipeline.publish(lives[0])
    pipeline.wait_until_settled()
    share = {stage: shares(survivor_said, stage)[-1] for stage in SETTLING}
    killed = time.time()
    doomed.kill()
    over = killed + SESSION_S - HEARTBEAT_S  # its last heartbeat may have come so long before
    pipeline.feed([*lives[1], *lives[2], *lives[3]], lambda: time.time() > over)
    pipeline.wait_until_settled()
    pipeline.stop(survivor)
    postings = [record for number in share["citizens"] for record in pipeline.audit()[number]]
    raw = [record for number in share["intake"] for record in pipeline.records(topics.RAW)[number]]
    accepted = [
        record
        for records in pipeline.records(topics.REPORTS).values()
        for record in records
        if int(dict(record.headers)["raw"].split(b"/")[1]) in share["intake"]
    ]
    patience_s = longest_silence_s(raw, killed, over) + SESSION_S / 3
    assert longest_silence_s(accepted, killed, over) < patience_s
    assert longest_silence_s(postings, killed, over) < patience_s


def test_two_publishers_at_once_change_nothing(pipeline, lives):
    worker = pipeline.start()
    pipeline.publish_by_two(lives[0] + lives[1])
    pipeline.wait_until_settled()
    pipeline.stop(worker)
    postings = pipeline.audit(crashed=False)
    raw = {
        number: [record.value for record in records]
        for number, records in pipeline.records(topics.RAW).items()
    }
    assert any(lines[: len(lines) // 2] != lines[len(lines) // 2 :] for lines in raw.values()), (
        "one after the other"
    )
    for number, records in pipeline.records(topics.REPORTS).items():
        once: dict = {}
        for record in records:
            once.setdefault(record.value, record)
        assert len(once) <= len(records) / 2
        assert [record.value for record in postings[number]] == expected_postings(once.values())


def test_reports_that_are_delivered_twice_change_nothing(pipeline, lives):
    worker = pipeline.start()
    pipeline.publish(lives[0])
    pipeline.wait_until_settled()
    before = pipeline.records(topics.POSTINGS)
    pipeline.publish(lives[0])
    pipeline.wait_until_settled()
    assert pipeline.records(topics.POSTINGS) == before
    pipeline.stop(worker)
    pipeline.audit(crashed=False)


def test_a_closed_month_outlives_its_disk(pipeline, lives):
    worker = pipeline.start()
    pipeline.publish(lives[0])
    pipeline.publish(lives[1])
    pipeline.wait_until_settled()
    pipeline.close_run("2023-06")
    pipeline.wait_until_settled()
    pipeline.stop(worker)
    shutil.rmtree(pipeline.settings.state_dir)
    worker = pipeline.start()
    pipeline.publish(lives[2])
    pipeline.wait_until_settled()
    pipeline.stop(worker)
    before, after = set(), set()
    for records in pipeline.audit(crashed=False).values():
        values = [orjson.loads(record.value) for record in records]
        (cut,) = [number for number, value in enumerate(values) if value["type"] == "run"]
        before |= {value["reason"] for value in values[:cut]}
        after |= {value["reason"] for value in values[cut + 1 :]}
    assert "late_report" not in before
    assert "late_report" in after


@pytest.mark.long
def test_a_worker_waits_for_a_broker_outlives_its_end_and_stops_without_one(
    kafka, pipeline, lives, tmp_path
):
    said = tmp_path / "said"
    kafka.kill()
    try:
        with said.open("wb") as log:
            worker = pipeline.start(log=log)
        pipeline.wait_until(lambda: "does not answer" in said.read_text())
    finally:
        kafka.start()
    pipeline.wait_until(lambda: "answers again" in said.read_text() and all_work([said]))
    pipeline.publish(lives[0] + lives[1])
    pipeline.wait_until_settled()
    kafka.kill()  # between batches: in the middle of them it is another broker's turn, see below
    kafka.start()
    pipeline.publish(lives[2])
    pipeline.wait_until_settled()
    kafka.kill()
    try:
        pipeline.stop(worker)
    finally:
        kafka.start()
    pipeline.audit()
    assert len(said.read_text().splitlines()) < 30


@pytest.mark.long
def test_the_workers_go_on_when_a_broker_of_three_dies_in_the_middle_of_batches(
    lives, prefix, tmp_path
):
    """Each transaction's fate is known to the two that are left; the dead one's word is not needed.

    A single broker that is killed in the middle of a transaction and started again may forget it
    (seen with 4.3.0), which no client can mend: the next test shows what we do then."""
    with LocalKafka(nodes=3, properties=QUICK_RETURN, java_options=QUICK_START) as kafka:
        pipeline = Pipeline(settings_for(kafka, prefix, tmp_path / "state"))
        try:
            worker = pipeline.start()
            pipeline.publish(lives[0])
            pipeline.wait_until_settled()
            pipeline.publish(lives[1] + lives[2])
            kafka.kill(2)
            pipeline.wait_until_settled()
            kafka.start()
            pipeline.publish(lives[3])
            pipeline.wait_until_settled()
            pipeline.stop(worker)
            pipeline.audit()
        finally:
            pipeline.clean_up()


def test_an_open_transaction_at_the_end_of_the_state_is_not_gone_behind(pipeline, lives, tmp_path):
    first = pipeline.start()
    pipeline.publish(lives[0])
    pipeline.wait_until_settled()
    pipeline.stop(first)
    said = tmp_path / "said"
    with pipeline.open_transaction(topics.CITIZENS, partition=1), said.open("wb") as log:
        worker = pipeline.start(log=log)
        pipeline.publish(lives[1])
        pipeline.wait_until(lambda: "neither committed nor aborted" in said.read_text())
        pipeline.wait_until_settled(["intake"])
        pipeline.wait_until(lambda: pipeline.lags("citizens")[0] == 0)
        assert pipeline.lags("citizens")[1] > 0  # it waits, and alone
    pipeline.wait_until_settled()
    pipeline.stop(worker)
    pipeline.audit(crashed=False)
    assert said.read_text().count("neither committed nor aborted") == 1


def test_no_cpr_in_what_the_workers_leave_behind(pipeline, lives, tmp_path):
    said = tmp_path / "said"
    with said.open("wb") as log:
        worker = pipeline.start(log=log)
    pipeline.publish(lives[0] + [b"{" + line for line in lives[1]])
    pipeline.wait_until_settled()
    pipeline.stop(worker)
    pipeline.audit(crashed=False)
    cprs = re.compile(
        b"|".join(set(re.findall(rb'"cpr":"([0-9]{10})"', b"".join(lives[0] + lives[1]))))
    )
    files = [said, *(path for path in pipeline.settings.state_dir.rglob("*") if path.is_file())]
    assert [path for path in files if cprs.search(path.read_bytes())] == []
    left = [topics.REPORTS, topics.POSTINGS, topics.CITIZENS, topics.NOTICES, topics.DEAD_LETTERS]
    for record in (
        record
        for topic in left
        for records in pipeline.records(topic).values()
        for record in records
    ):
        parts = [record.key or b"", record.value or b"", *(value for _, value in record.headers)]
        assert not any(map(cprs.search, parts))
