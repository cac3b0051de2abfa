"""Dead letters: the refused record sealed, with the reason and its position in the headers."""

from typing import Final, NamedTuple

from streams.identity import Identity
from streams.ports import Message
from streams.validation import Rejection

MAX_RECORD_BYTES: Final = 5 << 20
"""What the topic takes when sealed. A record that was larger, which it can be before compression, is cut; its
header `bytes` tells how large it was, and the whole of it stays at its position for as long as that topic keeps it."""


class Refused(NamedTuple):
    """A record that a stage refused, and where it stands."""

    stage: str
    topic: str
    partition: int
    offset: int
    record: bytes


def dead_letter(identity: Identity, rejection: Rejection, refused: Refused, citizen: str = "") -> Message:
    """The message for `dead-letters`.

    A record of the journal needs its key, the citizen, to be resubmitted. The key of a raw
    record could be a CPR and is left out.
    """
    stage, topic, partition, offset, record = refused
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
    return None, identity.seal_record(record[:MAX_RECORD_BYTES]), headers
