"""`refusion worker` and `refusion publish` as operators see them: signals, exit statuses, lines."""

import asyncio
import json
import os
import re
import signal
import subprocess

import pytest

from streams.kafka import topics
from streams.kafka.topics import ensure_topics
from streams.worker.app import STAGES
from tests.support.pipeline import DONE_S, PROGRAM
from tests.support.processes import children_of, gone, has_loaded, is_alive

pytestmark = pytest.mark.usefixtures("cold_starts")

NOWHERE = "127.0.0.1:1"
"""Nobody listens there."""


@pytest.fixture
def refusion(settings):
    """Runs the program to its end: its status, and the lines on stderr."""
    given = {
        name: value for name, (value, origin) in settings.values.items() if origin == "environment"
    }

    def run(*arguments, reports=(), **environment):
        done = subprocess.run(
            [PROGRAM, *arguments],
            input=b"\n".join(reports),
            env=os.environ | given | environment,
            capture_output=True,
            check=False,
            timeout=DONE_S,
        )
        assert done.stdout == b"" or "--help" in arguments
        return done.returncode, (done.stdout + done.stderr).decode().splitlines()

    return run


# --- worker ---------------------------------------------------------------------------------------


def test_a_killed_child_comes_back_and_sigterm_ends_all_in_good_order(pipeline, lives, tmp_path):
    said = tmp_path / "said"
    with said.open("wb") as log:
        parent = pipeline.start_program("worker", "--processes", "2", log=log)
    pipeline.publish(lives[0])
    pipeline.wait_until_settled()
    before = children_of(parent.pid)
    assert len(before) == 2
    dead = min(before)
    os.kill(dead, signal.SIGKILL)
    pipeline.wait_until(lambda: len(children_of(parent.pid) - {dead}) == 2)
    after = children_of(parent.pid)
    assert len(after & before) == 1
    assert f"worker {dead} died (status -9), starts again" in said.read_text()
    pipeline.publish(lives[1])
    pipeline.wait_until_settled()
    pipeline.stop(parent)
    assert not any(map(is_alive, after))
    pipeline.audit()


def test_children_end_when_their_parent_is_killed(pipeline, tmp_path):
    said = tmp_path / "said"
    with said.open("wb") as log:
        parent = pipeline.start_program("worker", "intake", "--processes", "2", log=log)
    pipeline.wait_until(lambda: "intake: partitions" in said.read_text())
    children = children_of(parent.pid)
    assert len(children) == 2
    parent.kill()
    assert gone(*children)
    assert "Traceback" not in said.read_text()


def test_topics_with_other_partitions_are_said_and_end_all(refusion, settings):
    asyncio.run(ensure_topics(settings.bootstrap, settings.prefix, 3, topics=[topics.REPORTS]))
    status, lines = refusion("worker", "--processes", "2")
    assert status == 2
    said = {line.partition(": ")[2] for line in lines}
    (refusal,) = {each for each in said if each.startswith("topic ")}
    assert refusal.startswith(f"topic {settings.prefix}reports has 3 partitions, 4 are asked for: ")
    assert "set REFUSION_PARTITIONS=3" in refusal
    assert not any("Traceback" in line for line in lines)


@pytest.mark.usefixtures("cold_starts")  # a warm one has its imports before it can be stopped
@pytest.mark.parametrize("processes", ["1", "2"])
def test_sigterm_during_the_start_is_a_good_end(pipeline, processes):
    worker = pipeline.start_program("worker", "--processes", processes)
    pipeline.wait_until(lambda: has_loaded(worker.pid, "uvloop"))  # in the middle of its imports
    worker.send_signal(signal.SIGTERM)
    # Who is not root cannot look into the process, and may stop it before its command has begun.
    too_early = {128 + signal.SIGTERM} if os.geteuid() else set()
    assert worker.wait(DONE_S) in {0} | too_early


def test_help_names_the_stages(refusion):
    status, lines = refusion("worker", "--help")
    assert status == 0
    assert set(STAGES) <= set(re.findall(r"\w+", " ".join(lines)))


def test_a_stage_that_does_not_exist_is_said(refusion):
    status, lines = refusion("worker", "intake", "citizen")
    assert (status, lines) == (
        2,
        ["refusion: there is no stage citizen; the stages are intake, citizens, projections"],
    )


# --- publish --------------------------------------------------------------------------------------


def test_what_is_published_is_counted_and_stands_in_the_topic(refusion, pipeline, lives, tmp_path):
    status, (summary,) = refusion("publish", reports=lives[0])
    assert status == 0
    assert re.fullmatch(
        rf"published {len(lives[0])} records, 0\.\d MB in [\d.]+ s \([\d,]+/s\)", summary
    )
    file = tmp_path / "reports"
    file.write_bytes(b"\n".join(lives[1]) + b"\n")
    status, (summary,) = refusion("publish", "--json", file)
    assert status == 0
    told = json.loads(summary)
    assert (told["records"], told["bytes"]) == (len(lives[1]), sum(map(len, lives[1])))
    there = [
        record.value for records in pipeline.records(topics.RAW).values() for record in records
    ]
    assert sorted(there) == sorted(lives[0] + lives[1])


def test_without_a_broker_nothing_is_published_and_one_line_says_so(refusion, lives):
    status, lines = refusion("publish", reports=lives[0], REFUSION_BOOTSTRAP=NOWHERE)
    assert status == 2
    (line,) = lines
    assert line.startswith(
        f"refusion: no Kafka answers at {NOWHERE} (REFUSION_BOOTSTRAP); 0 of the 0 records read"
    )


def test_a_missing_setting_is_one_line_however_many_processes(refusion):
    status, lines = refusion("worker", "--processes", "2", REFUSION_BOOTSTRAP="")
    assert status == 2
    assert len(lines) == 1
