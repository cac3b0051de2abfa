"""Rule sets and recalculations on a real Kafka.

They are carried out in order and give the same bytes, whichever process dies on the way."""

from io import BytesIO

import orjson
import pytest

from domain.basics.weeks import month_number
from streams.kafka import topics
from streams.settings import Settings
from streams.simulation import SimulationOptions, simulate
from tests.support.lines import PAYMENT, changed
from tests.support.places import RULES

AT = {"written_at": "2024-02-01T08:00:00Z"}
OTHER = {"type": "rules", "id": "r-1", "rules": "second-step-35", **AT}
ALL = {"type": "recalculate", "id": "c-1", "scope": "all", **AT}
CITIZENS = 1_100
"""Some 275 in each of four partitions: two transactions of a recalculation."""


@pytest.fixture
def settings(settings):
    """Settings with a folder of further rule sets."""
    given = {
        name: value for name, (value, origin) in settings.values.items() if origin == "environment"
    }
    return Settings.load(given | {"REFUSION_RULES": str(RULES)})


@pytest.fixture(scope="module")
def many():
    """Three months of many citizens."""
    written = BytesIO()
    simulate(
        SimulationOptions(CITIZENS, month_number("2023-01"), month_number("2023-03"), 5, jobs=1),
        written,
    )
    return written.getvalue().splitlines()


def test_a_recalculation_goes_on_where_a_killed_worker_left_it(pipeline, many):
    late = many[-len(many) // 5 :]
    pipeline.publish(many[: -len(late)])
    worker = pipeline.start()
    pipeline.wait_until_settled()
    pipeline.stop(worker)
    pipeline.control(OTHER)
    pipeline.control(ALL)
    for plan in ("in_recalculation:2", "before_commit:2", "after_commit:3"):
        pipeline.wait_for_death(pipeline.start("citizens", REFUSION_TEST_KILL=f"citizens:{plan}"))
    worker = pipeline.start()
    pipeline.publish(late)
    pipeline.wait_until_settled()
    pipeline.control(ALL | {"id": "c-2"})
    pipeline.wait_until_settled()
    pipeline.stop(worker)
    postings = pipeline.audit()
    messages = [orjson.loads(record.value) for records in postings.values() for record in records]
    by_cause = {
        cause: [each for each in messages if each["cause"] == f"recalculate/{cause}"]
        for cause in ("c-1", "c-2")
    }
    assert len(by_cause["c-1"]) > CITIZENS // 10
    assert {(each["reason"], each["rules"]) for each in by_cause["c-1"]} == {
        ("rule_change", "second-step-35")
    }
    assert by_cause["c-2"] == [], "what is right is left alone"


def test_a_worker_without_the_rule_set_stops_before_it_settles_anything(pipeline, lives, tmp_path):
    pipeline.publish(lives[0])
    pipeline.control(OTHER)
    with (tmp_path / "log").open("wb") as log:
        worker = pipeline.start(log=log, REFUSION_RULES="")
        assert worker.wait(60) == 2
    said = (tmp_path / "log").read_text()
    assert "the rule set second-step-35 is not known here; known are R-1" in said
    assert "Traceback" not in said
    assert not any(pipeline.records(topics.POSTINGS).values())
    worker = pipeline.start()
    pipeline.wait_until_settled()
    pipeline.stop(worker)
    messages = [
        orjson.loads(record.value) for records in pipeline.audit().values() for record in records
    ]
    assert {message["rules"] for message in messages} == {"second-step-35"}


HELP = {"benefit": "HFP", "atp_ore": 0, "period_start": "2024-01-01", "period_end": "2024-01-31"}


def test_a_worker_with_state_takes_up_the_benefits_of_a_rule_set_through_the_journal(
    pipeline, lives
):
    """HFP is of R-2: unknown before the record that names R-2, and paid after it."""
    pipeline.publish([*lives[0], changed(PAYMENT, **HELP, report_id="too-early")])
    worker = pipeline.start()
    pipeline.wait_until_settled()
    pipeline.control({"type": "rules", "id": "r-2", "rules": "R-2", **AT})
    pipeline.publish([*lives[1], changed(PAYMENT, **HELP, report_id="in-time")])
    pipeline.wait_until_settled()
    pipeline.stop(worker)
    messages = [
        orjson.loads(record.value) for records in pipeline.audit().values() for record in records
    ]
    helped = [
        message
        for message in messages
        if any(row["benefit"] == "HFP" for row in message.get("rows", ()))
    ]
    assert {message["cause"].split("/")[1] for message in helped} == {"in-time"}
    assert {message["rules"] for message in helped} == {"R-2"}
    assert not [message for message in messages if message.get("reason") == "rule_change"]
    reasons = [
        dict(record.headers)["reason"]
        for records in pipeline.records(topics.DEAD_LETTERS).values()
        for record in records
    ]
    assert reasons == [b"unknown_benefit"]
