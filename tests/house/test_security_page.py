"""The page on security names tests that there are, for each number of the review once at least."""

import ast
import re

from tests.support.places import ROOT

ROWS = re.findall(
    r"^\| (\d+) \| [^|]+ \| (.+) \|$", (ROOT / "docs" / "security.md").read_text(), re.MULTILINE
)
BACKUPS = 14


def test_every_test_that_the_page_names_is_there():
    for _, named in ROWS:
        for name in re.findall("`([^`]+)`", named):
            file, _, test = name.partition("::")
            tree = ast.parse((ROOT / "tests" / file).read_text())
            tests = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
            assert tests if not test else test in tests, name


def test_each_finding_has_its_tests():
    assert {int(number) for number, _ in ROWS} == {*range(1, 24)} - {BACKUPS}
