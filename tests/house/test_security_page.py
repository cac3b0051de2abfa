"""The page on security names tests that there are, for each number of the review once at least."""

import re

from tests.support.places import ROOT

TESTS = ROOT / "tests"
ROWS = re.findall(
    r"^\| (\d+) \| [^|]+ \| (.+) \|$", (ROOT / "docs" / "security.md").read_text(), re.MULTILINE
)


def test_every_test_that_the_page_names_is_there():
    there = {
        name
        for path in TESTS.rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)\(", path.read_text(), re.MULTILINE)
    }
    there |= {str(path.relative_to(TESTS)) for path in TESTS.rglob("test_*.py")}
    named = {name for _, tests in ROWS for name in re.findall("`([^`]+)`", tests)}
    assert len(named) > 30
    assert named <= there


def test_each_finding_has_its_tests():
    assert {int(number) for number, _ in ROWS} == {*range(1, 24)}
