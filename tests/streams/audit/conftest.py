"""The topics of a run that went well, and a copy of them for each test to damage."""

import pytest

from streams.settings import Settings
from tests.support.audit_run import run_both_halves
from tests.support.population import reports_of_some_lives
from tests.support.stages_in_memory import StagesInMemory


@pytest.fixture(scope="session")
def clean(tmp_path_factory):
    """The topics of a run with a cut in the middle, four partitions each."""
    folder = tmp_path_factory.mktemp("state")
    settings = Settings.load(
        {
            "REFUSION_BOOTSTRAP": "no-kafka:9092",
            "REFUSION_PREFIX": "clean.",
            "REFUSION_PARTITIONS": "4",
            "REFUSION_STATE_DIR": str(folder),
            "REFUSION_DEMO": "1",
            "REFUSION_DEMO_ANYWHERE": "1",
        }
    )
    stages = StagesInMemory(settings, folder)
    try:
        run_both_halves(
            reports_of_some_lives(),
            stages.publish,
            stages.load_openings,
            stages.settle,
            stages.close_run,
        )
    finally:
        stages.close()
    return stages.topics


@pytest.fixture
def copy(clean):
    """The topics of this test alone."""
    return clean.copy()


@pytest.fixture
def stages(tmp_path):
    """Stages in memory whose topics can be audited."""
    settings = Settings.load(
        {
            "REFUSION_BOOTSTRAP": "no-kafka:9092",
            "REFUSION_PREFIX": "clean.",
            "REFUSION_PARTITIONS": "4",
            "REFUSION_STATE_DIR": str(tmp_path),
            "REFUSION_DEMO": "1",
        }
    )
    made = StagesInMemory(settings, tmp_path)
    yield made
    made.close()
