"""Makes pseudonyms and seals: no other module turns a CPR into something else, or back.

    citizen      first 32 hex digits of HMAC-SHA-256(pseudonym key, CPR)
    cpr_sealed   key id, ".", AES-SIV (RFC 5297) of the CPR with the citizen as associated data

AES-SIV is deterministic: the same CPR gives the same bytes at every replay. It is also
authenticated: a seal that was moved to another citizen does not open.
Source: contract section 1.
"""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from hmac import digest

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from streams.privacy.archive_keys import ArchiveKeys
from streams.privacy.derived_keys import derived_key
from streams.privacy.macs import MacKeys

KEY_BYTES = 32
CITIZEN_DIGITS = 32
CACHED_CITIZENS = 1 << 16
"""Citizens and seals that are remembered, about 20 MB.

A reporter sends a citizen's lines close together.
"""

_PSEUDONYM_KEY_ID_LABEL = b"refusion pseudonym key id\x00"
_KEY_ID_LABEL = b"refusion seal key id\x00"
_RECORD = b"refusion dead letter"
"""Associated data of sealed records: none of them opens as a sealed CPR."""


class SealError(ValueError):
    """A sealed text cannot be opened; the message says why and repeats nothing of it."""


class Identity:
    """An identity names citizens and seals CPR numbers and records.

    It has one pseudonym key and one or more seal keys of 32 bytes each. The first seal key seals
    and all of them unseal, so that keys can be rotated. `macs` mark the records that it writes: by
    journal keys of their own, or by one that is derived from the pseudonym key.
    """

    def __init__(
        self,
        pseudonym_key: bytes,
        seal_keys: tuple[bytes, ...],
        journal_keys: tuple[bytes, ...] = (),
    ) -> None:
        if not seal_keys or any(len(key) != KEY_BYTES for key in (pseudonym_key, *seal_keys)):
            raise ValueError(
                f"a pseudonym key and at least one seal key are needed, of {KEY_BYTES} bytes each"
            )
        self._pseudonym_key = pseudonym_key
        self.macs = MacKeys(journal_keys or (derived_key(pseudonym_key, "journal"),))
        self._ciphers = {key_id(key): AESSIV(key) for key in seal_keys}
        self._key_id = key_id(seal_keys[0])
        self.of = lru_cache(maxsize=CACHED_CITIZENS)(self._of)
        """Function that returns the citizen of a CPR, and the CPR sealed."""

    def __repr__(self) -> str:
        return f"Identity(seal keys {', '.join(self._ciphers)})"

    @property
    def pseudonym_key_id(self) -> str:
        """The short name of the pseudonym key."""
        return "p" + sha256(_PSEUDONYM_KEY_ID_LABEL + self._pseudonym_key).hexdigest()[:8]

    @property
    def seal_key_ids(self) -> tuple[str, ...]:
        """The short names of the seal keys, the one that seals first."""
        return tuple(self._ciphers)

    def _of(self, cpr: str) -> tuple[str, str]:
        citizen = digest(self._pseudonym_key, cpr.encode(), "sha256").hex()[:CITIZEN_DIGITS]
        return citizen, self._seal(cpr.encode(), citizen.encode())

    def unseal(self, citizen: str, cpr_sealed: str) -> str:
        """Return the CPR of a citizen; SealError if the seal is another citizen's or not ours."""
        return self._open(cpr_sealed, citizen.encode()).decode()

    def seal_record(self, record: bytes) -> bytes:
        """Seal any bytes; the result is ASCII text that only a seal key opens."""
        return self._seal(record, _RECORD).encode()

    def unseal_record(self, sealed: bytes) -> bytes:
        """Return the bytes that were sealed, as they came; SealError if they cannot be opened."""
        return self._open(sealed.decode("ascii", "replace"), _RECORD)

    def _seal(self, content: bytes, associated: bytes) -> str:
        sealed = self._ciphers[self._key_id].encrypt(content, [associated])
        return f"{self._key_id}.{urlsafe_b64encode(sealed).rstrip(b'=').decode()}"

    def _open(self, sealed: str, associated: bytes) -> bytes:
        name, _, body = sealed.partition(".")
        cipher = self._ciphers.get(name)
        if cipher is None:
            raise SealError(
                "sealed with a key that is not in REFUSION_SEAL_KEY; add the key it was sealed with"
            )
        try:
            return cipher.decrypt(_unpadded(body), [associated])
        except (InvalidTag, ValueError):
            raise SealError(
                "the seal is broken: the text was changed or belongs to something else"
            ) from None


def key_id(key: bytes) -> str:
    """Return the short name of a seal key: the same everywhere, and it tells nothing of the key."""
    return "k" + sha256(_KEY_ID_LABEL + key).hexdigest()[:8]


def archive_keys(seal_keys: Sequence[bytes]) -> ArchiveKeys:
    """Return the keys of backups, which follow from the seal keys and no other."""
    return ArchiveKeys({key_id(key): key for key in seal_keys})


def _unpadded(text: str) -> bytes:
    """Decode URL-safe base64 without padding.

    The same bytes have one text alone: ValueError for any other.
    """
    content = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if urlsafe_b64encode(content).rstrip(b"=").decode() != text:
        raise binascii.Error("not canonical")
    return content
