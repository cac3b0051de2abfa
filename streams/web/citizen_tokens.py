"""Names citizens by tokens of one session: no CPR number, and no pseudonym that lasts.

A token says nothing to anybody else, and nothing after the session: its key is never written down.
"""

import secrets
from hashlib import blake2b
from typing import Final

from streams.web.sessions import WebSession

KEPT: Final = "citizens"
TOKEN_BYTES: Final = 12


class CitizenTokens:
    """The citizens that a session has seen, by their tokens."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._citizens: dict[str, str] = {}

    def token(self, citizen: str) -> str:
        """Give a citizen's token; the same citizen has the same one in a session."""
        made = blake2b(citizen.encode(), key=self._key, digest_size=TOKEN_BYTES).hexdigest()
        self._citizens[made] = citizen
        return made

    def citizen(self, token: str) -> str | None:
        """Find the citizen of a token; None where this session has given no such token."""
        return self._citizens.get(token)


def tokens_of(session: WebSession) -> CitizenTokens:
    """Return the tokens of a session."""
    found: CitizenTokens = session.kept.setdefault(KEPT, CitizenTokens())
    return found
