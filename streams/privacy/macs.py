"""Marks records with a MAC, by which readers know that one of us wrote them, and where.

    mac    key id, ".", 32 letters: keyed BLAKE2b with 128 bits over the place, key, type, value

The place is the topic by its role (`reports`, whatever the prefix is) and the partition. So a
record that was moved to another topic, partition, key or type is nobody's of ours. A copy within
its partition is not told from the original: what a copy may do is bounded by ids and revisions.
Sources: contract sections 11 and 12.
"""

from binascii import hexlify
from collections.abc import Sequence
from hashlib import blake2b, sha256
from hmac import compare_digest
from struct import Struct
from typing import Final, Literal

Role = Literal["reports", "postings", "citizens", "access", "origins"]
"""The topics whose records have a MAC, without the prefix of their names. `origins` is no topic: it
is for proofs of where records of `reports` came from (`streams.archive.origins`)."""

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


class PlaceMac:
    """The MAC of the records of one partition of a topic."""

    def __init__(self, keys: dict[str, bytes], place: bytes) -> None:
        """`keys` are by their ids; the first marks."""
        named = ((f"{name}.".encode(), key) for name, key in keys.items())
        self._keyed = {name: _KeyedPlace(name, key, place) for name, key in named}
        self._mark = next(iter(self._keyed.values())).of

    def header(
        self, key: bytes | None, event_type: bytes, value: bytes | None
    ) -> tuple[str, bytes]:
        """Return the header for a record that is written here."""
        return MAC, self._mark(key, event_type, value)

    def is_of(
        self, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes | None]]
    ) -> bool:
        """Tell whether a record that stands here was written here by one of us."""
        given = dict(headers)
        mac = given.get(MAC)
        if not mac:
            return False
        keyed = self._keyed.get(mac[: -2 * MAC_BYTES])
        if keyed is None:
            return False
        return compare_digest(keyed.of(key, given.get(EVENT_TYPE) or b"", value), mac)


class _KeyedPlace:
    """The hash under one key, begun with the place, and with each usual frame of a record.

    A frame says where key, type and value of a record begin, so that no other three have the same
    bytes. Most records have one of a few frames, which then cost nothing.
    """

    def __init__(self, name: bytes, key: bytes, place: bytes) -> None:
        """`name` is the key's id with the dot, with which a MAC begins."""
        self._name = name
        self._begun = blake2b(_LENGTH.pack(len(place)) + place, digest_size=MAC_BYTES, key=key)
        self._framed: dict[tuple[bytes, int, bool], blake2b] = {}

    def of(self, key: bytes | None, event_type: bytes, value: bytes | None) -> bytes:
        """Return a record's MAC."""
        frame = event_type, _ABSENT if key is None else len(key), value is None
        mac = (self._framed.get(frame) or self._begin(frame)).copy()
        mac.update(key or b"")
        mac.update(value or b"")
        return self._name + hexlify(mac.digest()).translate(LETTERS)

    def _begin(self, frame: tuple[bytes, int, bool]) -> blake2b:
        event_type, key_length, is_empty = frame
        begun = self._begun.copy()
        begun.update(_FRAME.pack(len(event_type), key_length, is_empty) + event_type)
        if len(self._framed) >= MOST_FRAMES:  # whoever writes to a topic chooses frames freely
            self._framed.clear()
        self._framed[frame] = begun
        return begun


def mac_key_id(key: bytes) -> str:
    """Return the short name of a key that marks records; it tells nothing of the key."""
    return "m" + sha256(_KEY_ID_LABEL + key).hexdigest()[:KEY_ID_DIGITS]


def marking_key(headers: Sequence[tuple[str, bytes | None]]) -> str | None:
    """Return the id of the key that a MAC names, whoever wrote it; None where there is no MAC."""
    mac = dict(headers).get(MAC)
    return None if mac is None else mac[: -2 * MAC_BYTES - 1].decode(errors="replace")
