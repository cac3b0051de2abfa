"""Bounds how often something may be tried, by whom and by all together."""

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final, NamedTuple

MOST_KEYS: Final = 10_000
"""Visitors that are remembered; the one that was seen least recently goes first."""


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

    Log-ons and enquiries are those of one address, failures those of all before a notice.
    """

    begun: Limiter
    failed: Limiter
    enquiries: Limiter

    @classmethod
    def usual(cls) -> "SiteLimits":
        """Return thirty log-ons, fifty failures and five enquiries in ten minutes."""
        return cls(Limiter(30, 600), Limiter(50, 600), Limiter(5, 600))
