"""The examples in the docstrings of the law's rooms are true."""

import doctest
import importlib
from pathlib import Path

import pytest

from tests.support.places import ROOT

ROOMS = ("domain/basics", "domain/law", "domain/citizen")


def modules_with_examples():
    for room in ROOMS:
        for path in sorted(Path(ROOT, room).glob("*.py")):
            if ">>> " in path.read_text():
                yield ".".join(path.relative_to(ROOT).with_suffix("").parts)


@pytest.mark.parametrize("name", [*modules_with_examples()])
def test_examples_are_true(name):
    results = doctest.testmod(importlib.import_module(name))
    assert results.attempted
    assert not results.failed
