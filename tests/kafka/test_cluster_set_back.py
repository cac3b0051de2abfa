"""Brokers come back with an older copy of their data, as after a restored snapshot.

What was written since is gone, state and disks of workers go on. Nothing that is still there may be
lost or posted twice, and it is said.
"""

from shutil import copytree, rmtree

import pytest

from streams.audit.verify import VerifyRequest, verify
from streams.devtools.local_kafka import QUICK_START, LocalKafka
from tests.support.pipeline import QUICK_RETURN, Pipeline, settings_for

AHEAD = "its state is not of this changelog, or ahead of it: thrown away"
OTHER = "its state is of a changelog that has another record"
GONE = "its state is of a changelog that no longer has record"


class Installation:
    """A broker whose data is copied and set back, and what works on it."""

    def __init__(self, folder):
        self._data, self._copy = folder / "kafka", folder / "copy"
        self._log = folder / "log"
        self.kafka = LocalKafka(
            folder=self._data, properties=QUICK_RETURN, java_options=QUICK_START
        )
        self.kafka.start()
        self.pipeline = Pipeline(settings_for(self.kafka, "set-back.", folder / "state"))

    def start(self, **environment):
        with self._log.open("ab") as log:
            return self.pipeline.start(log=log, **environment)

    def take_copy(self):
        self.kafka.stop()
        copytree(self._data, self._copy)
        self.kafka.start()

    def set_back(self):
        self.kafka.stop()
        rmtree(self._data)
        copytree(self._copy, self._data)
        self.kafka.start()

    def settle(self, lines):
        self.pipeline.publish(lines)
        self.pipeline.wait_until_settled()

    def said(self):
        return self._log.read_text()

    def check(self):
        """All that is there was settled once, to the byte, and the audit finds nothing."""
        self.pipeline.audit()
        found = verify(self.pipeline.settings, VerifyRequest(fold=True), lambda *_: None)
        assert found.violations.named == []


@pytest.fixture
def installation(tmp_path):
    made = Installation(tmp_path)
    yield made
    made.pipeline.clean_up()
    made.kafka.stop()


@pytest.mark.long
def test_a_worker_that_lives_while_brokers_are_set_back_goes_on_with_what_is_there(
    installation, lives
):
    worker = installation.start()
    installation.settle(lives[0])
    installation.take_copy()
    installation.settle(lives[1])
    installation.set_back()
    installation.settle(lives[2])
    installation.settle(lives[1])
    assert worker.poll() is None
    installation.pipeline.stop(worker)
    assert AHEAD in installation.said()
    installation.check()


@pytest.mark.long
def test_the_disk_of_a_worker_is_not_believed_when_brokers_have_grown_past_it(
    installation, lives, tmp_path
):
    """Their changelog is longer than the disk is, and has other records."""
    first = installation.start()
    installation.settle(lives[0])
    installation.take_copy()
    installation.settle(lives[1])
    installation.pipeline.stop(first)
    installation.set_back()
    second = installation.start(REFUSION_STATE_DIR=str(tmp_path / "second"))
    installation.settle([*lives[2], *lives[3]])
    installation.pipeline.stop(second)
    assert OTHER not in installation.said()

    first = installation.start()
    installation.settle(lives[1])
    installation.pipeline.stop(first)
    assert OTHER in installation.said() or GONE in installation.said()
    installation.check()
