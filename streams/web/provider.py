"""Speaks with the OpenID provider: code flow with PKCE, and tokens of programs.

Only asymmetric signatures are believed, and only tokens that are for this site: the issuer and the
audience are compared. What the provider publishes about itself is asked for once, its keys again
when a token names one that is unknown, at most once a minute.
"""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from authlib.common.security import generate_token
from authlib.integrations.starlette_client import OAuth, OAuthError
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from streams.kit.errors import kind_and_place
from streams.kit.web_settings import OidcClient

SIGNATURES: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384")
ANSWER_S: Final = 10.0
"""Seconds that the provider may take for an answer."""
LEEWAY_S: Final = 60
"""Seconds by which clocks may differ."""
KEYS_AGAIN_S: Final = 60.0
log = logging.getLogger("refusion")


class ProviderError(Exception):
    """A log-on or a token is not believed, or the provider does not answer."""


class LogOnAttempt(NamedTuple):
    """A log-on that began: what must come back with it, and where it leads to."""

    address: str
    state: str
    nonce: str
    verifier: str
    redirect: str


class Proof(NamedTuple):
    """The outcome of a log-on: the claims, and the token with which one logs off."""

    claims: Mapping[str, Any]
    id_token: str


class OidcProvider:
    """The provider of the settings."""

    def __init__(self, client: OidcClient, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock = clock
        self._keys_asked = -KEYS_AGAIN_S
        self._authlib: Any = OAuth().register(
            "provider",
            client_id=client.client_id,
            client_secret=client.client_secret,
            server_metadata_url=f"{client.issuer}/.well-known/openid-configuration",
            client_kwargs={
                "scope": "openid profile",
                "code_challenge_method": "S256",
                "timeout": ANSWER_S,
            },
        )

    @property
    def issuer(self) -> str:
        """The provider's address."""
        return self._client.issuer

    async def begin(self, redirect: str) -> LogOnAttempt:
        """Begin a log-on that comes back to `redirect`. Raises ProviderError."""
        try:
            await self._metadata()
            made = await self._authlib.create_authorization_url(
                redirect, code_verifier=generate_token(64)
            )
        except Exception as error:
            raise _unbelieved(error) from error
        return LogOnAttempt(
            made["url"], made["state"], made["nonce"], made["code_verifier"], redirect
        )

    async def finish(self, attempt: LogOnAttempt, code: str) -> Proof:
        """Fetch and check the token of a log-on. Raises ProviderError."""
        try:
            token = await self._authlib.fetch_access_token(
                code=code, redirect_uri=attempt.redirect, code_verifier=attempt.verifier
            )
            found = await self._decoded(token["id_token"])
            claims = CodeIDToken(
                found.claims,
                found.header,
                self._demands(),
                {
                    "nonce": attempt.nonce,
                    "client_id": self._client.client_id,
                    "access_token": token["access_token"],
                },
            )
            claims.validate(leeway=LEEWAY_S)
        except Exception as error:
            raise _unbelieved(error) from error
        return Proof(dict(found.claims), token["id_token"])

    async def claims_of(self, token: str) -> Mapping[str, Any]:
        """Return the claims of a program's access token. Raises ProviderError."""
        try:
            found = await self._decoded(token)
            rules: dict[str, Any] = {**self._demands(), "exp": {"essential": True}}
            jwt.JWTClaimsRegistry(leeway=LEEWAY_S, **rules).validate(found.claims)
        except Exception as error:
            raise _unbelieved(error) from error
        return dict(found.claims)

    async def log_off_address(self, id_token: str, back: str) -> str | None:
        """Return where one logs off at the provider; None where it does not say."""
        try:
            metadata = await self._metadata()
            if not metadata.get("end_session_endpoint"):
                return None
            made = await self._authlib.create_logout_url(
                post_logout_redirect_uri=back,
                id_token_hint=id_token,
                client_id=self._client.client_id,
            )
        except Exception as error:  # noqa: BLE001 - here one is logged off already
            log.warning("log-off at the provider failed: %s", kind_and_place(error))
            return None
        return str(made["url"])

    def _demands(self) -> dict[str, Any]:
        return {
            "iss": {"essential": True, "values": [self._client.issuer, f"{self._client.issuer}/"]},
            "aud": {"essential": True, "value": self._client.client_id},
        }

    async def _metadata(self) -> Mapping[str, Any]:
        metadata: Mapping[str, Any] = await self._authlib.load_server_metadata()
        if str(metadata.get("issuer", "")).rstrip("/") != self._client.issuer:
            self._authlib.server_metadata.clear()
            raise ProviderError("the provider says that it is another issuer")
        return metadata

    async def _decoded(self, token: str) -> jwt.Token:
        await self._metadata()
        registry = JWSRegistry(algorithms=list(SIGNATURES), strict_check_header=False)
        try:
            return jwt.decode(token, await self._keys(), registry=registry)
        except (JoseError, ValueError):
            now = self._clock()
            if now - self._keys_asked < KEYS_AGAIN_S:
                raise
            self._keys_asked = now
            return jwt.decode(token, await self._keys(force=True), registry=registry)

    async def _keys(self, *, force: bool = False) -> KeySet:
        return KeySet.import_key_set(await self._authlib.fetch_jwk_set(force=force))


def _unbelieved(error: Exception) -> ProviderError:
    """Return the error in our words: an OAuth error's name is one of a fixed list, not a text."""
    if isinstance(error, ProviderError):
        return error
    name = error.error if isinstance(error, OAuthError) else ""
    return ProviderError(f"{kind_and_place(error)}{f' ({name})' if name else ''}")
