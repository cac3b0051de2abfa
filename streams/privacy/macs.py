"""Marks records with a MAC, by which readers know that one of us wrote them, and where.

    mac    key id, ".", 32 letters: keyed BLAKE2b with 128 bits over the place, key, type, value

The place is the topic by its role (`reports`, whatever the prefix is) and the partition. So a
record that was moved to another topic, partition, key or type is nobody's of ours. A copy within
its partition is not told from the original: what a copy may do is bounded by ids and revisions.
Sources: contract sections 11 and 12.
"""

from binascii import hexlify
from collections.abc import Iterable, Sequence
from hashlib import blake2b, sha256
from hmac import compare_digest
from struct import Struct
from typing import Final, Literal

Role = Literal[
    "reports", "postings", "citizens", "access", "dead-letters", "origins", "offsets", "act-copy"
]
"""The topics whose records have a MAC, without the prefix of their names. Three are no topics:
`origins` is for proofs of where records of `reports` came from (`streams.archive.origins`),
`offsets` for those of who committed a group's offset (`streams.stages.position_notes`), `act-copy`
for lines of the table that copies `access` (`streams.lis.act_table`)."""

MAC: Final = "mac"
"""The header that holds it."""
EVENT_TYPE: Final = "ce_type"
"""The header with the type that it covers; a record without one has the type ""."""
MAC_BYTES: Final = 16
MACS: Final = 1
"""The version of the MACs; a program that makes them says so with it."""
KEY_ID_DIGITS: Final = 8
LETTERS: Final = bytes.maketrans(b"0123456789", b"ghijkmnpqr")
"""Hex digits are written as letters, so that nobody takes a part of a MAC for a CPR number."""

_KEY_ID_LABEL: Final = b"refusion mac key id\x00"
_LENGTH: Final = Struct(">i")
_FRAME: Final = Struct(">ii?")
_ABSENT: Final = -1
_DIGITS: Final = 2 * MAC_BYTES
_NONE: Final[tuple[str, bytes | None]] = ("", None)
_TYPE_AT: Final = -5
"""The place of the type in the headers of an event, of which the last is the MAC."""
MOST_FRAMES: Final = 64
"""Frames that are remembered for each key and partition."""


class MacKeys:
    """The keys that mark records: the first marks, all of them are believed."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys:
            raise ValueError("at least one key is needed")
        self._keys = {mac_key_id(key): key for key in keys}
        self.key_id = mac_key_id(keys[0])
        self._places: dict[tuple[Role, int], PlaceMac] = {}

    def __repr__(self) -> str:
        return f"MacKeys({', '.join(self._keys)})"

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The ids of all keys, the one that marks first."""
        return tuple(self._keys)

    def marking_with(self, key_id: str) -> "MacKeys":
        """Return the same keys, of which another one marks."""
        others = (key for name, key in self._keys.items() if name != key_id)
        return MacKeys([self._keys[key_id], *others])

    def at(self, role: Role, partition: int) -> "PlaceMac":
        """Return the MAC of a partition of a topic."""
        place = role, partition
        if place not in self._places:
            self._places[place] = PlaceMac(self._keys, f"{role}/{partition}".encode())
        return self._places[place]


class LetterMac:
    """The MAC of dead letters: over their headers too, which say where their record came from.

    It is the same in each partition: to which one a letter goes is told when it is sent.
    """

    def __init__(self, macs: MacKeys) -> None:
        self._place = macs.at("dead-letters", 0)

    def header(self, value: bytes, headers: Sequence[tuple[str, bytes]]) -> tuple[str, bytes]:
        """Return the header for a letter with these headers beside it."""
        return self._place.header(repr([*headers]).encode(), b"", value)

    def is_of(self, value: bytes | None, headers: Sequence[tuple[str, bytes | None]]) -> bool:
        """Tell whether one of us wrote a letter, with these headers and no others."""
        macs = [header for header in headers if header[0] == MAC]
        others = [header for header in headers if header[0] != MAC]
        return len(macs) == 1 and self._place.is_of(repr(others).encode(), value, macs)


class PlaceMac:
    """The MAC of the records of one partition of a topic."""

    def __init__(self, keys: dict[str, bytes], place: bytes) -> None:
        """`keys` are by their ids; the first marks."""
        named = ((f"{name}.".encode(), key) for name, key in keys.items())
        self._keyed = {name: _KeyedPlace(name, key, place) for name, key in named}
        self._marking = next(iter(self._keyed.values()))

    def header(
        self, key: bytes | None, event_type: bytes, value: bytes | None
    ) -> tuple[str, bytes]:
        """Return the header for a record that is written here."""
        return MAC, self._marking.of(key, event_type, value)

    def headers_of(
        self, event_type: bytes, entries: Iterable[tuple[bytes, bytes]]
    ) -> list[tuple[str, bytes]]:
        """Return the headers for many records of one type, all with a key and a value."""
        name, begun_with = self._marking.name, self._marking.begun_with
        begun: dict[int, blake2b] = {}
        headers = []
        for key, value in entries:
            mac = begun.get(len(key))
            if mac is None:
                mac = begun[len(key)] = begun_with(event_type, len(key))
            mac = mac.copy()
            mac.update(key)
            mac.update(value)
            headers.append((MAC, name + hexlify(mac.digest()).translate(LETTERS)))
        return headers

    def is_of(
        self, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes | None]]
    ) -> bool:
        """Tell whether a record that stands here was written here by one of us."""
        name, mac = headers[-1] if headers else _NONE
        if name != MAC:
            mac = dict(headers).get(MAC)
        if not mac:
            return False
        keyed = self._keyed.get(mac[:-_DIGITS])
        if keyed is None:
            return False
        return compare_digest(keyed.of(key, event_type_of(headers), value), mac)


class _KeyedPlace:
    """The hash under one key, begun with the place, and with each usual frame of a record.

    A frame says where key, type and value of a record begin, so that no other three have the same
    bytes. Most records have one of a few frames, which then cost nothing.
    """

    def __init__(self, name: bytes, key: bytes, place: bytes) -> None:
        """`name` is the key's id with the dot, with which a MAC begins."""
        self.name = name
        self._begun = blake2b(_LENGTH.pack(len(place)) + place, digest_size=MAC_BYTES, key=key)
        self._framed: dict[tuple[bytes, int, bool], blake2b] = {}

    def of(self, key: bytes | None, event_type: bytes, value: bytes | None) -> bytes:
        """Return a record's MAC."""
        frame = event_type, _ABSENT if key is None else len(key), value is None
        mac = (self._framed.get(frame) or self._begin(frame)).copy()
        if key:
            mac.update(key)
        if value:
            mac.update(value)
        return self.name + hexlify(mac.digest()).translate(LETTERS)

    def begun_with(self, event_type: bytes, key_length: int) -> blake2b:
        """Return the hash of a record with a value, begun with its frame."""
        frame = event_type, key_length, False
        return self._framed.get(frame) or self._begin(frame)

    def _begin(self, frame: tuple[bytes, int, bool]) -> blake2b:
        event_type, key_length, is_empty = frame
        begun = self._begun.copy()
        begun.update(_FRAME.pack(len(event_type), key_length, is_empty) + event_type)
        if len(self._framed) >= MOST_FRAMES:  # whoever writes to a topic chooses frames freely
            self._framed.clear()
        self._framed[frame] = begun
        return begun


def event_type_of(headers: Sequence[tuple[str, bytes | None]]) -> bytes:
    """Return the type that a record's MAC covers.

    It stands where an event has it, else in the last header of that name; whoever decides by a type
    asks here, so that it is the one that was checked. A record of a batch that was just read is in
    no cache of the processor: to look at each header would take several times as long.
    """
    name, event_type = headers[_TYPE_AT] if len(headers) >= -_TYPE_AT else _NONE
    if name != EVENT_TYPE:
        event_type = dict(headers).get(EVENT_TYPE)
    return event_type or b""


def mac_key_id(key: bytes) -> str:
    """Return the short name of a key that marks records; it tells nothing of the key."""
    return "m" + sha256(_KEY_ID_LABEL + key).hexdigest()[:KEY_ID_DIGITS]


def marking_key(headers: Sequence[tuple[str, bytes | None]]) -> str | None:
    """Return the id of the key that a MAC names, whoever wrote it; None where there is no MAC."""
    mac = dict(headers).get(MAC)
    return None if mac is None else mac[: -2 * MAC_BYTES - 1].decode(errors="replace")
