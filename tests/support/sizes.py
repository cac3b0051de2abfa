"""Sizes of tests that take long: `make test-night` does more than `make test-long`."""

import os

AT_NIGHT = bool(os.environ.get("REFUSION_TEST_NIGHT"))


def sized(usual, at_night):
    """Return how much a test does: as usual, or at night."""
    return at_night if AT_NIGHT else usual
