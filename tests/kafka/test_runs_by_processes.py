"""The open run is the same, whether one process reads it or several do."""

import asyncio

import orjson
import pytest

from domain.basics.weeks import month_number
from domain.law.staircase import Law
from streams.citizens.rule_sets import load_rule_set
from streams.kit.foreign import PASSED_OVER
from streams.operations.run_survey import run_topics
from streams.settings import Settings
from tests.kafka.test_foreign_writers import write

STAGES = ("intake", "citizens")
MONTH = "2023-07"
EXPECTED_ORE = 123_456_700


def surveyed(settings, told, most_jobs=2):
    """Return what is known of the open run, and the places that were passed over for it."""

    async def asked():
        async with run_topics(settings) as topics_read:
            last = await topics_read.last_run(lambda *_: None)
            PASSED_OVER.forget()
            law, month = Law(load_rule_set()), month_number(MONTH)
            progress = lambda done, total: told.append((done, total))  # noqa: E731
            return await topics_read.survey(law, last, month, progress, most_jobs)

    return asyncio.run(asked()), set(PASSED_OVER.places)


@pytest.fixture
def expecting(pipeline, lives, tmp_path):
    """Return settings by which a payment is expected of a citizen whom the reports name."""
    payments = (orjson.loads(line) for line in lives[0])
    paid = next(each for each in payments if each["type"] == "benefit_payment")
    names = ("reporter", "benefit", "period_start", "period_end")
    line = {name: paid[name] for name in names} | {
        "type": "expected_payment", "payment": "U-1", "line": 1, "amount_ore": EXPECTED_ORE,
        "citizen": pipeline.settings.identity().of(paid["cpr"])[0],
        "answered_at": "2024-02-05T08:00:00Z",
    }  # fmt: skip
    path = tmp_path / "expected.jsonl"
    path.write_bytes(orjson.dumps(line) + b"\n")
    values = pipeline.settings.values.items()
    given = {name: value for name, (value, origin) in values if origin == "environment"}
    return Settings.load(given | {"REFUSION_EXPECTED": str(path)})


def test_the_open_run_is_the_same_whoever_reads_it(pipeline, lives, expecting, monkeypatch):
    worker = pipeline.start(*STAGES)
    pipeline.publish(lives[0] + lives[1])
    pipeline.wait_until_settled(STAGES)
    pipeline.close_run("2023-06")
    pipeline.publish(lives[2])
    write(pipeline, (0, b"c" * 32, b"{}", []), (1, None, b"nobody's", []))
    pipeline.wait_until_settled(STAGES)
    pipeline.stop(worker)
    found = []
    for jobs in (1, 2):
        monkeypatch.setattr("streams.operations.run_survey.jobs_for", lambda _, jobs=jobs: jobs)
        told: list[tuple[int, int]] = []
        found.append(surveyed(expecting, told))
        assert told[-1][0] == found[-1][0].records > 0
    monkeypatch.setattr("streams.operations.run_survey.run_tasks", None)  # a site has none
    found.append(surveyed(expecting, [], 1))
    assert found.pop() == found[0]
    (alone, foreign), (shared, told_foreign) = found
    assert shared == alone
    assert told_foreign == foreign
    assert {each.partition for each in foreign} == {0, 1}
    (line,) = alone.expected.lines()
    assert line.expected_ore == EXPECTED_ORE
    assert line.received_ore not in (0, EXPECTED_ORE)
    assert alone.totals.rows
    assert alone.books.control
