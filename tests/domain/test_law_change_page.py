"""The law change of docs/rule-sets.md, followed to the letter."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from domain.ruledata.switches import MAY_DIFFER
from tests.support.places import DOCS

PAGE = (DOCS / "rule-sets.md").read_text(encoding="utf-8")
CHANGE = PAGE[PAGE.index("\n## How a law change is done\n") : PAGE.index("\n## Other answers")]
STEP = re.compile(r"(?:`([\w.-]+)`, a new file:\n\n)?```(\w+)\n(.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def followed(tmp_path_factory) -> tuple[Path, str]:
    """The folder in which every step was taken, and what the commands printed."""
    folder, printed = tmp_path_factory.mktemp("change"), ""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for name, language, block in STEP.findall(CHANGE):
        if name:
            (folder / name).write_text(block, encoding="utf-8")
            continue
        assert language == "sh"
        done = subprocess.run(
            [shutil.which("bash") or "bash", "-eo", "pipefail", "-c", block],
            cwd=folder,
            env={**os.environ, "REFUSION_DEMO": "1", "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        printed += done.stdout
    return folder, printed


def test_every_command_of_the_page_works(followed):
    folder, printed = followed
    messages = [json.loads(line) for line in printed.splitlines() if line.startswith('{"schema')]
    paid = [
        (message["rules"], row["benefit"])
        for message in messages
        for row in message.get("rows", ())
    ]
    assert ("R-3", "NYD") in paid
    (early,) = [json.loads(line) for line in (folder / "early.jsonl").read_text().splitlines()]
    assert (early["reason"], early["line"]) == ("unknown_benefit", 1)
    assert ("R-1", "LTS") in paid, "what R-1 has is paid before the record"


def test_the_page_has_every_field_that_a_rule_set_file_may_have():
    table = PAGE[PAGE.index("| field |") : PAGE.index("* Every value has")]
    assert set(re.findall(r"`(\w+)`", table)) >= {"based_on", *MAY_DIFFER}


def test_the_page_says_what_r_2_adds_and_closes():
    folder = DOCS.parent / "domain" / "rules" / "rule-sets"
    rule_set = yaml.safe_load((folder / "R-2.yaml").read_text(encoding="utf-8"))
    (row,) = re.findall(r"^\| `R-2` \|.*$", PAGE, re.MULTILINE)
    added, closed = row.split("are added")
    assert all(benefit["code"] in added for benefit in rule_set["benefits"])
    assert all(code in closed for entry in rule_set["closed"] for code in entry["benefits"])
