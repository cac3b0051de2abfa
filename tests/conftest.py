"""Every test has this: our own program is started warm (`tests/support/warm_start.py`), logs tell
as much as before, and what is drawn depends on the test alone."""

import logging
import subprocess
import sys

import pytest

from streams.kit.logs import LEVELS
from tests.support.warm_start import WarmPopen


@pytest.fixture(scope="session", autouse=True)
def _warm_starts():
    """Let tests start the program from a process that has imported it, where there can be one."""
    with pytest.MonkeyPatch.context() as patch:
        if sys.platform == "linux":
            patch.setattr(subprocess, "Popen", WarmPopen)
        yield


@pytest.fixture(scope="session", autouse=True)
def _draws_of_their_own():
    """Let Hypothesis draw nothing from the constants of our modules.

    It would draw from those of the modules that are loaded: a test that passes alone fails among
    others, and a constant that is changed changes what every test draws.
    """
    with pytest.MonkeyPatch.context() as patch:
        drawn_from = "hypothesis.internal.conjecture.providers.is_local_module_file"
        patch.setattr(drawn_from, lambda _path: False)
        yield


@pytest.fixture(autouse=True)
def _levels_of_logs_as_they_were():
    """Undo what the start of a worker or a site in this process does: others count their lines."""
    loggers = [logging.getLogger(name) for name in ("root", *LEVELS)]
    levels = [each.level for each in loggers]
    yield
    for each, level in zip(loggers, levels, strict=True):
        each.setLevel(level)


@pytest.fixture
def cold_starts(monkeypatch):
    """Starts the program as a user does: an interpreter that imports what it needs."""
    monkeypatch.setattr(WarmPopen, "every_start_is_cold", True)
