"""The form of a CPR number, in a field, in a text and in a line."""

import pytest

from streams.privacy.cpr import (
    MASK,
    cpr_of_line,
    digits_in,
    holds_cpr,
    is_cpr,
    is_ten_digits,
    looks_like_cpr,
    may_hold_cpr,
    without_cpr,
)

WRITTEN = ["0101801234", "010180-1234", "010180 1234", "9999999999"]
NOT_WRITTEN = ["010180123", "01018012345", "010180--1234", "010180  1234", "0101-801234", ""]


@pytest.mark.parametrize("text", WRITTEN)
def test_what_is_written_as_a_cpr_number_is_found_and_masked(text):
    inside = f"of {text}."
    assert looks_like_cpr(text)
    assert not looks_like_cpr(inside)
    assert holds_cpr(inside)
    assert may_hold_cpr(inside)
    assert without_cpr(inside) == f"of {MASK}."
    assert list(digits_in(inside.encode())) == [text.replace("-", "").replace(" ", "")]


@pytest.mark.parametrize("text", NOT_WRITTEN)
def test_other_digits_are_left_alone(text):
    assert not looks_like_cpr(text)
    assert not holds_cpr(f"of {text}.")
    assert list(digits_in(text.encode())) == []


def test_digits_of_other_scripts_are_masked_but_are_no_cpr_number():
    arabic = "٠١٠١٨٠١٢٣٤"
    assert without_cpr(arabic) == MASK
    assert not is_ten_digits(arabic)
    assert not is_cpr(arabic, demo=True)


@pytest.mark.parametrize(
    ("line", "cpr"),
    [
        (b'{"cpr":"0101801234"}', b"0101801234"),
        (b'{"a":1, "cpr" : "0101801234"}', b"0101801234"),
        (b'{"cpr":"010180-1234"}', None),
        (b'{"cpr":101801234}', None),
        (b"0101801234", None),
    ],
)
def test_the_field_is_found_in_a_line_that_is_not_decoded(line, cpr):
    assert cpr_of_line(line) == cpr


@pytest.mark.parametrize(
    "text", ["010180--1234", "01 01 80 1234", "01.01.80/1234", "01018012345", "0101_801234"]
)
def test_a_free_text_holds_a_cpr_number_in_any_spelling(text):
    assert may_hold_cpr(text)
    assert without_cpr(f"of {text}.") == f"of {MASK}."


@pytest.mark.parametrize("text", ["010180123", "2024-01-31 of 9", "82", "", "1 a 2 b 345678901"])
def test_fewer_digits_are_left_in_a_free_text(text):
    assert not may_hold_cpr(text)
    assert without_cpr(text) == text
