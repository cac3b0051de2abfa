"""`refusion acl`: the rights of each role, for people, for programs and for Kafka's own tool."""

from importlib import import_module

import orjson
import pytest
from click.testing import CliRunner

from streams.cli.main import main
from streams.kafka.rights import CONTROL_WRITERS, ROLES
from tests.support.places import ROOT

WRITES = {
    "upstream": {"reports.raw"},
    "intake": {"reports", "dead-letters"},
    "citizens": {"reports", "citizens", "postings", "notices", "dead-letters"},
    "projections": {"receipts"},
    "operator": {"reports.raw", "reports.raw.", "reports", "notices", "access"},
    "backup": {"access"},
    "repairer": {"access"},
    "auditor": {"access"},
    "site": {"access"},
    "consumer": set(),
}


def printed(*arguments, **environment):
    done = CliRunner().invoke(main, ["acl", *arguments], env=environment)
    assert done.exit_code == 0, done.output
    return done.stdout


def rights(*arguments, **environment):
    return orjson.loads(printed("--json", *arguments, **environment))


def test_each_role_writes_to_its_own_topics_alone():
    assert list(WRITES) == list(ROLES)
    for role, topics in WRITES.items():
        assert topics == {
            right["name"].removeprefix("refusion.")
            for right in rights("--role", role)
            if right["resource"] == "Topic" and "Write" in right["operations"]
        }


def test_an_operator_may_write_each_control_record_that_a_command_writes():
    """The transactional id ends with the name of the command's client, or is another's."""
    writers = {
        getattr(module, "WRITER", module.CLIENT)
        for module in map(import_module, modules_with("control_writer("))
        if hasattr(module, "CLIENT")
    }
    assert writers == set(CONTROL_WRITERS)


def modules_with(text):
    for path in sorted((ROOT / "streams" / "operations").glob("*.py")):
        if text in path.read_text():
            yield f"streams.operations.{path.stem}"


def test_only_an_operator_makes_topics():
    assert {right["role"] for right in rights() if "Create" in right["operations"]} == {"operator"}


def test_names_follow_the_prefixes_of_the_installation():
    given = {"REFUSION_PREFIX": "new.", "REFUSION_JOURNAL_PREFIX": "old."}
    names = {right["name"] for right in rights("--role", "citizens", **given)}
    assert {"old.reports", "new.citizens", "new.citizens-"} <= names
    assert {right["name"] for right in rights("--role", "upstream", **given)} == {"old.reports.raw"}
    assert {"new.", "old."} <= {right["name"] for right in rights("--role", "operator", **given)}


def test_an_upstream_system_with_a_source_has_its_own_topic_alone():
    (right,) = rights("--role", "upstream", "--source", "kmd", "--principal", "User:kmd-prod")
    assert right == {
        "role": "upstream",
        "principal": "User:kmd-prod",
        "resource": "Topic",
        "name": "refusion.reports.raw.kmd",
        "pattern": "literal",
        "operations": ["Describe", "Write"],
    }


def test_the_commands_of_kafkas_own_tool_are_ready():
    lines = printed("--role", "citizens", REFUSION_BOOTSTRAP="kafka:9093").splitlines()
    assert (
        "kafka-acls.sh --bootstrap-server kafka:9093 --command-config FILE --add --allow-principal"
        " User:citizens --operation Describe --operation Write --transactional-id"
        " refusion.citizens- --resource-pattern-type prefixed"
    ) in lines


def test_the_right_to_end_transactions_is_the_repairers_alone():
    holders = {right["role"] for right in rights() if "ClusterAction" in right["operations"]}
    assert holders == {"repairer"}
    lines = printed("--role", "repairer", REFUSION_BOOTSTRAP="kafka:9093").splitlines()
    assert any(line.endswith("--operation ClusterAction --cluster") for line in lines)


@pytest.mark.parametrize("arguments", [["--role", "boss"], ["--source", "kmd"]])
def test_what_is_no_role_is_said(arguments):
    done = CliRunner().invoke(main, ["acl", *arguments])
    assert done.exit_code == 2
    assert done.stderr.startswith("refusion: ")
