"""`refusion verify` on a real Kafka: a clean system has no violation, what is altered is named.

What an audit finds in topics that were damaged on purpose is tested in tests/streams/audit.
"""

import asyncio
import json
import re
from typing import Any
from uuid import uuid4

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.structs import OffsetAndMetadata

from streams.audit.verify import VerifyRequest, verify
from streams.kafka import topics
from streams.kafka.topics import ensure_topics
from streams.settings import Settings
from streams.wire.partitioner import partition_of
from tests.support.audit_run import (
    CITIZEN_CPR,
    environment_of,
    load_opening_file,
    run_both_halves,
    run_verify,
)
from tests.support.pipeline import Pipeline
from tests.support.places import RULES
from tests.support.topics_in_memory import StoredRecord, TopicsInMemory


@pytest.fixture(scope="module")
def clean(kafka, lives, tmp_path_factory):
    """Settings and records of a run that went well, with a cut in the middle."""
    settings = Settings.load(
        {
            "REFUSION_BOOTSTRAP": kafka.bootstrap,
            "REFUSION_PREFIX": f"clean-{uuid4().hex}.",  # a process may come back to this module
            "REFUSION_PARTITIONS": "4",
            "REFUSION_STATE_DIR": str(tmp_path_factory.mktemp("state")),
            "REFUSION_DEMO": "1",
            "REFUSION_DEMO_ANYWHERE": "1",
        }
    )
    pipeline = Pipeline(settings)
    file = tmp_path_factory.mktemp("openings") / "openings.jsonl"
    try:
        worker = pipeline.start()
        run_both_halves(
            lives,
            pipeline.publish,
            lambda rows: load_opening_file(settings, file, rows),
            pipeline.wait_until_settled,
            pipeline.close_run,
        )
        pipeline.stop(worker)
    finally:
        pipeline.clean_up()
    records = {
        topic.name: {at: map(stored, found) for at, found in pipeline.records(topic).items()}
        for topic in topics.TOPICS
    }
    return TopicsInMemory(settings, records)


def stored(record):
    return StoredRecord(record.offset, record.key, record.value, list(record.headers))


def test_the_program_finds_it_clean_whole_and_in_slices_by_two_processes(clean):
    status, told, _ = run_verify(clean.settings)
    assert (status, told["violations"], told["notes"]) == (0, 0, {})
    in_slices = VerifyRequest(sample_percent=30, slice_records=300, jobs=2)
    sliced = verify(clean.settings, in_slices, lambda *_: None).as_json()
    for name in ("records", "citizens", "raw_kept", "partitions", "violations"):
        assert sliced[name] == told[name], name
    assert 0.1 < sliced["deep_citizens"] / sliced["citizens"] < 0.5


def test_it_is_clean_after_another_law_and_a_recalculation(pipeline, lives):
    given = environment_of(pipeline.settings)
    pipeline.settings = Settings.load(given | {"REFUSION_RULES": str(RULES)})
    worker = pipeline.start()
    pipeline.publish(lives[0])
    pipeline.wait_until_settled()
    pipeline.control(
        {
            "type": "rules",
            "id": "r-1",
            "rules": "second-step-35",
            "written_at": "2024-02-01T08:00:00Z",
        }
    )
    pipeline.publish(lives[1])
    pipeline.control(
        {"type": "recalculate", "id": "c-1", "scope": "all", "written_at": "2024-02-01T08:00:00Z"}
    )
    pipeline.wait_until_settled()
    pipeline.stop(worker)
    postings = [record for found in pipeline.records(topics.POSTINGS).values() for record in found]
    assert "rule_change" in {orjson.loads(record.value)["reason"] for record in postings}
    request = VerifyRequest(sample_percent=100, fold=True)
    verified = verify(pipeline.settings, request, lambda *_: None)
    assert verified.violations.named == []
    assert dict(verified.violations.notes) == {}
    assert verified.deep_citizens > 50
    assert verified.folded == len(postings)


def test_where_it_cannot_look_it_says_so_and_why(settings):
    status, told, said = run_verify(settings)
    assert (status, told) == (2, None)
    assert re.fullmatch(
        r"refusion: there is no topic \S+reports\.raw; see REFUSION_PREFIX .*\n", said
    )


def test_the_program_names_what_was_altered_in_live_topics(clean, settings):
    copy = clean.copy()
    at, index, record, message = copy.message(lambda each: each["revision"] == 2 and each["rows"])
    copy.of["postings"][at][index] = record.with_value(revision=3)
    offset = asyncio.run(written(copy, settings, record))
    status, told, said = run_verify(settings)
    assert (status, said) == (1, "")
    assert not told["fine"]
    first = next(violation for violation in told["first"] if violation["code"] == "revision")
    place = first["topic"], first["partition"], first["offset"]
    assert place == (settings.prefix + "postings", at, offset)
    assert first["text"] == f"revision 3 of citizen {message['citizen']} comes after 1"
    assert json.dumps(told).count(CITIZEN_CPR) == 0


async def written(copy, settings, marked):
    """Write a copy to topics of its own, with the new places in its headers.

    Returns the new offset of a posting.
    """
    await ensure_topics(settings.bootstrap, settings.prefix, settings.partitions)
    places: dict[str, Any] = {}
    marked_offset = None
    async with AIOKafkaProducer(bootstrap_servers=settings.bootstrap) as producer:
        for topic, by_partition in copy.of.items():
            for at, records in by_partition.items():
                for record in records:
                    headers = [(name, moved(places, value)) for name, value in record.headers]
                    if topic == "dead-letters":
                        headers = moved_letter(places, record.headers)
                    sent = await producer.send(
                        settings.prefix + topic,
                        record.value,
                        record.key,
                        partition=at,
                        headers=headers,
                    )
                    places[f"{copy.name(topic)}/{at}/{record.offset}"] = sent
                await producer.flush()
                for record in records:
                    name = f"{copy.name(topic)}/{at}/{record.offset}"
                    offset = places[name].result().offset
                    places[name] = f"{settings.prefix}{topic}/{at}/{offset}"
                    is_marked = (record.offset, record.key) == (marked.offset, marked.key)
                    if topic == "postings" and is_marked:
                        marked_offset = offset
    await commit_all(settings)
    return marked_offset


def moved(places, value):
    text = value.decode()
    return places[text].encode() if text in places else value


def moved_letter(places, headers):
    given = {name: value.decode() for name, value in headers}
    topic, at, offset = places["{topic}/{partition}/{offset}".format(**given)].rsplit("/", 2)
    return [
        (n, {"topic": topic, "partition": at, "offset": offset}.get(n, v).encode())
        for n, v in given.items()
    ]


async def commit_all(settings):
    """Commit as if the stages had read everything."""
    for stage, topic in (("intake", topics.RAW), ("citizens", topics.REPORTS)):
        parts = [
            TopicPartition(settings.prefix + topic.name, at) for at in range(settings.partitions)
        ]
        async with AIOKafkaConsumer(
            bootstrap_servers=settings.bootstrap,
            group_id=settings.prefix + stage,
            enable_auto_commit=False,
        ) as consumer:
            consumer.assign(parts)
            ends = await consumer.end_offsets(parts)
            await consumer.commit({at: OffsetAndMetadata(end, "") for at, end in ends.items()})


def test_partitions_are_those_of_the_journal(clean):
    """The audit's facts about the product are held against what is in Kafka."""
    for at, records in clean.of["postings"].items():
        assert {partition_of(record.key, 4) for record in records if record.key} <= {at}
