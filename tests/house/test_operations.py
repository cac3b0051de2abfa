"""The operator's handbook names each log line, metric and violation, and no others."""

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from projections.audit.violations import Code
from streams.worker.metrics import Metrics
from tests.support.places import ROOT

HANDBOOK = (ROOT / "docs" / "operations.md").read_text()
LEVELS = {"info", "warning", "error"}


def logged():
    """Yield the first argument of every call of `log.info` and its like in the streams."""
    for path in sorted((ROOT / "streams").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id="log"), attr=level),
                    args=[ast.Constant(value=str(line)), *_],
                ) if level in LEVELS:
                    yield line


def rows_of(section):
    """Return the names in backticks in the first column of a section's table."""
    text = HANDBOOK.split(f"\n## {section}\n")[1].split("\n## ")[0]
    return {
        name
        for line in text.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`([^`]+)`", line.split(" | ")[0])
    }


def test_every_log_line_is_explained():
    assert rows_of("Log lines") == set(logged())


def test_every_metric_is_explained():
    families = {family.name for family in Metrics().registry.collect()}
    named = {re.sub(r"_total$", "", name) for name in rows_of("Metrics and health")}
    assert named == {
        name for name in families if not name.startswith("refusion_process_") or "seconds" in name
    } - {
        "refusion_process_cpu_seconds",
        "refusion_process_start_time_seconds",
    }


def test_every_violation_is_explained():
    assert rows_of("Verify") == set(get_args(Code))


@pytest.mark.parametrize(
    "line", sorted(set(re.findall(r"^(refusion .*)$", HANDBOOK, re.MULTILINE)))
)
def test_its_commands_have_the_options_that_it_gives(line):
    words = line.split()
    names = [word for word in words[1:3] if re.fullmatch(r"[a-z][a-z-]*", word)]
    program = Path(sys.executable).parent / "refusion"
    done = subprocess.run([program, *names, "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [word for word in words if word.startswith("--") and word not in done.stdout] == []
