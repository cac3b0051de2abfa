"""Gives the records of a journal new names, new seals and new MACs; each record by itself.

A citizen's name follows from the pseudonym key, so that a new key gives each a new one; the CPR
number is unsealed in memory for that, and sealed again. The text of the seal is exchanged within
the value, of which all other bytes stay. Control records that name a citizen get the new name,
where the citizen has been met. Citizens who are to be erased are left out, and so is what nobody of
ours wrote.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import orjson

from streams.archive.origins import Origins
from streams.archive.restore import anew
from streams.archive.segments import ArchivedRecord
from streams.engine.ports import Headers
from streams.kit.errors import UserError
from streams.privacy.identity import Identity, SealError
from streams.privacy.macs import EVENT_TYPE, MAC
from streams.wire.partitioner import partition_of

NAMES_CITIZEN: Final = ("free", "recalculate")
"""Types of control records that may name a citizen."""


class RenamingError(UserError):
    """A record cannot be named anew; the message says which and what to do."""


class RenamedRecord(NamedTuple):
    """A record as it is written anew, and its partition."""

    partition: int
    key: bytes | None
    value: bytes
    headers: Headers


class Renaming:
    """Turns records under the old keys into records under the new ones."""

    def __init__(
        self, old: Identity, new: Identity, partitions: int, erased: Mapping[str, str]
    ) -> None:
        """`partitions` are those of the new journal; `erased` has reasons by old citizen."""
        self._old = old
        self._new = new
        self._partitions = partitions
        self._erased = erased
        self._macs = [new.macs.at("reports", at) for at in range(partitions)]
        self._origins = Origins(new.macs)
        self.named: dict[str, str] = {}
        """The new names of citizens that control records name, where they were met."""
        self.left_out: Counter[str] = Counter()

    def of(self, record: ArchivedRecord, place: str) -> RenamedRecord | None:
        """Return a citizen's record as it is written anew; None where it is left out."""
        citizen = (record.key or b"").decode()
        if citizen in self._erased:
            self.left_out["erased"] += 1
            return None
        value = record.value or b""
        key, value = self._resealed(citizen, value, place)
        headers = anew(record, place)
        return self._marked(partition_of(key, self._partitions), key, value, headers)

    def _marked(
        self, partition: int, key: bytes | None, value: bytes, headers: Headers
    ) -> RenamedRecord:
        """Mark a record as one of ours in its place, and its origin as what we say of it."""
        headers = [header for header in headers if header[0] != MAC]
        event_type = dict(headers).get(EVENT_TYPE, b"")
        headers.append(self._macs[partition].header(key, event_type, value))
        return RenamedRecord(partition, key, value, self._origins.proved(partition, headers))

    def _resealed(self, citizen: str, value: bytes, place: str) -> tuple[bytes, bytes]:
        """Return the new name, and the value with the new seal. Raises RenamingError."""
        record = orjson.loads(value)
        key, sealed = self._anew(citizen, record["cpr_sealed"], place)
        value = value.replace(record["cpr_sealed"].encode(), sealed, 1)
        if other := record.get("other"):  # with whom a citizen was merged
            old = record["other_sealed"]
            new_other, sealed = self._anew(other, old, place)
            value = value.replace(other.encode(), new_other, 1)
            value = value.replace(old.encode(), sealed, 1)
        return key, value

    def _anew(self, citizen: str, sealed: str, place: str) -> tuple[bytes, bytes]:
        """Return a citizen's new name and new seal. Raises RenamingError."""
        try:
            new_citizen, new_sealed = self._new.of(self._old.unseal(citizen, sealed))
        except SealError as error:
            raise RenamingError(f"{place}: {error}") from None
        return new_citizen.encode(), new_sealed.encode()

    def meets(self, citizen: str, value: bytes | None) -> bool:
        """Remember the new name of a citizen, by a record; tell whether it could be read."""
        try:
            key, _ = self._resealed(citizen, value or b"", "")
        except (RenamingError, ValueError, KeyError, TypeError):
            return False
        self.named[citizen] = key.decode()
        return True

    def of_control(self, record: ArchivedRecord, place: str) -> list[RenamedRecord]:
        """Return a control record as it is written into each partition of the new journal."""
        value = self._with_new_name(record.value or b"")
        headers = anew(record, place)
        return [self._marked(at, None, value, headers) for at in range(self._partitions)]

    def _with_new_name(self, value: bytes) -> bytes:
        if (citizen := named_in(value)) is None:
            return value
        return value.replace(citizen.encode(), self.named.get(citizen, citizen).encode())


def named_in(value: bytes) -> str | None:
    """Return the citizen whom a control record names, if any."""
    record: dict[str, Any] = orjson.loads(value)
    if record["type"] not in NAMES_CITIZEN:
        return None
    scope = record.get("scope")
    named = record if scope is None else scope if isinstance(scope, dict) else {}
    citizen: str | None = named.get("citizen") or None
    return citizen
