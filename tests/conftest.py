"""Every test has this: our own program is started warm (`tests/support/warm_start.py`)."""

import subprocess
import sys

import pytest

from tests.support.warm_start import WarmPopen


@pytest.fixture(scope="session", autouse=True)
def _warm_starts():
    """Let tests start the program from a process that has imported it, where there can be one."""
    with pytest.MonkeyPatch.context() as patch:
        if sys.platform == "linux":
            patch.setattr(subprocess, "Popen", WarmPopen)
        yield


@pytest.fixture
def cold_starts(monkeypatch):
    """Starts the program as a user does: an interpreter that imports what it needs."""
    monkeypatch.setattr(WarmPopen, "every_start_is_cold", True)
