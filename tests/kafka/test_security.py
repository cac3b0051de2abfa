"""A broker that asks who is there: each role does its work with its own rights, and is told by name
what it lacks.
"""

from typing import Any

import pytest

from streams.devtools.local_kafka import QUICK_START, LocalKafka
from streams.kafka.rights import ROLES
from tests.kafka.secured import SecuredInstallation
from tests.support.lines import PAYMENT, changed
from tests.support.pipeline import QUICK_RETURN

STAGES = ("intake", "citizens", "projections")


@pytest.fixture(scope="module")
def secured_kafka():
    """A secured broker with a principal for each role, without any right yet."""
    with LocalKafka(
        properties=QUICK_RETURN, java_options=QUICK_START, principals=list(ROLES)
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


def test_each_role_does_its_work_as_itself_and_a_refusal_is_named(installation, reports):
    refused = installation.run("upstream", "publish", reports)
    assert refused.status == 2
    assert "Kafka denies it the right Create" in refused.said

    assert installation.run("operator", "run", "status").status == 0
    assert installation.run("upstream", "publish", reports).status == 0
    for stage in STAGES:
        installation.start(stage)
    (posted,) = installation.wait_for_postings("consumer", 1)
    assert posted["type"] == "postings"

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
