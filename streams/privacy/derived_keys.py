"""Derives keys, one for each purpose, from one key that is kept: HKDF with SHA-256 (RFC 5869).

Whoever has a derived key learns nothing of the key that it comes from, nor of its sisters.
"""

from typing import Final, Literal

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

Purpose = Literal["pseudonym", "seal", "journal", "archive", "manifest"]

DERIVED_BYTES: Final = 32
_LABEL: Final = b"ydelsesrefusion key for "


def derived_key(key: bytes, purpose: Purpose) -> bytes:
    """Derive the key of a purpose: the same everywhere, and for ever."""
    return HKDF(SHA256(), DERIVED_BYTES, salt=None, info=_LABEL + purpose.encode()).derive(key)
