"""Bounds how often something may be tried, by whom and by all together."""

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from http import HTTPStatus
from typing import Final, NamedTuple

from fastapi import HTTPException, Request

from streams.web.networks import network_of

MOST_KEYS: Final = 10_000
"""Visitors that are remembered; the one that was seen least recently goes first."""
WINDOW_S: Final = 600
"""Seconds in which things are counted."""
DAY_S: Final = 86_400


def network_of_visitor(request: Request) -> str:
    """Return the network that a request comes from."""
    return network_of(request.client.host) if request.client else ""


def too_many() -> HTTPException:
    """Return the refusal of one more."""
    headers = {"Retry-After": str(WINDOW_S)}
    return HTTPException(HTTPStatus.TOO_MANY_REQUESTS, headers=headers)


class Limiter:
    """Lets something pass `most` times in `seconds` for each key."""

    def __init__(
        self, most: int, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most, self._seconds, self._clock = most, seconds, clock
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def passes(self, key: str) -> bool:
        """Count one more, and tell whether it is within the bound."""
        now = self._clock()
        times = self._times.pop(key, deque(maxlen=self._most))
        self._times[key] = times
        while len(self._times) > MOST_KEYS:
            self._times.popitem(last=False)
        while times and now - times[0] >= self._seconds:
            times.popleft()
        if len(times) >= self._most:
            return False
        times.append(now)
        return True


class SiteLimits(NamedTuple):
    """Bounds of one site.

    Log-ons that begin, enquiries and sign-ups are those of one network, which may be a whole town
    hall's; log-ons that succeed and searches by CPR number those of one account, failures those of
    all before a notice, mails those to one mail address that nobody has confirmed.

    A caseworker who types a number, says why and looks at the citizen needs a minute, and half of
    that for one who is not found: 60 searches in ten minutes are one each ten seconds without rest.
    """

    begun: Limiter
    accounts: Limiter
    failed: Limiter
    enquiries: Limiter
    sign_ups: Limiter
    mails: Limiter
    searches: Limiter

    @classmethod
    def usual(cls) -> "SiteLimits":
        """Return the bounds for ten minutes, for mails a day, as docs/web.md tells them."""
        seconds = WINDOW_S
        return cls(
            Limiter(600, seconds),
            Limiter(30, seconds),
            Limiter(50, seconds),
            Limiter(5, seconds),
            Limiter(5, seconds),
            Limiter(2, DAY_S),
            Limiter(60, seconds),
        )
