"""Backup and restore on a real Kafka, as programs: a drill of a cluster that is lost."""

import json
import os
import signal
import subprocess
import time

import pytest

from projections.ledger.entries import COLUMNS
from streams.audit.verify import VerifyRequest, verify
from streams.devtools.local_kafka import QUICK_START, LocalKafka
from streams.kafka import topics
from streams.ledger.table import LedgerTable
from streams.settings import Settings
from streams.worker.app import STAGES
from tests.kafka.test_rebuild import values_of
from tests.support.pipeline import DONE_S, PROGRAM, QUICK_RETURN, Pipeline

PLACES = {"offset", "journal_offset"}
"""Columns of the ledger that name places in topics, which are others in topics made anew."""


def environment(settings):
    return {
        name: value for name, (value, origin) in settings.values.items() if origin == "environment"
    }


def program(settings, *arguments, status=0):
    """Run the program to its end, and return what it printed as JSON."""
    ran = subprocess.run(
        [PROGRAM, *arguments, "--json"],
        env=os.environ | environment(settings),
        capture_output=True,
        timeout=DONE_S,
        check=False,
    )
    assert ran.returncode == status, ran.stderr
    return json.loads(ran.stdout) if ran.stdout else ran.stderr.decode()


def elsewhere(settings, prefix, tmp_path, bootstrap=None):
    """The settings of the installation that is made anew."""
    new = {"REFUSION_PREFIX": prefix, "REFUSION_STATE_DIR": str(tmp_path / "new-state")}
    if bootstrap is not None:
        new["REFUSION_BOOTSTRAP"] = bootstrap
    return Settings.load(environment(settings) | new)


def test_a_journal_is_restored_under_another_prefix_by_a_restore_that_is_begun_twice(
    pipeline, lives, tmp_path
):
    settings, place = pipeline.settings, str(tmp_path / "backup")
    pipeline.publish(lives[0][:200])
    running = pipeline.start()
    pipeline.wait_until_settled()
    assert program(settings, "backup", "--to", place)["whole"]
    pipeline.close_run("2023-06")
    pipeline.publish(lives[0][200:300])
    pipeline.wait_until_settled()
    pipeline.stop(running)
    assert program(settings, "backup", "--to", place)["whole"]
    found = program(settings, "backup", "verify", "--from", place)
    assert (found["fine"], found["opened"], found["links"]) == (True, True, 2)

    prefix = f"new-{settings.prefix}"
    new = Pipeline(elsewhere(settings, prefix, tmp_path))
    restored = program(settings, "restore", "--from", place, "--prefix", prefix)
    journal = values_of(pipeline, topics.REPORTS)
    assert values_of(new, topics.REPORTS) == journal
    keys = settings.partitions  # the records that state them, which the helper leaves out
    assert restored["records"]["reports"] == sum(map(len, journal.values())) + keys
    again = program(settings, "restore", "--from", place, "--prefix", prefix)
    assert again["records"]["reports"] == restored["records"]["reports"]
    assert again["there_before"] == sum(restored["records"].values())
    assert values_of(new, topics.REPORTS) == journal
    compare = "restore", "--from", place, "--prefix", prefix, "--compare"
    compared = program(settings, *compare, status=1)
    assert (compared["same"], compared["missing"] > 0) == (0, True), "its topics are made and empty"
    refused = program(settings, "restore", "--from", place, "--prefix", settings.prefix, status=2)
    assert "came from no backup" in refused


@pytest.mark.long
def test_a_cluster_that_is_lost_is_made_again_from_its_backup(kafka, pipeline, lives, tmp_path):
    settings, place = pipeline.settings, f"file://{tmp_path}/backup"
    running = pipeline.start(*STAGES)
    pipeline.publish([*lives[0], b"refused"])
    pipeline.wait_until_settled(STAGES)
    pipeline.close_run("2023-06")
    program(settings, "backup", "--to", place)
    lines = iter(lives[1])
    pipeline.publish([next(lines) for _ in range(100)])
    saving = pipeline.start_program("backup", "--to", place)  # while workers go on
    pipeline.publish(list(lines))
    assert saving.wait(DONE_S) == 0
    dying = pipeline.start_program("backup", "--to", place)
    time.sleep(1.0)
    dying.send_signal(signal.SIGKILL)
    dying.wait(DONE_S)
    pipeline.close_run("2023-07")
    pipeline.publish(lives[2])
    pipeline.wait_until_settled(STAGES)
    pipeline.stop(running)
    assert program(settings, "backup", "--to", place)["whole"]
    assert program(settings, "backup", "verify", "--from", place)["wrong"] == []
    posted = values_of(pipeline, topics.POSTINGS)
    ledger = whole_ledger(settings)

    with LocalKafka(properties=QUICK_RETURN, java_options=QUICK_START) as other:
        assert other.bootstrap != kafka.bootstrap
        new = Pipeline(elsewhere(settings, settings.prefix, tmp_path, other.bootstrap))
        restoring = new.start_program("restore", "--from", place, "--prefix", settings.prefix)
        time.sleep(2.0)
        restoring.send_signal(signal.SIGKILL)
        restoring.wait(DONE_S)
        program(new.settings, "restore", "--from", place, "--prefix", settings.prefix)
        rebuilding = new.start(*STAGES)
        try:
            new.wait_until_settled(STAGES)
            compare = "restore", "--from", place, "--prefix", settings.prefix, "--compare"
            compared = program(new.settings, *compare)
            assert compared["fine"]
            assert compared["same"] == sum(map(len, posted.values())) > 1000
            assert values_of(new, topics.POSTINGS) == posted
            assert whole_ledger(new.settings) == ledger
            new.publish(lives[3])  # it goes on
            new.wait_until_settled(STAGES)
            new.stop(rebuilding)
            request = VerifyRequest(sample_percent=100, jobs=0, fold=True)
            verified = verify(new.settings, request, lambda *_: None)
            assert verified.violations.named == []
            assert verified.folded > compared["same"]
            assert values_of(new, topics.POSTINGS) != posted
        finally:
            new.clean_up()


def whole_ledger(settings):
    """The ledger in the order of each partition, without places in topics."""
    columns = ", ".join(f'"{name}"' for name in COLUMNS if name not in PLACES)
    query = f'SELECT {columns} FROM ledger ORDER BY "partition", "offset", "position"'  # noqa: S608
    return list(LedgerTable.open(settings.ledger).rows(query))
