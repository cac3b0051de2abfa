"""Keeps several worker processes running, and starts one again that died.

A child that died is started at once, because the group gives it its partitions back without
waiting for the dead one's session; one that keeps dying, after longer and longer pauses. A child
that ended with `USER_ERROR` ends all: a restart would not mend settings, or topics that do not fit.
"""

import logging
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

USER_ERROR: Final = 2
"""Exit status for errors that a restart cannot mend."""
LOOK_S: Final = 0.1
"""Seconds between two looks at the children."""
STEADY_S: Final = 10.0
"""Seconds of life after which a child is started again at once."""
LONGEST_PAUSE_S: Final = 30.0
"""Seconds between two starts of a child that keeps dying, at most."""
END_S: Final = 20.0
"""Seconds for children to finish their commits; then SIGKILL, which costs a takeover, no data."""

log = logging.getLogger("refusion")


class _Child:
    """One worker process, started again when it dies."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._command = command
        self._environment = environment
        self._pause_s = 0.0
        self._start()

    def _start(self) -> None:
        self._started = time.monotonic()
        self.process = subprocess.Popen(  # noqa: S603
            self._command, stdin=subprocess.PIPE, process_group=0, env=self._environment
        )
        self._again_at: float | None = None

    def look(self) -> None:
        """Start it again if it has died and its pause is over."""
        status = self.process.poll()
        if status is None or status == USER_ERROR:  # what a restart cannot mend ends the supervisor
            return
        now = time.monotonic()
        if self._again_at is None:
            steady = now - self._started > STEADY_S
            self._pause_s = 0.0 if steady else min(max(1.0, 2 * self._pause_s), LONGEST_PAUSE_S)
            self._again_at = now + self._pause_s
            log.warning("worker %d died (status %d), starts again", self.process.pid, status)
        if now >= self._again_at:
            self._start()


def supervise(command: Sequence[str], processes: int, environment: Mapping[str, str]) -> int:
    """Keep worker processes running until SIGTERM or SIGINT; the exit status.

    They get an environment with the secrets, which this process does not keep in its own.
    """
    stopped: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _frame: stopped.append(number))
    children = [_Child(command, environment) for _ in range(processes)]
    while not stopped and not any(child.process.poll() == USER_ERROR for child in children):
        for child in children:
            child.look()
        time.sleep(LOOK_S)
    return _end(children)


def _end(children: Sequence[_Child]) -> int:
    """End the children in good order. Returns 0 only if all of them ended so."""
    for child in children:
        with suppress(ProcessLookupError):
            child.process.terminate()
    deadline = time.monotonic() + END_S
    for child in children:
        try:
            child.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.process.kill()
            child.process.wait()
    clean = (0, -signal.SIGTERM)  # one that was still starting has nothing to put in order
    return max(
        0 if child.process.returncode in clean else abs(child.process.returncode)
        for child in children
    )
