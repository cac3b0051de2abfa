"""A client of a server of tokens (OAuth 2.0, client credentials)."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class OauthClient:
    """A client that a server of tokens knows."""

    token_url: str
    client_id: str
    secret: str = field(repr=False)
