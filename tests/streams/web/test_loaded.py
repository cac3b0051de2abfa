"""A site begins without the libraries that it may never need: its memory begins with them."""

import subprocess
import sys

import pytest

LATER = ("rocksdict", "faust", "typst", "arro3.io", "streams.simulation", "streams.devtools")
"""Modules that a site has later, in another process or never."""


@pytest.mark.parametrize("module", ["streams.web.server", "bench.web_site"])
def test_a_site_starts_without_what_it_may_never_need(module):
    told = f"import sys, {module}; print(*(each for each in {LATER} if each in sys.modules))"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
