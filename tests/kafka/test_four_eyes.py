"""Two persons and the program on a real Kafka: asked, approved by another, done once, recorded."""

import asyncio
import json

import orjson
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from streams.audit.access_chains import AccessChains
from streams.kafka import topics
from tests.support.acts_in_memory import ANNA, BO
from tests.support.lines import PAYMENT, changed

ROW = {
    "schema": 1,
    "type": "opening",
    "cpr": "6101801234",
    "month": "2023-03",
    "week": "2023-03-06",
    "benefit": "KTH",
    "paying": "730",
    "financing": "730",
    "amount_ore": 100_000,
    "mechanism": "refusion",
    "rate": 20,
    "refusion_ore": 20_000,
    "reported_at": "2024-01-01T00:00:00Z",
}


@pytest.fixture
def refusion(as_person):
    return as_person


BAD = changed(PAYMENT, report_id="bad", benefit="XYZ")
OTHER = "R-2"


@pytest.mark.long
def test_a_rule_set_and_what_was_refused_for_its_content_wait_for_another_person(
    pipeline, refusion, lives
):
    pipeline.publish([*lives[0], BAD])
    worker = pipeline.start()
    pipeline.wait_until_settled()

    # --- a record that was refused for its content
    (letter,) = json.loads(refusion(ANNA, "dead-letters", "list", "--json")[1])["letters"]
    retry = ("dead-letters", "retry", "--unchanged", letter["place"])
    status, told, said = refusion(ANNA, *retry)
    assert (status, len(pipeline.lags("intake"))) == (3, 4), said
    status, told, said = refusion(BO, "approve", told.strip(), "--json")
    assert (status, len(json.loads(told)["sent"])) == (0, 1), said
    pipeline.wait_until_settled()

    # --- a rule set: who asks has it shown, and is not asked whether he is sure
    status, told, said = refusion(ANNA, "replay", "--rules", OTHER, "--apply")
    assert status == 3, said
    request = told.splitlines()[-1]
    status, told, said = refusion(BO, "approve", request, "--json")
    assert status == 0, said
    applied = json.loads(told)
    assert applied["applied"]["messages"] == applied["messages"]
    pipeline.stop(worker)
    records = [record for each in pipeline.records(topics.ACCESS).values() for record in each]
    last = orjson.loads(records[-1].value)
    assert (last["act"], last["id"]) == ("replay --apply", applied["applied"]["id"])
    assert (last["user"], last["request"]) == ("bo", request)


def compacted(settings, name):
    """Make a topic as somebody else might have made it, who loses old records."""

    async def create():
        admin = AIOKafkaAdminClient(bootstrap_servers=str(settings.bootstrap))
        await admin.start()
        try:
            configs = {"cleanup.policy": "compact"}
            await admin.create_topics([NewTopic(name, 1, 1, topic_configs=configs)])
        finally:
            await admin.close()

    asyncio.run(create())


def test_an_opening_is_loaded_when_another_person_agrees_and_once(
    pipeline, settings, refusion, tmp_path
):
    pipeline.publish([])
    path = tmp_path / "rows.jsonl"
    path.write_bytes(orjson.dumps(ROW) + b"\n")

    # --- asked for by Anna
    status, told, said = refusion(ANNA, "opening", "load", path)
    request = told.strip()
    assert (status, told.count("\n")) == (3, 1), said
    assert f"refusion approve {request}" in said
    assert not any(pipeline.records(topics.REPORTS).values())
    ((waiting,),) = [json.loads(refusion(BO, "approvals", "list", "--json")[1])]
    assert (waiting["id"], waiting["user"], waiting["state"]) == (request, "anna", "open")
    assert waiting["about"]["content"].startswith("1 opening rows of 1 citizens would be loaded")
    assert request in refusion(BO, "approvals", "list")[1]

    # --- approved by Bo, who is another person, while the files are the same
    status, _, said = refusion(ANNA, "approve", request)
    assert (status, "is your own" in said) == (2, True)
    path.write_bytes(orjson.dumps(ROW | {"refusion_ore": 90_000}) + b"\n")
    status, _, said = refusion(BO, "approve", request)
    assert (status, "its files would be another now" in said) == (2, True), said
    assert not any(pipeline.records(topics.REPORTS).values())
    path.write_bytes(orjson.dumps(ROW) + b"\n")
    status, told, said = refusion(BO, "approve", request, "--json")
    assert (status, json.loads(told)["rows"]) == (0, 1), said
    assert sum(map(len, pipeline.records(topics.REPORTS).values())) == 1
    status, _, said = refusion(BO, "approve", request)
    assert (status, "was carried out before" in said) == (2, True)
    assert sum(map(len, pipeline.records(topics.REPORTS).values())) == 1

    # --- a run that is closed in spite of a doubt, which is that its month has not begun
    doubted = ("run", "close", "--month", "2099-01", "--no-wait")
    assert refusion(ANNA, *doubted)[0] == 1
    assert refusion(ANNA, *doubted, "--accept", "see 01 01 90 1234")[0] == 2
    status, told, said = refusion(ANNA, *doubted, "--accept", "a test", "--json")
    assert (status, json.loads(told)["act"]) == (3, "run close --accept"), said
    status, told, said = refusion(BO, "approve", json.loads(told)["request"], "--json")
    assert (status, json.loads(told)["accepted"]) == (0, ["a test"]), said
    assert sum(map(len, pipeline.records(topics.REPORTS).values())) == 1 + settings.partitions

    # --- recorded: by the operating system's users, in whole chains
    records = [record for each in pipeline.records(topics.ACCESS).values() for record in each]
    fields = [orjson.loads(record.value) for record in records]
    assert [(each["type"], each["user"]) for each in fields] == [
        ("request", "anna"),
        ("approval", "bo"),
        ("approval", "bo"),
        ("act", "bo"),
        ("request", "anna"),
        ("approval", "bo"),
        ("act", "bo"),
    ]
    assert str(ROW["cpr"]) not in str(fields)
    chains = AccessChains("access", settings.macs())
    assert [violation for record in records for violation in chains.add(record)] == []

    # --- where nothing can be recorded, nothing is done
    other = f"other-{settings.prefix}"
    compacted(settings, f"{other}access")
    status, _, said = refusion(
        ANNA, "dead-letters", "list", REFUSION_PREFIX=other, REFUSION_FOUR_EYES="0"
    )
    assert (status, "other-" in said) == (2, True), said
    status, _, said = refusion(
        ANNA, "opening", "load", path, REFUSION_PREFIX=other, REFUSION_FOUR_EYES="0"
    )
    assert (status, f"{other}access" in said) == (2, True), said
