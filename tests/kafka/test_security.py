"""A broker that asks who is there: each role does its work with its own rights, and is told by name
what it lacks.
"""

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)

from streams.devtools.local_kafka import QUICK_START, LocalKafka
from streams.kafka.clients import KafkaClients
from streams.kafka.rights import ROLES
from streams.kafka.security import BrokerAddress
from streams.kafka.topics import TOPICS
from tests.kafka.secured import SecuredInstallation
from tests.support.lines import PAYMENT, changed
from tests.support.pipeline import QUICK_RETURN

SESSION_S = 3
"""The brokers cut a connection whose log-on is older, at its next request."""
STAGES = ("intake", "citizens", "projections")


@pytest.fixture(scope="module")
def secured_kafka():
    """A secured broker with a principal for each role, without any right yet."""
    with LocalKafka(
        properties={**QUICK_RETURN, "connections.max.reauth.ms": str(SESSION_S * 1000)},
        java_options=QUICK_START,
        principals=list(ROLES),
    ) as running:
        yield running


@pytest.fixture
def installation(secured_kafka, prefix, tmp_path):
    """Topics of the test's own, rights for all roles, and workers that end with the test."""
    made = SecuredInstallation(secured_kafka, prefix, tmp_path)
    yield made
    made.clean_up()


@pytest.fixture
def reports(tmp_path):
    """A file with one report."""
    path = tmp_path / "reports.jsonl"
    path.write_bytes(changed(PAYMENT) + b"\n")
    return path


def test_a_refusal_names_who_asked_and_the_right_that_is_missing(installation, reports):
    refused = installation.run("upstream", "publish", reports)
    assert refused.status == 2
    assert "Kafka denies it the right Create" in refused.said

    assert installation.run("operator", "run", "status").status == 0
    assert installation.run("upstream", "publish", reports).status == 0
    wrong = {"REFUSION_KAFKA_SASL_PASSWORD": "wrong", "REFUSION_KAFKA_SASL_PASSWORD_FILE": ""}
    for command in (("publish", reports), ("worker", "--processes", "1")):
        refused = installation.run("operator", *command, **wrong)
        assert refused.status == 2
        assert "the log-on of User:operator at 127.0.0.1" in refused.said
        assert "no Kafka answers" not in refused.said
    lacking: list[tuple[str, str, tuple[Any, ...]]] = [
        ("intake", f"Write on topic {installation.prefix}reports.raw", ("publish", reports)),
        ("citizens", "Read on group", ("worker", "projections", "--processes", "1")),
    ]
    for role, right, command in lacking:
        refused = installation.run(role, *command)
        assert refused.status == 2, refused.said
        assert f"Kafka refuses User:{role} the right {right}" in refused.said


@pytest.mark.long
def test_each_role_does_its_work_as_itself(installation, reports, tmp_path):
    assert installation.run("operator", "run", "status").status == 0
    assert installation.run("upstream", "publish", reports).status == 0
    for stage in STAGES:
        installation.start(stage)
    (posted,) = installation.wait_for_postings("consumer", 1)
    assert posted["type"] == "postings"
    saved = installation.run("backup", "backup", "--to", tmp_path / "backup")
    assert saved.status == 0, saved.said


def test_a_client_goes_on_when_its_session_is_over(secured_kafka):
    async def asked_twice():
        async with KafkaClients(secured_kafka.address(), "refusion-test").admin() as admin:
            await admin.describe_cluster()
            await asyncio.sleep(SESSION_S * 1.1)
            await admin.describe_cluster()

    asyncio.run(asked_twice())


READS: dict[str, set[str]] = {
    "upstream": set(),
    "intake": {"reports.raw", "reports"},
    "citizens": {"reports", "citizens"},
    "projections": {"postings", "reports", "dead-letters", "notices", "access"},
    "operator": {"reports.raw", "reports", "postings", "notices", "dead-letters", "access"},
    "backup": {"reports", "postings", "access"},
    "repairer": {topic.name for topic in TOPICS},
    "auditor": {topic.name for topic in TOPICS},
    "site": {"reports", "postings", "notices", "dead-letters", "access"},
    "consumer": {"postings"},
}
WRITES: dict[str, set[str]] = {
    "upstream": {"reports.raw"},
    "intake": {"reports", "dead-letters"},
    "citizens": {"reports", "citizens", "postings", "notices", "dead-letters"},
    "projections": set(),
    "operator": {"reports.raw", "reports", "notices", "access"},
    "backup": {"access"},
    "repairer": {"access"},
    "auditor": {"access"},
    "site": {"access"},
    "consumer": set(),
}
GROUPS = {"intake": {"intake"}, "citizens": {"citizens"}, "projections": {"projections"}}
GROUPS |= {"consumer": {"consumer-1"}}
IDS = {
    "intake": {"keys"},
    "citizens": {"citizens-0"},
    "operator": {"run", "replay", "keys", "free-id"},
}
DENIED = (
    TopicAuthorizationFailedError,
    GroupAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)


async def allowed(attempt):
    """Make an attempt. Returns whether the brokers let it be."""
    try:
        async with asyncio.timeout(30):
            await attempt
    except DENIED:
        return False
    return True


async def those_allowed(names, attempt):
    """Make the attempt for all names side by side. Returns those for which it was let be."""
    found = await asyncio.gather(*(allowed(attempt(name)) for name in names))
    return {name for name, is_allowed in zip(names, found, strict=True) if is_allowed}


async def read(clients, topic):
    """Fetch from a partition until the brokers have answered; a topic may be hidden before that."""
    at = TopicPartition(topic, 0)
    async with clients.consumer() as consumer:
        await consumer._client._wait_on_metadata(topic)
        consumer.assign([at])
        consumer.seek(at, 0)
        while consumer.highwater(at) is None:
            await consumer.getmany(timeout_ms=100)


async def write(clients, topic):
    async with clients.producer() as producer:
        await producer.send_and_wait(topic, b"x", key=b"x", partition=0)


async def join(clients, group, topic):
    """Commit as a member, for which brokers look at the right to the group first."""
    async with clients.consumer(group_id=group, enable_auto_commit=False) as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        with suppress(TopicAuthorizationFailedError):
            await consumer.commit({TopicPartition(topic, 0): 0})


async def fence(clients, transactional_id):
    async with clients.producer(transactional_id=transactional_id):
        pass


@pytest.mark.long
@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_do_what_is_its_own_and_nothing_else(installation, role):
    """Try every topic, group and transactional id as the role; the table is written down here."""
    assert installation.run("operator", "run", "status").status == 0
    prefix = installation.prefix
    address = BrokerAddress(
        installation.kafka.bootstrap, installation.kafka.credentials.logon(role)
    )
    clients = KafkaClients(address, "refusion-test", 10_000)
    names = [topic.name for topic in TOPICS]
    transactional_ids = ("run", "replay", "keys", "free-id", "citizens-0")

    async def tried():
        return (
            await those_allowed(names, lambda name: read(clients, prefix + name)),
            await those_allowed(names, lambda name: write(clients, prefix + name)),
            await those_allowed(
                (*STAGES, "consumer-1"),
                lambda group: join(clients, prefix + group, f"{prefix}reports"),
            ),
            await those_allowed(transactional_ids, lambda name: fence(clients, prefix + name)),
        )

    reads, writes, groups, ids = asyncio.run(tried())
    assert reads == READS[role]
    assert writes == WRITES[role]
    assert groups == GROUPS.get(role, set())
    assert ids == IDS.get(role, set())
