"""Two posting messages that must be the same bytes: where they differ, without what stands there."""

from typing import Any

import orjson


def difference(due: bytes, stands: bytes) -> str:
    """The first field in which what stands is not what is due; only names of the due message are said."""
    try:
        found = orjson.loads(stands)
    except ValueError:
        return "not JSON"
    return (
        _difference(orjson.loads(due), found, "")
        or "its bytes alone: the same values, written otherwise"
    )


def _difference(due: Any, stands: Any, name: str) -> str:
    """The path of the first difference, "" where there is none. `True` and 1 are not the same, nor 1 and 1.0."""
    if type(due) is not type(stands):
        return name
    if isinstance(due, dict):
        if due.keys() != stands.keys():
            return f"{name}.*" if name else "its fields"
        parts = [
            (f"{name}.{key}" if name else key, value, stands[key]) for key, value in due.items()
        ]
    elif isinstance(due, list):
        if len(due) != len(stands):
            return f"how many {name}"
        parts = [(f"{name}[{at}]", value, stands[at]) for at, value in enumerate(due)]
    else:
        return "" if due == stands else name
    return next(filter(None, (_difference(value, other, part) for part, value, other in parts)), "")


def whose(message: bytes) -> str:
    """Of whom a message of ours is, in words."""
    record = orjson.loads(message)
    if record["type"] == "run":
        return f"the marker of run {record['run']}"
    return f"citizen {record['citizen']}, revision {record['revision']}"
