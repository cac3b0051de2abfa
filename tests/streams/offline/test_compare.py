"""A comparison rests on reports: where both rule sets reject all lines, there is none."""

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from streams.cli.main import main
from tests.support.lines import payment

DEMO = {"PATH": os.environ["PATH"], "REFUSION_DEMO": "1"}
NEW_BENEFIT = payment(cpr="6101901357", benefit="NYD")
RULES = """\
name: R-next
based_on: R-1
valid_from: 2014-07-01
valid_to: null
note: "Loven med en ny ydelse."
benefits:
  - {code: NYD, name: Ny ydelse, mechanism: refusion, rate: staircase, counts: yes, blocks: yes,
     valid_from: 2015-01-01, valid_to: null, before_first: not_in_force, reference: "§", note: "x",
     evidence: assumed}
"""


@pytest.fixture
def rules(tmp_path):
    path = tmp_path / "R-next.yaml"
    path.write_text(RULES, encoding="utf-8")
    return str(path)


def compare(folder: Path, content: bytes, other: str):
    reports = folder / "reports.jsonl"
    reports.write_bytes(content)
    return CliRunner().invoke(main, ["compare", "R-1", other, str(reports)], env=DEMO)


@pytest.mark.parametrize("content", [b"{}\ntext\n", NEW_BENEFIT + b"\n", b"\xff\n"])
def test_where_both_reject_every_line_nothing_is_compared(tmp_path, content):
    """Zero kroner would look like an answer."""
    done = compare(tmp_path, content, "R-1")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("refusion: nothing was compared: both rule sets reject all lines")
    assert "`refusion settle --rejects FILE` tells why" in done.stderr


def test_what_one_of_them_takes_is_compared_and_no_report_is_no_difference(tmp_path, rules):
    assert compare(tmp_path, NEW_BENEFIT + b"\n", rules).exit_code == 0
    assert compare(tmp_path, b"", rules).exit_code == 0
