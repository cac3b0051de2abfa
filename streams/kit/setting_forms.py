"""The forms that the text of a setting may have, each with the words that say so."""

import re
from collections.abc import Callable
from typing import Final, NamedTuple

MAX_NUMBER: Final = 10_000
MAX_PORT: Final = 65_535


class Form(NamedTuple):
    """A form: whether a text has it, and the words that follow `NAME must be`."""

    fits: Callable[[str], bool]
    words: str


def _number(most: int, kind: str = "") -> Form:
    def fits(text: str) -> bool:
        return re.fullmatch("[0-9]{1,5}", text) is not None and 1 <= int(text) <= most

    return Form(fits, f"{kind}a whole number from 1 to {most}")


NUMBER: Final = _number(MAX_NUMBER)
PORT: Final = _number(MAX_PORT, "a port, ")
SWITCH: Final = Form({"0", "1"}.__contains__, "0 or 1")
TOPIC_PREFIX: Final = Form(
    lambda text: re.fullmatch(r"[A-Za-z0-9._-]{1,200}", text) is not None,
    "1-200 of the characters A-Z a-z 0-9 . _ - that Kafka allows in topics",
)


def hex_key(length: int) -> Form:
    """The form of a key of so many bytes."""
    return Form(
        lambda text: re.fullmatch(rf"[0-9A-Fa-f]{{{2 * length}}}", text.strip()) is not None,
        f"{2 * length} hex digits; make one with `openssl rand -hex {length}`",
    )


def hex_keys(length: int) -> Form:
    """The form of several keys of so many bytes."""
    one = hex_key(length)
    return Form(
        lambda text: all(map(one.fits, text.split(","))),
        f"{2 * length} hex digits, or several such keys separated by commas; make one with"
        f" `openssl rand -hex {length}`",
    )
