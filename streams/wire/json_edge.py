"""Reads the bytes of a record as one JSON object, and says why where they are none.

This is the exact reading, for records that `streams.wire.validator` cannot accept at once. It has a
decoder of its own, because an object with the same key twice, or with an integer of any length, is
still JSON and is rejected with another reason.
"""

import json
import re
from functools import partial
from typing import Any, Final

from streams.wire.rejections import NOT_JSON, TOO_LARGE, Rejection, doubled_key

MAX_BYTES: Final = 64 * 1024
MAX_DEPTH: Final = 100
MAX_INTEGER: Final = 2**63 - 1
_MAX_DIGITS: Final = 20
"""An integer with more characters cannot fit 64 bits; Python itself refuses over 4,300 digits."""

_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]')
_STEP: Final = {"[": 1, "{": 1, "]": -1, "}": -1}
_ESCAPE = re.compile(r"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(?P<lone>u[dD][89a-fA-F]..)|.)")


def decode_object(record: bytes) -> dict[str, Any] | Rejection:
    """Decode a record to a dict, or return `too_large`, `not_json` or the key that comes twice.

    >>> decode_object(b'{"amount_ore": 5}')
    {'amount_ore': 5}
    >>> decode_object(b'{"amount_ore": NaN}').reason
    'not_json'
    """
    if len(record) > MAX_BYTES:
        return TOO_LARGE
    doubled: list[str] = []
    try:
        text = record.decode()
        fields = json.loads(
            text,
            object_pairs_hook=partial(_object, doubled),
            parse_int=_integer,
            parse_constant=_refuse_constant,
        )
    except (ValueError, RecursionError):
        return NOT_JSON
    if not isinstance(fields, dict) or _depth(text) > MAX_DEPTH or _has_lone_surrogate(text):
        return NOT_JSON
    return doubled_key(doubled[0]) if doubled else fields


def _object(doubled: list[str], pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build one object of the record; a key that it has twice is added to `doubled`."""
    fields: dict[str, Any] = {}
    for name, value in pairs:
        if name in fields:
            doubled.append(name)
        fields[name] = value
    return fields


def _integer(digits: str) -> int:
    return int(digits) if len(digits) <= _MAX_DIGITS else MAX_INTEGER + 1


def _refuse_constant(_name: str) -> None:
    raise ValueError("NaN and Infinity are not JSON")


def _depth(text: str) -> int:
    """Count how deep objects and lists nest in a JSON text."""
    deepest = depth = 0
    for token in _STRING_OR_BRACKET.finditer(text):
        depth += _STEP.get(token[0], 0)
        deepest = max(deepest, depth)
    return deepest


def _has_lone_surrogate(text: str) -> bool:
    """Tell whether a JSON text escapes half a character, which UTF-8 cannot write."""
    return any(escape["lone"] for escape in _ESCAPE.finditer(text))
