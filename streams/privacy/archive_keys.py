"""Seals and signs what leaves the cluster for ever: the files of a backup.

    sealed file   key id, ".", AES-SIV (RFC 5297) of its content with its place as associated data
    signature     key id, ".", keyed BLAKE2b with 256 bits, in hexadecimal

Both keys are derived from a seal key: whoever may open CPR numbers may open a backup, and nobody
else. The same content at the same place gives the same bytes, so that a file that is written again
is the file that was there.
"""

from collections.abc import Mapping
from hashlib import blake2b
from hmac import compare_digest

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from streams.privacy.derived_keys import derived_key

SIGNATURE_BYTES = 32
_DOT = b"."


class UnopenedError(ValueError):
    """A file cannot be opened; the message says why and repeats nothing of it."""


class ArchiveKeys:
    """The keys of backups by the ids of the seal keys; the first seals, all of them open."""

    def __init__(self, seal_keys: Mapping[str, bytes]) -> None:
        self._key_id = next(iter(seal_keys))
        self._ciphers = {
            name: AESSIV(derived_key(key, "archive")) for name, key in seal_keys.items()
        }
        self._signing = {name: derived_key(key, "manifest") for name, key in seal_keys.items()}

    def __repr__(self) -> str:
        return f"ArchiveKeys({', '.join(self._ciphers)})"

    def seal(self, content: bytes, place: bytes) -> bytes:
        """Seal the content of a file; `place` says which file it is."""
        return self._key_id.encode() + _DOT + self._ciphers[self._key_id].encrypt(content, [place])

    def open(self, sealed: bytes, place: bytes) -> bytes:
        """Return the content of a file. Raises UnopenedError."""
        name, _, body = sealed.partition(_DOT)
        cipher = self._ciphers.get(name.decode("ascii", "replace"))
        if cipher is None:
            raise UnopenedError("it was sealed with a key that is not in REFUSION_SEAL_KEY")
        try:
            return cipher.decrypt(body, [place])
        except (InvalidTag, ValueError):
            raise UnopenedError("its seal is broken: it was changed or is another file's") from None

    def sign(self, content: bytes) -> str:
        """Return the signature of a content."""
        return f"{self._key_id}.{self._digest(self._key_id, content)}"

    def is_signed(self, content: bytes, signature: str) -> bool:
        """Tell whether a signature of a content is ours."""
        name, _, digest = signature.partition(".")
        return name in self._signing and compare_digest(self._digest(name, content), digest)

    def _digest(self, name: str, content: bytes) -> str:
        return blake2b(content, digest_size=SIGNATURE_BYTES, key=self._signing[name]).hexdigest()
