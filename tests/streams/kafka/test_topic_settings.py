"""Every setting by which a topic could lose data or stand still is judged, and how it is mended."""

import re

import pytest

from streams.kafka.topic_settings import Effect, Existing, enough_replicas, sentence, uneven
from streams.kafka.topics import CITIZENS, DEAD_LETTERS, RAW, REPORTS, TOPICS

DAY_MS = "86400000"
ROWS = {topic.name: topic for topic in TOPICS}


def found(topic, replicas=3, asked=3, **changes):
    settings = {**topic.settings, "min.insync.replicas": enough_replicas(replicas)}
    settings |= {name.replace("_", "."): value for name, value in changes.items()}
    return topic.differences(topic.name, Existing(12, settings, replicas), asked)


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_what_we_make_is_what_we_ask_for(topic):
    assert found(topic) == []
    assert topic.settings["message.timestamp.type"] == "LogAppendTime"
    assert topic.settings["unclean.leader.election.enable"] == "false"


@pytest.mark.parametrize(
    ("topic", "changes", "effect"),
    [
        ("reports", {"retention_ms": DAY_MS}, Effect.REFUSED),
        ("postings", {"retention_bytes": "1000"}, Effect.REFUSED),
        ("reports", {"cleanup_policy": "compact"}, Effect.REFUSED),
        ("citizens", {"cleanup_policy": "delete"}, Effect.REFUSED),
        ("reports.raw", {"unclean_leader_election_enable": "true"}, Effect.REFUSED),
        ("postings", {"unclean_leader_election_enable": "true"}, Effect.REFUSED),
        ("citizens", {"max_message_bytes": "1048588"}, Effect.REFUSED),
        ("reports", {"min_insync_replicas": "4"}, Effect.REFUSED),
        ("reports.raw", {"message_timestamp_type": "CreateTime"}, Effect.LOSES),
        ("notices", {"message_timestamp_type": "CreateTime"}, Effect.WEAKENS),
        ("reports", {"message_timestamp_type": "CreateTime"}, Effect.WEAKENS),
        ("reports.raw", {"retention_ms": DAY_MS}, Effect.WEAKENS),
        ("reports.raw", {"max_message_bytes": "500"}, Effect.WEAKENS),
        ("reports.raw", {"max_message_bytes": "8388608"}, Effect.WEAKENS),
        ("postings", {"min_insync_replicas": "1"}, Effect.WEAKENS),
        ("postings", {"min_insync_replicas": "3"}, Effect.WEAKENS),
        ("citizens", {"max_compaction_lag_ms": "9223372036854775807"}, Effect.WEAKENS),
        ("citizens", {"min_compaction_lag_ms": DAY_MS}, Effect.WEAKENS),
    ],
)
def test_a_setting_that_is_otherwise_is_judged_by_what_comes_of_it(topic, changes, effect):
    (only,) = found(ROWS[topic], **changes)
    assert only.effect is effect
    assert [only.setting.replace(".", "_")] == list(changes)
    (there,) = changes.values()
    assert f"{only.setting}={there}" in sentence([only], "kafka:9092")


def test_a_topic_may_be_kept_longer_and_have_more_replicas_than_asked_for():
    assert found(RAW, retention_ms="-1") == []
    assert found(DEAD_LETTERS, retention_ms=str(10**12)) == []
    assert found(REPORTS, replicas=5, asked=3) == []


def test_fewer_replicas_are_told_with_the_way_out():
    (fewer,) = found(REPORTS, replicas=2)
    assert fewer.effect is Effect.WEAKENS
    assert "set REFUSION_REPLICAS=2" in sentence([fewer], "kafka:9092")
    assert found(REPORTS, replicas=2, asked=2) == []


def test_one_command_mends_all_settings_of_a_topic_at_once():
    """Each alone could lose data: cleanup.policy=delete, while retention.ms is 7 days, does."""
    wrong = {"cleanup_policy": "compact", "retention_ms": DAY_MS, "message_timestamp_type": "X"}
    said = sentence(found(REPORTS, **wrong), "kafka:9092")
    (settings,) = re.findall(r"--add-config (\S+), and look", said)
    assert dict(setting.split("=") for setting in settings.split(",")) == {
        "cleanup.policy": "delete",
        "retention.ms": "-1",
        "message.timestamp.type": "LogAppendTime",
    }


def test_every_setting_that_is_set_is_compared_or_costs_nothing_but_speed():
    free = {"compression.type", "segment.bytes"}
    for topic in TOPICS:
        for setting in topic.settings.keys() - free:
            assert found(topic, **{setting.replace(".", "_"): "0"}) or setting.endswith(
                ("lag.ms", "segment.ms")
            ), setting
    assert {name for topic in TOPICS for name in topic.settings} - free <= {
        *RAW.settings,
        *CITIZENS.settings,
    }


def test_partitions_that_differ_are_never_answered_with_another_number():
    """With any number a citizen's reports would part: the sentence must not name one."""
    said = uneven({"reports": 5, "postings": 2}, 2)
    assert said is not None
    assert "REFUSION_PARTITIONS=" not in said
    assert "reports 5, postings 2" in said
