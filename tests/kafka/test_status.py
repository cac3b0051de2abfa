"""`refusion status` on a real Kafka: one look at a system that works, and at one that stands."""

import json
import os
import subprocess

from streams.kit.last_outcomes import RUN_CLOSE, keep_outcome
from streams.worker.app import STAGES
from tests.support.pipeline import DONE_S, PROGRAM


def status(pipeline, *options):
    given = {
        name: value
        for name, (value, origin) in pipeline.settings.values.items()
        if origin == "environment"
    }
    return subprocess.run(
        [PROGRAM, "status", *options],
        env=os.environ | given,
        capture_output=True,
        text=True,
        timeout=DONE_S,
        check=False,
    )


def test_a_look_tells_whether_somebody_must_come(pipeline, lives):
    running = pipeline.start(*STAGES)
    pipeline.publish([*lives[0][:80], b"refused"])
    pipeline.wait_until_settled(STAGES)
    pipeline.close_run("2023-06")
    pipeline.wait_until_settled(STAGES)
    pipeline.wait_until(lambda: status(pipeline, "--json").returncode == 0)
    seen = json.loads(status(pipeline, "--json").stdout)
    assert [(each["stage"], each["lag"], each["workers"]) for each in seen["stages"]] == [
        (stage, 0, 1) for stage in STAGES
    ]
    assert seen["last_run"] == {"run": 42, "month": "2023-06", "at": "2023-06-28T12:00:00Z"}
    assert (seen["open_month"], seen["letters"]) == ("2023-07", 1)
    assert seen["letters_of_day"] == {"not_json": 1}
    assert (seen["verified"], seen["backed_up"], seen["fine"]) == (None, None, True)
    assert seen["held"] is None

    _held_is_seen(pipeline)
    pipeline.stop(running)
    pipeline.publish(lives[0][80:100])
    stands = status(pipeline, "--late", "1")
    assert stands.returncode == 1
    assert "ATTENTION: intake: no worker is at work" in stands.stdout
    assert "run 42 (2023-06) was closed at 2023-06-28T12:00:00Z; 2023-07 is open" in stands.stdout


def _held_is_seen(pipeline):
    """A run that is held needs somebody, until it is closed."""
    kept_in = pipeline.settings.operations_dir
    keep_outcome(kept_in, RUN_CLOSE, {"fine": False, "run": 43, "month": "2023-07"})
    held = status(pipeline)
    assert held.returncode == 1
    assert "run 43 (2023-07) is held since" in held.stdout
    assert "ATTENTION: run 43 (2023-07) was held at" in held.stdout
    told = json.loads(status(pipeline, "--json").stdout)
    assert (told["held"]["run"], told["held"]["month"], told["fine"]) == (43, "2023-07", False)
    keep_outcome(kept_in, RUN_CLOSE, {"fine": True, "run": 43, "month": "2023-07"})
    assert status(pipeline).returncode == 0
