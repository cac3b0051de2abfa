"""docs/notices.md says what the program says."""

import json
import re

from domain.citizen.doubts import ADVICE, ONE_REPORTER
from projections.runs.files import MEANINGS
from tests.support.places import DOCS

PAGE = (DOCS / "notices.md").read_text()
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("| `")
]


def test_every_code_has_its_row_with_what_to_do():
    assert {row[0].strip("`"): row[3] for row in ROWS if len(row) == 4} == ADVICE


def test_every_code_about_a_citizen_has_its_meaning_in_danish():
    assert {row[0].strip("`"): row[1] for row in ROWS if len(row) == 2} == {
        code: meaning for code, (meaning, _) in MEANINGS.items()
    }
    assert MEANINGS.keys() == ADVICE.keys() - {"missing_reporter"}


def test_the_example_is_one():
    (block,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    example = json.loads(block)
    assert example["detail"]["advice"] == ADVICE[example["code"]]


def test_the_advice_about_two_reports_of_one_reporter_is_told():
    assert ONE_REPORTER in " ".join(PAGE.split())
