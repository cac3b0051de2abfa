"""Gets the token with which a client logs on by OAUTHBEARER, as a client of its own (RFC 6749).

The token is asked for with the client's id and secret (client credentials, section 4.4), kept until
four fifths of its time are over, and then asked for anew. A broker asks for it at each connection.
"""

import asyncio
import json
import time
import urllib.error
import urllib.request
from base64 import b64encode
from http.client import HTTPException
from typing import Any, Final
from urllib.parse import quote, urlencode

from aiokafka.abc import AbstractTokenProvider

from streams.kafka.connection_errors import LogonRefusedError, TokenUnavailableError
from streams.kafka.oauth_client import OauthClient
from streams.kit.threads import DaemonThreads

TIMEOUT_S: Final = 10.0
"""Seconds that the server of tokens may be silent."""
ANSWER_S: Final = 20.0
"""Seconds that it may take for a whole answer, however often it sends a byte of it."""
MAX_ANSWER_BYTES: Final = 256 * 1024
"""Bytes of the largest answer that is read."""
KEPT: Final = 0.8
"""Part of a token's time for which it is used again."""
USUAL_S: Final = 300.0
"""Seconds of a token whose server does not say how long it is good for."""

_ASKING: Final = DaemonThreads()


class TokenProvider(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka has no types
    """Gives a token that is valid now."""

    def __init__(self, client: OauthClient) -> None:
        self._client = client
        self._token = ""
        self._until = 0.0

    async def token(self) -> str:
        """Return a token. Raises LogonRefusedError or TokenUnavailableError."""
        if time.monotonic() >= self._until:
            answer = await self._answer()
            self._token = answer["access_token"]
            self._until = time.monotonic() + KEPT * _seconds(answer)
        return self._token

    async def _answer(self) -> dict[str, Any]:
        """Ask in a thread that nobody waits for at the end of the program."""
        asking = asyncio.get_running_loop().run_in_executor(_ASKING, _asked, self._client)
        try:
            return await asyncio.wait_for(asking, ANSWER_S)
        except TimeoutError:
            raise TokenUnavailableError(self._client.token_url) from None


def _seconds(answer: dict[str, Any]) -> float:
    """Return how long a token is good, as its server says."""
    try:
        return max(0.0, float(answer.get("expires_in", USUAL_S)))
    except (TypeError, ValueError):
        return USUAL_S


def _asked(client: OauthClient) -> dict[str, Any]:
    """Ask for a token, without following a redirection: the secret goes to one address alone."""
    pair = f"{quote(client.client_id)}:{quote(client.secret)}"
    request = urllib.request.Request(  # noqa: S310 - the settings demand https
        client.token_url,
        urlencode({"grant_type": "client_credentials"}).encode(),
        {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"},
    )
    try:
        with _opener().open(request, timeout=TIMEOUT_S) as response:
            answer = json.loads(response.read(MAX_ANSWER_BYTES))
    except urllib.error.HTTPError as error:
        if 400 <= error.code < 500:
            raise LogonRefusedError(
                f"{client.token_url} gives it no token (HTTP status {error.code})"
            ) from None
        raise TokenUnavailableError(client.token_url) from None
    except (OSError, HTTPException, ValueError, RecursionError):
        raise TokenUnavailableError(client.token_url) from None
    if not isinstance(answer, dict) or not isinstance(answer.get("access_token"), str):
        raise TokenUnavailableError(client.token_url)
    return answer


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows no redirection."""

    def redirect_request(self, *_arguments: Any, **_named: Any) -> None:
        """Give no request in place of the one that was answered with a redirection."""


def _opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(_NoRedirect)
