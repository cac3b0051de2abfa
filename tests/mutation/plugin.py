"""A plugin for pytest under mutmut: ids as it reads them, and nothing that was worked out before a
mutant was made.

mutmut 3 reads a test's `_nodeid`, which pytest 9 has no more. It forks a process for each mutant
from one that has run the tests, so that what is kept in a cache there would hide the mutant.
"""

import sys
from collections.abc import Iterable

import pytest

OURS = ("domain", "projections", "streams", "tests")


def pytest_collection_modifyitems(items: Iterable[pytest.Item]) -> None:
    for item in items:
        item._nodeid = item.nodeid  # type: ignore[attr-defined]
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in OURS:
            for held in list(vars(module).values()):
                if clear := getattr(held, "cache_clear", None):
                    clear()
                elif hasattr(type(held), "__missing__"):  # a `domain.basics.cache.Memo`
                    held.clear()
