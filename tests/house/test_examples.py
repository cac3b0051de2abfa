"""The examples in docstrings give what they show."""

import doctest
import importlib

import pytest

from tests.support.places import ROOT

PRODUCT = ("domain", "projections", "streams")


def modules_with_examples():
    for package in PRODUCT:
        for path in sorted((ROOT / package).rglob("*.py")):
            if ">>> " in path.read_text():
                yield ".".join(path.relative_to(ROOT).with_suffix("").parts)


@pytest.mark.parametrize("name", [*modules_with_examples()])
def test_examples_are_true(name):
    results = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert results.attempted
    assert not results.failed
