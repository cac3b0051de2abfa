"""Names citizens by tokens of one session: no CPR number, and no pseudonym that lasts.

A token is the pseudonym, sealed with a key of the session that is never written down: it says
nothing to anybody else, and nothing after the session. So a session keeps none of them, however
many citizens it has seen.
"""

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from streams.web.sessions import WebSession

KEPT: Final = "citizens"
KEY_BITS: Final = 256
_LETTERS: Final = str.maketrans("0123456789", "ghijkmnpqr")
_DIGITS: Final = str.maketrans("ghijkmnpqr", "0123456789")


class CitizenTokens:
    """The tokens of a session."""

    def __init__(self) -> None:
        self._cipher = AESSIV(AESSIV.generate_key(KEY_BITS))

    def token(self, citizen: str) -> str:
        """Give a citizen's token in letters; the same citizen has the same one in a session."""
        return self._cipher.encrypt(bytes.fromhex(citizen), None).hex().translate(_LETTERS)

    def citizen(self, token: str) -> str | None:
        """Find the citizen of a token; None where this session has given no such token."""
        try:
            return self._cipher.decrypt(bytes.fromhex(token.translate(_DIGITS)), None).hex()
        except (ValueError, InvalidTag):
            return None


def tokens_of(session: WebSession) -> CitizenTokens:
    """Return the tokens of a session."""
    found: CitizenTokens = session.kept.setdefault(KEPT, CitizenTokens())
    return found
