"""Sets up a log of a worker or of the site: a readable line for each event an operator cares about.

No line is written for a report, and none ever has a CPR.
"""

import logging
import os
import time
from typing import Final

QUIET_S: Final = 60.0
"""Seconds for which a line of a library is not repeated: without a broker, clients write the same
line ten times a second."""

LEVELS: Final = {
    "refusion": logging.INFO,
    # What goes wrong in aiokafka reaches the batch loop as an exception, which says it once and in
    # our words.
    "aiokafka": logging.CRITICAL,
    "faust": logging.WARNING,
    "mode": logging.WARNING,
    "asyncio": logging.ERROR,
}


class SeldomRepeated(logging.Filter):
    """Lets our own lines pass, and each line of a library once in `QUIET_S`."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a line is written."""
        if record.name == "refusion":
            return True
        line, now = (record.name, str(record.msg)), time.monotonic()
        if now - self._said.get(line, -QUIET_S) < QUIET_S:
            return False
        self._said[line] = now
        return True


def set_up_logs(program: str = "worker") -> None:
    """Log to stderr, each line with the program and the process that wrote it."""
    handler = logging.StreamHandler()
    handler.addFilter(SeldomRepeated())
    handler.setFormatter(
        logging.Formatter(f"%(asctime)s {program} {os.getpid()}: %(message)s", "%Y-%m-%d %H:%M:%S")
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name, level in LEVELS.items():
        logging.getLogger(name).setLevel(level)


def quiet_clients() -> None:
    """Silence the logs of aiokafka and asyncssh.

    The error that ends a command says what is wrong.
    """
    for client in ("aiokafka", "asyncssh"):
        logging.getLogger(client).setLevel(logging.CRITICAL)
