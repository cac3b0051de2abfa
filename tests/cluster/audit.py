"""The audit of a real cluster after its faults: topics, ledger and files say the same."""

import json
import os
import subprocess

from streams.kafka import topics
from streams.ledger.table import LedgerTable
from tests.cluster.machines import START_S, wait_for
from tests.kafka.test_ledger import OF_ROWS, posted_rows
from tests.support.pipeline import PROGRAM

REST_S = 1_200.0
LAST = 3_000
"""Characters of each worker's log that a failure tells."""


def audit(pipeline, publisher, folder, workers):
    """Nothing is lost, nothing is there twice; ledger and files are what the journal says."""
    for stage in ("intake", "citizens", "projections"):
        _wait_for_end(pipeline, stage, workers)
    pipeline.close_run("2023-12")
    for stage in ("citizens", "projections"):
        _wait_for_end(pipeline, stage, workers)
    for worker in workers:
        worker.process.terminate()
    assert [worker.process.wait(START_S) for worker in workers] == [0] * len(workers)
    in_raw = {
        (record.partition, record.offset)
        for records in pipeline.records(topics.RAW).values()
        for record in records
    }
    assert publisher.acknowledged <= in_raw, "an acknowledged report is gone"
    pipeline.audit()
    ledger = LedgerTable.open(pipeline.settings.ledger)
    wanted = ", ".join(f'"{name}"' for name in OF_ROWS)
    query = f"SELECT {wanted} FROM ledger WHERE id IS NOT NULL"  # noqa: S608
    booked = sorted(ledger.rows(query), key=repr)
    assert booked == sorted(posted_rows(pipeline), key=repr)
    files = folder / "files"
    assert _program(pipeline, "export", "--run", "48", "--no-wait", "--out", str(files)) is not None
    told = json.loads(
        _program(pipeline, "verify", "--deep", "--fold", "--files", str(files), "--json")
    )
    assert not told["violations"], told["violations"][:5]
    return len(booked)


def _wait_for_end(pipeline, stage, workers):
    """Wait until a stage has committed all; a failure tells what is left, and the workers' logs."""
    try:
        wait_for(lambda: not any(_left(pipeline, stage).values()), f"{stage}'s end", REST_S)
    except AssertionError as error:
        error.add_note(f"left, by partition: {_left(pipeline, stage)}")
        for worker in workers:
            error.add_note(f"worker {worker.number}: {worker.log.read_text()[-LAST:]}")
        raise


def _left(pipeline, stage):
    return pipeline.lags(stage, "read_uncommitted")


def _program(pipeline, *arguments):
    given = {
        name: value
        for name, (value, origin) in pipeline.settings.values.items()
        if origin == "environment"
    }
    done = subprocess.run(
        [PROGRAM, *arguments], env={**os.environ, **given}, capture_output=True, check=False
    )
    assert done.returncode == 0, (arguments, done.stderr.decode()[-2_000:], done.stdout[-2_000:])
    return done.stdout or b"{}"
