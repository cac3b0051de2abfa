"""Each test draws by its own seed alone: fixed seeds stay fixed."""

import importlib
import sys

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

CONSTANTS = "\n".join(f"VALUE_{each} = {each}" for each in range(123_456_000, 123_456_100))


def drawn():
    """Return what a fixed seed draws."""
    found = []

    @settings(derandomize=True, database=None, max_examples=300, phases=[Phase.generate])
    @given(st.integers())
    def keep(value):
        found.append(value)

    keep()
    return found


def test_what_is_drawn_does_not_depend_on_the_modules_that_are_loaded(tmp_path, monkeypatch):
    before = drawn()
    name = "full_of_constants"
    (tmp_path / f"{name}.py").write_text(CONSTANTS)
    monkeypatch.syspath_prepend(tmp_path)
    try:
        importlib.import_module(name)
        assert drawn() == before
    finally:
        sys.modules.pop(name, None)
