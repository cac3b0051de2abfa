"""Writes and reads the headers of messages: CloudEvents in Kafka's binary mode.

Source: contract section 1. Every message that the program makes has these headers, in this order.
Beside them a report in the journal has `raw`, the place of the record that it was made of.
"""

from collections.abc import Sequence
from typing import Final

from streams.engine.ports import Headers

OFFSET_DIGITS: Final = 18
"""Digits of the longest offset; a header may hold any bytes."""
NAMES: Final = ("ce_specversion", "ce_id", "ce_type", "ce_source", "ce_time", "content-type")
_VERSION: Final = ("ce_specversion", b"1.0")
_JSON: Final = ("content-type", b"application/json")


def event_headers(event_id: bytes, event_type: bytes, source: bytes, time: str) -> Headers:
    """Make the headers of an event; `time` is RFC 3339 in UTC.

    >>> event_headers(b"opening/2024-01", b"refusion.opening", b"refusion/opening", "...")[2]
    ('ce_type', b'refusion.opening')
    """
    return [
        _VERSION,
        ("ce_id", event_id),
        ("ce_type", event_type),
        ("ce_source", source),
        ("ce_time", time.encode()),
        _JSON,
    ]


def source_offset(headers: Sequence[tuple[str, bytes]]) -> int:
    """Return the offset in the journal of the record that led to a message; -1 if unknown.

    `ce_id` names that record as topic, partition and offset. It is in the message's own partition.

    >>> source_offset([("ce_id", b"refusion.reports/3/1042")])
    1042
    """
    for name, value in headers:
        if name == "ce_id":
            offset = (value or b"").rpartition(b"/")[2]
            return int(offset) if offset.isdigit() and len(offset) <= OFFSET_DIGITS else -1
    return -1
