"""Measures how far this machine's clock is from the brokers'.

A broker says when it wrote what we sent, by its own clock (`LogAppendTime`). Between sending and
the answer our clock should have passed that moment; by how much it did not is the skew.
"""

import logging
import time
from collections.abc import Callable
from typing import Final

SAID_S: Final = 60.0
"""Seconds of skew from which it is said; machines that keep time by NTP differ by milliseconds."""

log = logging.getLogger("refusion")


class ClockSkew:
    """The skew of this process, said once when it is large and once when it is gone."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        """`now` is this machine's clock, in seconds since 1970."""
        self.now = now
        self.ahead_s = 0.0
        """Seconds that our clock is ahead of the brokers'; negative if it is behind."""
        self._is_said = False

    def measure(self, sent_s: float, written_ms: int) -> None:
        """Take in that the broker wrote at `written_ms` what we sent at `sent_s`."""
        written_s = written_ms / 1000
        self.ahead_s = max(0.0, sent_s - written_s) + min(0.0, self.now() - written_s)
        if (abs(self.ahead_s) > SAID_S) == self._is_said:
            return
        self._is_said = not self._is_said
        if self._is_said:
            log.warning(
                "the clock of this machine is %.0f s %s the brokers'",
                abs(self.ahead_s),
                "ahead of" if self.ahead_s > 0 else "behind",
            )
        else:
            log.info("the clock of this machine agrees with the brokers' again")
