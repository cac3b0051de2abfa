"""Opening rows on a real Kafka, loaded before and after reports, and twice: none is paid again."""

import asyncio
import io
import json
import os
import subprocess
from collections import Counter

import orjson

from streams.kafka import topics
from streams.offline.settle import settle
from streams.operations import runs
from streams.operations.runs import Closing
from tests.properties.test_openings import as_opening
from tests.support import product
from tests.support.pipeline import DONE_S, PROGRAM


def openings_of(lines, settings):
    """The records of all rows that stand after these reports, by citizen."""
    postings = io.BytesIO()
    settle(lines, settings, 1, postings)
    messages: dict[str, list] = {}
    for message in map(orjson.loads, postings.getvalue().splitlines()):
        messages.setdefault(message["citizen"], []).append(message)
    identity = settings.identity()
    openings = [
        [
            as_opening(row, identity.unseal(citizen, own[0]["cpr_sealed"]))
            for row in product.standing_rows(own)
        ]
        for citizen, own in messages.items()
    ]
    return [
        of_citizen for of_citizen in openings if of_citizen
    ]  # who has no row has support that nobody finances


def load(settings, path):
    given = {
        name: value for name, (value, origin) in settings.values.items() if origin == "environment"
    }
    done = subprocess.run(
        [PROGRAM, "opening", "load", "--json", str(path)],
        env=os.environ | given,
        capture_output=True,
        check=False,
        timeout=DONE_S,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_what_was_settled_is_not_paid_again_whenever_it_is_loaded(
    pipeline, settings, lives, tmp_path
):
    lines = lives[0] + lives[1]
    by_citizen = openings_of(lines, settings)
    before, after = by_citizen[::2], by_citizen[1::2]
    wrong = after[0][0] | {"rate": 1, "refusion_ore": 0, "medfinansiering_ore": 0}
    for name, groups in (("before.jsonl", before), ("after.jsonl", [*after, [wrong]])):
        (tmp_path / name).write_bytes(
            b"".join(orjson.dumps(each) + b"\n" for group in groups for each in group)
        )
    told = load(settings, tmp_path / "before.jsonl")
    assert (told["rows"], told["citizens"], told["listed"]) == (
        sum(map(len, before)),
        len(before),
        [],
    )
    worker = pipeline.start()
    pipeline.publish(lines)
    pipeline.wait_until_settled()
    load(settings, tmp_path / "after.jsonl")
    load(settings, tmp_path / "before.jsonl")
    pipeline.wait_until_settled()
    pipeline.stop(worker)

    postings = pipeline.audit(crashed=False)
    rows = [
        row
        for records in postings.values()
        for record in records
        for row in orjson.loads(record.value)["rows"]
    ]
    assert sum(row["kind"] == "opening" for row in rows) == sum(map(len, by_citizen))
    money = Counter[str]()
    for row in rows:
        if row["kind"] != "opening":
            for name in product.MONEY:
                money[name] += row.get(name, 0)
    assert not any(money.values()), "something was paid again"
    (refused,) = (
        headers
        for records in pipeline.records(topics.DEAD_LETTERS).values()
        for record in records
        if (headers := {name: value.decode() for name, value in record.headers})["stage"]
        == "citizens"
        and headers["field"] == ""
    )
    assert refused["reason"] == "conflicting_duplicate"

    dry = asyncio.run(runs.close(settings, Closing("2023-06", dry_run=True), lambda *_: None))
    assert (
        dry.survey.books.kinds["Opening"] == sum(map(len, by_citizen)) + sum(map(len, before)) + 1
    )
    assert [finding for finding in dry.findings if finding.code == "control_sum"] == []
