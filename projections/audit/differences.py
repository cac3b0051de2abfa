"""Says where two posting messages differ that must be the same bytes, without their values."""

from typing import Any

import orjson


def difference(expected: bytes, posted: bytes) -> str:
    """Name the first field that differs, `rows[2].amount_ore`, by the names of `expected`."""
    try:
        record = orjson.loads(posted)
    except ValueError:
        return "not JSON"
    return (
        _difference(orjson.loads(expected), record, "")
        or "its bytes alone: the same values, written otherwise"
    )


def _difference(expected: Any, posted: Any, name: str) -> str:
    """The path of the first difference, "" if there is none. Types differ too: `True` is not 1."""
    if type(expected) is not type(posted):
        return name
    if isinstance(expected, dict):
        if expected.keys() != posted.keys():
            return f"{name}.*" if name else "its fields"
        parts = [
            (f"{name}.{key}" if name else key, value, posted[key])
            for key, value in expected.items()
        ]
    elif isinstance(expected, list):
        if len(expected) != len(posted):
            return f"how many {name}"
        parts = [(f"{name}[{at}]", value, posted[at]) for at, value in enumerate(expected)]
    else:
        return "" if expected == posted else name
    return next(filter(None, (_difference(value, other, part) for part, value, other in parts)), "")


def whose(message: bytes) -> str:
    """Name a message of ours by its citizen and revision, or by its run."""
    record = orjson.loads(message)
    if record["type"] == "run":
        return f"the marker of run {record['run']}"
    return f"citizen {record['citizen']}, revision {record['revision']}"
