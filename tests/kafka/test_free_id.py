"""`refusion free-id`: two persons free an id, and the true report counts."""

import os
import subprocess

import orjson

from streams.kafka import topics
from tests.support.lines import payment
from tests.support.pipeline import PROGRAM

CPR = "6101901357"
ASKED = ("free-id", "--reporter", "12345678", "--report-id", "P1", "--reason", "a slip")


def test_the_true_report_counts_once_its_id_is_freed(pipeline):
    """Four eyes make it wait; without them (demo mode) the record is written to all partitions."""

    def refusion(*arguments, **more):
        given = {name: text for name, (text, _) in pipeline.settings.values.items() if text}
        return subprocess.run(
            [PROGRAM, *arguments],
            check=False,
            env={**os.environ, **given, **more},
            input=CPR,
            capture_output=True,
            text=True,
        )

    pipeline.publish([payment(cpr=CPR, report_id="P1", amount_ore=700, atp_ore=0)])
    worker = pipeline.start()
    pipeline.wait_until_settled()
    waiting = refusion(*ASKED, REFUSION_FOUR_EYES="1")
    assert waiting.returncode == 3, waiting.stderr
    assert CPR not in waiting.stdout + waiting.stderr
    for wrong in (("--reporter", "1"), ("--reason", f"of {CPR}"), ("--report-id", "")):
        assert refusion(*ASKED, *wrong).returncode == 2
    done = refusion(*ASKED)
    assert done.returncode == 0, done.stderr
    pipeline.publish([payment(cpr=CPR, report_id="P1", atp_ore=0)])
    pipeline.wait_until_settled()
    pipeline.stop(worker)
    pipeline.audit()
    causes = [
        orjson.loads(record.value)["cause"]
        for records in pipeline.records(topics.POSTINGS).values()
        for record in records
    ]
    assert [cause.partition("/")[0] for cause in causes] == ["12345678", "free", "12345678"]
    assert refusion("verify").returncode == 0
    explained = refusion("explain", "--whole-journal", "--week", "2024-02-05", "--json")
    assert explained.returncode == 0, explained.stderr
    reason = orjson.loads(explained.stdout)["explanation"]
    assert [report["fate"] for report in reason["reports"]] == ["freed", "counts"]
    assert reason["rows"][0]["amount_ore"] > 700
