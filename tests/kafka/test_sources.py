"""A source has a raw topic of its own, from which its reporters alone may speak."""

import asyncio
import os
import subprocess

import pytest

from streams.kafka import topics
from streams.operations.publish import publish
from streams.operations.runs import status
from streams.settings import Settings
from tests.support.lines import payment
from tests.support.pipeline import PROGRAM, Pipeline

REGISTER = """
- {cvr: "11111111", name: Randers, kind: municipality, municipality: "730"}
- {cvr: "22222222", name: Favrskov, kind: municipality, municipality: "710", source: kmd}
- {cvr: "33333333", name: Aarhus, kind: municipality, municipality: "751", source: own}
"""
SOURCES = ("", "kmd", "own")


@pytest.fixture
def with_sources(settings, tmp_path):
    """A pipeline with a register of two sources."""
    register = tmp_path / "reporters.yaml"
    register.write_text(REGISTER)
    given = {name: text for name, (text, origin) in settings.values.items() if origin != "default"}
    environment = {name: text for name, text in given.items() if text is not None}
    pipeline = Pipeline(Settings.load(environment | {"REFUSION_REPORTERS": str(register)}))
    yield pipeline
    pipeline.clean_up()


def lines_of(source):
    """One payment of every reporter for a citizen, as this source publishes them."""
    return [
        payment(cpr=f"610180{number}234", reporter=reporter, report_id=f"{source}-{reporter}")
        for number, reporter in enumerate(("11111111", "22222222", "33333333", "44444444"), 1)
    ]


def lag(pipeline):
    return asyncio.run(status(pipeline.settings, lambda _what, _done, _total: None)).lag["intake"]


def raw_of(records):
    return {
        (headers["raw"].decode().rsplit("/", 2)[0], headers["ce_source"][-8:].decode())
        for of_partition in records.values()
        for record in of_partition
        if "raw" in (headers := dict(record.headers))
    }


def dead(pipeline):
    return sorted(
        (headers["topic"].decode(), headers["reason"].decode(), headers["stage"].decode())
        for records in pipeline.records(topics.DEAD_LETTERS).values()
        for record in records
        for headers in [dict(record.headers)]
    )


def test_reports_of_each_source_are_taken_in_from_its_topic_and_from_no_other(with_sources):
    """Verify finds each raw record of every topic in the journal or among the dead letters."""
    pipeline, environment = with_sources, {}
    for source in SOURCES:
        asyncio.run(publish(lines_of(source), pipeline.settings, lambda _: None, source))
    assert lag(pipeline) == 12
    worker = pipeline.start()
    pipeline.wait_until(lambda: lag(pipeline) == 0)
    pipeline.wait_until_settled()
    pipeline.stop(worker)

    raw = pipeline.topic(topics.RAW)
    assert raw_of(pipeline.records(topics.REPORTS)) == {
        (raw, "11111111"),
        (f"{raw}.kmd", "22222222"),
        (f"{raw}.own", "33333333"),
    }
    refused = dead(pipeline)
    assert len(refused) == 9
    assert set(refused) == {
        (f"{raw}{source}", reason, "intake")
        for source in ("", ".kmd", ".own")
        for reason in ("foreign_reporter", "unknown_reporter")
    }

    environment = {
        name: text
        for name, (text, origin) in pipeline.settings.values.items()
        if origin == "environment"
    }

    def refusion(*arguments):
        done = subprocess.run(
            [PROGRAM, *arguments],
            check=False,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
        )
        return done.returncode, done.stdout + done.stderr

    assert refusion("verify")[0] == 0
    state, said = refusion("publish", "--source", "nobody", os.devnull)
    assert (state, "known are kmd, own" in said) == (2, True)
    del environment["REFUSION_REPORTERS"]
    state, said = refusion("verify")
    assert state == 0, said
    assert "its source is not in the register here" in said
