"""`docs/rebuild.md` step by step.

State and postings are made anew beside the running system, compared, and switched to."""

import asyncio
import os
import subprocess

from streams.audit.verify import VerifyRequest, verify
from streams.kafka import topics
from streams.operations.replay import ReplayRequest, dry_run
from streams.settings import Settings
from tests.kafka.test_control_records import ALL, OTHER, settings  # noqa: F401 - a fixture
from tests.support.pipeline import PROGRAM, Pipeline, assert_no_gaps, assert_same, expected_postings


def beside(settings, tmp_path):  # noqa: F811
    """The settings of the rebuild."""
    given = {
        name: value for name, (value, origin) in settings.values.items() if origin == "environment"
    }
    new = {"REFUSION_PREFIX": f"next-{settings.prefix}", "REFUSION_JOURNAL_PREFIX": settings.prefix}
    return Settings.load(given | new | {"REFUSION_STATE_DIR": str(tmp_path / "next-state")})


def values_of(pipeline, topic):
    return {
        number: [record.value for record in records]
        for number, records in pipeline.records(topic).items()
    }


def test_a_rebuild_beside_the_running_system_is_the_same_to_the_byte_and_takes_over(
    pipeline, lives, tmp_path
):
    pipeline.publish([*lives[0], b"refused"])
    running = pipeline.start()
    pipeline.wait_until_settled()
    pipeline.control(OTHER, ALL)
    following = Pipeline(beside(pipeline.settings, tmp_path))
    try:
        rebuilding = following.start("citizens")
        pipeline.publish(lives[1])
        pipeline.wait_until_settled()
        following.wait_until_settled(["citizens"])
        for topic in (topics.POSTINGS, topics.NOTICES):
            assert values_of(following, topic) == values_of(pipeline, topic)
        compared = asyncio.run(dry_run(following.settings, ReplayRequest(), lambda *_: None))
        assert (compared.difference.messages, compared.rules) == (0, "second-step-35")
        assert compared.difference.citizens > 50

        pipeline.stop(running)
        following.stop(rebuilding)
        before = values_of(pipeline, topics.POSTINGS)
        after = following.start()
        following.publish(lives[2])
        following.wait_until_settled()
        following.stop(after)
        assert values_of(pipeline, topics.POSTINGS) == before, "the old topics are left as they are"
        postings = following.records(topics.POSTINGS)
        for number, records in following.records(topics.REPORTS).items():
            posted = [record.value for record in postings[number]]
            assert_same(posted, expected_postings(records, following.settings.rules))
            assert posted[: len(before[number])] == before[number]
        assert_no_gaps(postings)
        assert any(pipeline.records(topics.DEAD_LETTERS).values()), (
            "intake has refused something before the switch"
        )
        assert verify(following.settings, VerifyRequest(), lambda *_: None).violations.named == []
        assert sum(map(len, postings.values())) > sum(map(len, before.values()))
    finally:
        following.clean_up()


def test_a_topic_of_the_journal_is_not_made_a_second_time(pipeline, tmp_path):
    following = beside(pipeline.settings, tmp_path)
    given = {
        name: value for name, (value, origin) in following.values.items() if origin == "environment"
    }
    subprocess.run(
        [PROGRAM, "run", "status", "--json"],
        env=os.environ | given,
        check=True,
        capture_output=True,
    )
    for topic in topics.TOPICS:
        of_the_journal = topic in (topics.RAW, topics.REPORTS)
        assert following.topic(topic).startswith(
            pipeline.settings.prefix if of_the_journal else following.prefix
        )
    assert following.group("intake") == pipeline.settings.group("intake")
    assert following.group("citizens") != pipeline.settings.group("citizens")
