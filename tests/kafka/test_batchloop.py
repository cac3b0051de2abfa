"""The batch loop on a real Kafka, with processes that die. Step numbers are those of `streams.batchloop`."""

import re
import shutil
import signal
import time
from io import BytesIO

import orjson
import pytest

from domain.weeks import month_number
from streams import topics
from streams.simulation import FAULTS, SimulationOptions, simulate
from tests.kafka.pipeline import DONE_S, TAKEOVER_S, Pipeline


@pytest.fixture
def pipeline(settings):
    made = Pipeline(settings)
    yield made
    made.clean_up()


@pytest.fixture(scope="session")
def lives():
    """Reports of some lives, in the order in which they arrive, in four portions."""
    written = BytesIO()
    months = month_number("2023-01"), month_number("2023-12")
    simulate(SimulationOptions(120, *months, seed=4, late=None, faults=FAULTS, jobs=1), written, lambda _: None)
    lines = written.getvalue().splitlines()
    quarter = len(lines) // 4 + 1
    return [lines[at : at + quarter] for at in range(0, len(lines), quarter)]


def test_reports_become_postings_and_the_worker_stops_in_good_order(pipeline, lives):
    worker = pipeline.start()
    for portion in lives:
        pipeline.publish(portion)
    pipeline.wait_until_settled()
    pipeline.stop(worker)
    postings = pipeline.audit(crashed=False)
    assert sum(map(len, postings.values())) > 1_000


@pytest.mark.parametrize("stage", ["intake", "citizens"])
@pytest.mark.parametrize(
    "point",
    [
        pytest.param("before_transaction:3", id="before-step-4"),
        pytest.param("before_commit:3", id="inside-step-4"),
        pytest.param("after_commit:3", id="between-steps-4-and-5"),
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


def test_a_zombie_is_fenced_and_does_not_write(pipeline, lives):
    zombie = pipeline.start(REFUSION_TEST_STOP="citizens:before_commit:3")
    pipeline.publish(lives[0])
    pipeline.publish(lives[1])
    pipeline.wait_until_stopped(zombie)
    successor = pipeline.start()
    time.sleep(TAKEOVER_S)
    pipeline.publish(lives[2])
    pipeline.wait_until_settled()
    before = pipeline.records(topics.POSTINGS)
    zombie.send_signal(signal.SIGCONT)
    time.sleep(TAKEOVER_S)
    assert pipeline.records(topics.POSTINGS) == before
    pipeline.publish(lives[3])  # both are of use again
    pipeline.wait_until_settled()
    pipeline.stop(zombie)
    pipeline.stop(successor)
    pipeline.audit()


def test_partitions_move_between_workers_without_a_crash(pipeline, lives):
    first = pipeline.start()
    pipeline.publish(lives[0])
    second = pipeline.start()
    pipeline.publish(lives[1])
    pipeline.wait_until_settled()
    pipeline.stop(first)
    pipeline.publish(lives[2])
    pipeline.wait_until_settled()
    pipeline.stop(second)
    pipeline.audit(crashed=False)


def test_delivered_twice_changes_nothing(pipeline, lives):
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


def test_a_worker_waits_for_a_broker_that_is_not_there_or_goes_away(kafka, pipeline, lives, tmp_path):
    said = tmp_path / "said"
    kafka.kill()
    try:
        with said.open("wb") as log:
            worker = pipeline.start(log=log)
        wait_for_line(said, "does not answer")
    finally:
        kafka.start()
    wait_for_line(said, "answers again")
    pipeline.publish(lives[0])
    kafka.kill()
    kafka.start()
    pipeline.publish(lives[1])
    pipeline.wait_until_settled()
    pipeline.stop(worker)
    pipeline.audit()
    assert len(said.read_text().splitlines()) < 30


def test_without_a_broker_a_worker_still_stops_in_good_order(kafka, pipeline, lives):
    worker = pipeline.start()
    pipeline.publish(lives[0])
    pipeline.wait_until_settled()
    kafka.kill()
    try:
        pipeline.stop(worker)
    finally:
        kafka.start()
    pipeline.audit(crashed=False)


def test_no_cpr_in_what_the_workers_leave_behind(pipeline, lives, tmp_path):
    said = tmp_path / "said"
    with said.open("wb") as log:
        worker = pipeline.start(log=log)
    pipeline.publish(lives[0] + [b"{" + line for line in lives[1]])
    pipeline.wait_until_settled()
    pipeline.stop(worker)
    pipeline.audit(crashed=False)
    cprs = re.compile(b"|".join(set(re.findall(rb'"cpr":"([0-9]{10})"', b"".join(lives[0] + lives[1])))))
    files = [said, *(path for path in pipeline.settings.state_dir.rglob("*") if path.is_file())]
    assert [path for path in files if cprs.search(path.read_bytes())] == []
    left = [topics.REPORTS, topics.POSTINGS, topics.CITIZENS, topics.NOTICES, topics.DEAD_LETTERS]
    for record in (record for topic in left for records in pipeline.records(topic).values() for record in records):
        parts = [record.key or b"", record.value or b"", *(value for _, value in record.headers)]
        assert not any(map(cprs.search, parts))


def wait_for_line(file, part):
    deadline = time.monotonic() + DONE_S
    while part not in file.read_text():
        assert time.monotonic() < deadline, f"the worker never said that Kafka {part}"
        time.sleep(0.1)
