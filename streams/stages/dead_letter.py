"""Makes dead letters: a refused record, sealed, with headers that say why and where it is."""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from streams.engine.ports import Headers, Message, Record, last_offset
from streams.privacy.cpr import is_cpr
from streams.privacy.identity import Identity
from streams.privacy.macs import LetterMac
from streams.wire.rejections import Rejection

MAX_RECORD_BYTES: Final = 5 << 20
"""Size of a record that the topic takes when it is sealed.

A record can be larger, because brokers count it compressed. It is cut then, its header `bytes`
gives its size, and the whole of it is at its place for as long as that topic keeps it.
"""

RETRY_OF: Final = "retry-of"
"""Header of a record that was sent again: the place of the dead letter that it comes from."""
FIRST: Final = "first"
"""Header of a record that was sent again: the place of its first dead letter."""
MARKS: Final = (RETRY_OF, FIRST)

_PLACE: Final = re.compile(rb"([A-Za-z0-9._-]+)/[0-9]{1,5}/([0-9]{1,18})")


class RefusedRecord(NamedTuple):
    """A record that a stage refused, its place, and the marks that it was sent again with."""

    stage: str
    topic: str
    partition: int
    offset: int
    record: bytes
    marks: Headers
    last_offset: int = -1
    """The last offset of a batch of which nothing was read; nothing of it is kept."""


def refused_record(
    stage: str, topic: str, partition: int, record: Record, dead_letters: str
) -> RefusedRecord:
    """Describe a record that a stage refuses; `dead_letters` is the topic of the dead letters."""
    again = marks(record.headers, dead_letters) if record.headers else []
    content = record.value or b""
    return RefusedRecord(
        stage, topic, partition, record.offset, content, again, last_offset(record)
    )


def dead_letter(
    identity: Identity, rejection: Rejection, refused: RefusedRecord, citizen: str = ""
) -> Message:
    """Make the message for `dead-letters`.

    A record of the journal needs its key, the citizen, to be sent again. The key of a raw record
    could be a CPR number and is left out.
    """
    headers = [
        ("reason", rejection.reason.encode()),
        ("field", (rejection.field or "").encode()),
        ("stage", refused.stage.encode()),
        ("topic", refused.topic.encode()),
        ("partition", str(refused.partition).encode()),
        ("offset", str(refused.offset).encode()),
    ]
    if refused.last_offset > refused.offset:
        headers.append(("last_offset", str(refused.last_offset).encode()))
    if citizen:
        headers.append(("citizen", citizen.encode()))
    record = refused.record
    if len(record) > MAX_RECORD_BYTES:
        headers.append(("bytes", str(len(record)).encode()))
    headers += refused.marks
    sealed = identity.seal_record(record[:MAX_RECORD_BYTES])
    return None, sealed, [*headers, LetterMac(identity.macs).header(sealed, headers)]


def marks(headers: Sequence[tuple[str, bytes]], topic: str) -> Headers:
    """Return the headers that say that a record was sent again; `topic` has the dead letters.

    They go on with what is made of the record. Anybody may publish with any headers, so a mark that
    names no dead letter is left out, also one whose offset could be a CPR number, and so is each
    further mark of a name.
    """
    found: dict[str, bytes] = {}
    for name, value in headers:
        if name in MARKS and name not in found and _is_in(value, topic):
            found[name] = value
    return [*found.items()]


def raw_of(record: Record) -> Headers:
    """Return the header that says of which raw record a record of the journal was made."""
    return [("raw", value) for name, value in record.headers if name == "raw" and value][:1]


def _is_in(place: bytes | None, topic: str) -> bool:
    match = _PLACE.fullmatch(place or b"")
    if match is None or is_cpr(match[2].decode(), demo=True):
        return False
    return match[1].decode() == topic
