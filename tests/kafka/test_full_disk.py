"""A worker whose state folder is on a disk that is full: it stays well, and goes on with room."""

import shutil
import sys
from io import BytesIO
from urllib.request import urlopen

import pytest

from domain.basics.weeks import month_number
from streams.audit.verify import VerifyRequest, verify
from streams.simulation import SimulationOptions, simulate
from tests.support.ports import free_port
from tests.support.small_disk import on_a_small_disk, small_disk

WORKER = """
import sys
from streams.citizens import store
from streams.settings import Settings
from streams.worker.app import run_worker
store.MEMTABLE_BYTES = 64 << 10
sys.exit(run_worker(sys.argv[1:], Settings.load(), 1))
"""
"""A worker that writes its state out early, so that few reports fill a disk."""
SMALL = "300k"
ROOMY = "400m"
ANSWER_S = 20.0
"""A bound for an answer of a worker that is well; one that hangs gives none."""
FULL = "No space left on device"


class Worker:
    """A worker with metrics, and what it has said."""

    def __init__(self, pipeline, log):
        self.port = free_port()
        self.log = log
        command = [sys.executable, "-c", WORKER, "intake", "citizens"]
        with log.open("wb") as file:
            self.process = pipeline.started(
                command, file, {"REFUSION_METRICS_PORT": str(self.port)}
            )

    def said(self):
        return self.log.read_text()

    def is_well(self):
        with urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=ANSWER_S) as answer:
            return answer.read() == b"ok\n"


@pytest.fixture(scope="module")
def lines():
    """Reports of which the state is larger than the disk."""
    written = BytesIO()
    months = month_number("2023-01"), month_number("2024-06")
    simulate(SimulationOptions(500, *months, seed=9, jobs=1), written, lambda _: None)
    return written.getvalue().splitlines()


def publish_until_full(pipeline, worker, lines):
    """A full disk is noticed by a write; intake, which needs none, gets through all the same."""
    pipeline.publish(lines)
    pipeline.feed(lines, lambda: FULL in worker.said())
    pipeline.wait_until_settled(["intake"])


@pytest.mark.long
@on_a_small_disk
def test_partitions_wait_for_room_and_go_on_by_themselves(pipeline, lines, tmp_path):
    """First while the state is written, then while it is restored from nothing."""
    most = len(lines) * 3 // 4
    for name, portion in (("written", lines[:most]), ("restored", lines[most:])):
        shutil.rmtree(pipeline.settings.state_dir, ignore_errors=True)
        with small_disk(pipeline.settings.state_dir, SMALL) as disk:
            worker = Worker(pipeline, tmp_path / name)
            publish_until_full(pipeline, worker, portion)
            assert worker.is_well()
            assert sum(pipeline.lags("citizens").values()) > 0
            disk.enlarge(ROOMY)
            pipeline.wait_until_settled()
            pipeline.stop(worker.process)
        assert "Traceback" not in worker.said()
    pipeline.audit(crashed=False)
    assert verify(pipeline.settings, VerifyRequest(), lambda *_: None).violations.named == []


@pytest.mark.long
@on_a_small_disk
def test_a_worker_ends_in_good_order_while_the_disk_is_full(pipeline, lines, tmp_path):
    with small_disk(pipeline.settings.state_dir, SMALL):
        worker = Worker(pipeline, tmp_path / "log")
        publish_until_full(pipeline, worker, lines)
        pipeline.stop(worker.process)
    again = Worker(pipeline, tmp_path / "again")
    pipeline.wait_until_settled()
    pipeline.stop(again.process)
    pipeline.audit(crashed=False)
