"""A pattern for the ten digits of a CPR number is in one module alone."""

import re

import pytest

from tests.support.places import ROOT

HOME = "streams/privacy/cpr.py"
DIGIT = r"(?:\\d|\[0-9\]|\[\\d\])"
TEN_DIGITS = re.compile(
    rf"{DIGIT}\{{10\}}|{DIGIT}\{{6\}}.{{0,12}}{DIGIT}\{{4\}}|0{{10}}|000000-0000"
)
"""Matches the source text of a pattern for ten digits, together or as six and four."""


def patterns(text):
    """List the lines of a source that have a pattern for ten digits."""
    return [n for n, line in enumerate(text.splitlines(), 1) if TEN_DIGITS.search(line)]


@pytest.mark.parametrize(
    "line",
    [
        r'CPR = re.compile(r"\d{10}")',
        r'CPR = re.compile(rb"cpr:([0-9]{10})")',
        r'CPR = re.compile(r"(?<!\d)\d{6}-?\d{4}(?!\d)")',
        r'CPR = re.compile(rb"([0-9]{6})[- ]?([0-9]{4})")',
        'TEN_ZEROS = (b"0000000000",)',
    ],
)
def test_a_pattern_is_found(line):
    assert patterns(line) == [1]


@pytest.mark.parametrize(
    "line",
    [r"(\d{4})-(\d{2})-(\d{2})", "[0-9]{8}", "[0-9a-f]{32}", "10_000_000", r"(\d{3})-(\d{4,})"],
)
def test_other_patterns_are_left_alone(line):
    assert patterns(line) == []


def test_only_one_module_has_a_pattern_for_ten_digits():
    found = {
        str(path.relative_to(ROOT)): lines
        for package in ("domain", "projections", "streams", "demo", "examples")
        for path in sorted((ROOT / package).rglob("*.py"))
        if (lines := patterns(path.read_text()))
    }
    assert [*found] == [HOME], found
