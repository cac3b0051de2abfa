"""Every command that reads a topic is tried with records that nobody of ours wrote."""

import click
import pytest

from streams.cli.main import main
from streams.kafka.rights import ROLES, Pattern, Resource, rights_of
from streams.kafka.topics import RECEIPTS
from streams.settings import Settings
from tests.support.reading_matrix import COMMANDS, READ_NO_TOPIC, STAGES

SETTINGS = Settings.load({"REFUSION_BOOTSTRAP": "127.0.0.1:1", "REFUSION_DEMO": "1"})
ROLES_ELSEWHERE = {"upstream", "consumer", "site"}
"""Roles of programs that are not ours, or not made yet."""
LATER = {"auditor": {SETTINGS.topic(RECEIPTS)}}
"""Topics that a role may read, and that no command of its own reads yet."""


def names_of(command, *before):
    if isinstance(command, click.Group):
        if command.invoke_without_command:
            yield " ".join(before)
        context = click.Context(command)
        for name in command.list_commands(context):
            made = command.get_command(context, name)
            assert made is not None
            yield from names_of(made, *before, name)
    else:
        yield " ".join(before)


def readable(role):
    """The topics that a role may read."""
    return {
        right.name
        for right in rights_of(role, SETTINGS)
        if right.kind is Resource.TOPIC
        and right.pattern is Pattern.LITERAL
        and "Read" in right.operations
    }


def test_each_command_says_what_it_reads():
    said = set(COMMANDS) | READ_NO_TOPIC
    assert set(names_of(main)) == said, "say in tests/support/reading_matrix.py what it reads"


@pytest.mark.parametrize("name", [*STAGES, *COMMANDS])
def test_who_reads_may_read(name):
    reading = (STAGES | COMMANDS)[name]
    assert {SETTINGS.topic(topic) for topic in reading.topics} <= readable(reading.role)


@pytest.mark.parametrize("role", sorted(set(ROLES) - ROLES_ELSEWHERE))
def test_what_a_role_may_read_is_read_by_somebody_of_it(role):
    readings = (STAGES | COMMANDS).values()
    read = {
        SETTINGS.topic(topic) for each in readings for topic in each.topics if each.role == role
    }
    assert readable(role) - LATER.get(role, set()) <= read
