"""Dead letters: the refused record sealed, with the reason and its position in the headers."""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from streams.engine.ports import Headers, Message
from streams.privacy.identity import Identity
from streams.wire.rejections import Rejection

MAX_RECORD_BYTES: Final = 5 << 20
"""What the topic takes when sealed. A record that was larger, which it can be before compression, is cut; its
header `bytes` tells how large it was, and the whole of it stays at its position for as long as that
topic keeps it."""


RETRY_OF: Final = "retry-of"
"""On a record that was sent again: the place of the dead letter that it comes from (`streams.operations.dead_letters`)."""
FIRST: Final = "first"
"""And the place of the first dead letter that was made of the same record."""
MARKS: Final = (RETRY_OF, FIRST)


_PLACE: Final = re.compile(rb"([A-Za-z0-9._-]+)/[0-9]{1,5}/[0-9]{1,9}")


class Refused(NamedTuple):
    """A record that a stage refused, and where it stands."""

    stage: str
    topic: str
    partition: int
    offset: int
    record: bytes
    marks: Headers
    """Of a record that was sent again."""


def dead_letter(
    identity: Identity, rejection: Rejection, refused: Refused, citizen: str = ""
) -> Message:
    """The message for `dead-letters`.

    A record of the journal needs its key, the citizen, to be resubmitted. The key of a raw
    record could be a CPR and is left out.
    """
    stage, topic, partition, offset, record, again = refused
    headers = [
        ("reason", rejection.reason.encode()),
        ("field", (rejection.field or "").encode()),
        ("stage", stage.encode()),
        ("topic", topic.encode()),
        ("partition", str(partition).encode()),
        ("offset", str(offset).encode()),
    ]
    if citizen:
        headers.append(("citizen", citizen.encode()))
    if len(record) > MAX_RECORD_BYTES:
        headers.append(("bytes", str(len(record)).encode()))
    headers += again
    return None, identity.seal_record(record[:MAX_RECORD_BYTES]), headers


def marks(headers: Sequence[tuple[str, bytes]], topic: str) -> Headers:
    """What says of a record that it was sent again, and goes on with what is made of it. `topic` has the dead letters.

    Anybody may publish with any headers; what names no dead letter is left behind.
    """
    return [
        (name, value)
        for name, value in headers
        if name in MARKS and (found := _PLACE.fullmatch(value)) and found[1].decode() == topic
    ]
