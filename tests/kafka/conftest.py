"""A real Apache Kafka: one broker for each test process, started when a test first needs it."""

import uuid

import pytest
from click.testing import CliRunner

from streams.cli.main import main
from streams.devtools.local_kafka import QUICK_START, LocalKafka
from streams.kit.operating_user import acting_as
from tests.support.acts_in_memory import PERSONS
from tests.support.pipeline import QUICK_RETURN, Pipeline, settings_for
from tests.support.population import reports_of_some_lives


@pytest.fixture(scope="session")
def kafka():
    """A running broker. A test may kill it if it restarts it."""
    with LocalKafka(properties=QUICK_RETURN, java_options=QUICK_START) as running:
        yield running


@pytest.fixture
def prefix():
    """Topic names of this test alone."""
    return f"test-{uuid.uuid4().hex[:12]}."


@pytest.fixture
def settings(kafka, prefix, tmp_path):
    """Demo settings for the broker: 4 partitions, own topics, own state folder."""
    return settings_for(kafka, prefix, tmp_path / "state")


@pytest.fixture
def pipeline(settings):
    """Topics of the test's own; what is left of its workers at the end is killed."""
    made = Pipeline(settings)
    yield made
    made.clean_up()


@pytest.fixture(scope="session")
def lives():
    """Reports of some lives, in the order in which they arrive, in four portions."""
    return reports_of_some_lives()


@pytest.fixture
def as_person(settings, tmp_path):
    """Runs the program here as a person: its exit status, what it prints, and what it says."""
    persons = tmp_path / "persons.yaml"
    persons.write_text(PERSONS)
    persons.chmod(0o600)
    given = {
        name: value for name, (value, origin) in settings.values.items() if origin == "environment"
    }
    given |= {"REFUSION_FOUR_EYES": "1", "REFUSION_PERSONS": str(persons), "LOGNAME": "bo"}

    def run(who, *arguments, stdin="", **environment) -> tuple[int, str, str]:
        with acting_as(who):
            done = CliRunner().invoke(
                main, list(map(str, arguments)), input=stdin, env=given | environment
            )
        return done.exit_code, done.stdout, done.stderr

    return run
