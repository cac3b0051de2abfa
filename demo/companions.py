"""Programs that run beside the demonstration, such as the site, and end with it."""

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.error import URLError
from urllib.request import urlopen

from demo.cluster import LOG_TAIL_LINES, PATIENCE_S, STOP_S, DemoError
from streams.devtools.local_kafka.broker import WATCH

LOOK_S: Final = 0.1
ANSWER_S: Final = 5.0


class Companion:
    """A Python program beside this one. It ends when this program ends, however it ends."""

    def __init__(self, name: str, arguments: Sequence[str], log: Path, env: Mapping[str, str]):
        """Start the program; what it says goes to the file `log`."""
        self._name = name
        self._log = log
        with log.open("ab") as file:
            self.process = subprocess.Popen(  # noqa: S603
                [sys.executable, *arguments],
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                process_group=0,  # a terminal's Ctrl-C is for us alone
            )
        self._watcher = subprocess.Popen(  # noqa: S603
            ["/bin/sh", "-c", WATCH, "sh", str(self.process.pid), ""],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            process_group=0,
        )

    def check(self) -> None:
        """Raise DemoError if the program has ended by itself."""
        if self.process.poll() is not None:
            tail = self._log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
            raise DemoError("\n  ".join([f"{self._name} ended by itself; its last words:", *tail]))

    def wait_for(self, address: str) -> None:
        """Wait until an address answers.

        Raises:
            DemoError: the program ends, or nothing answers for `PATIENCE_S`.
        """
        deadline = time.monotonic() + PATIENCE_S
        while not _answers(address):
            self.check()
            if time.monotonic() > deadline:
                raise DemoError(f"waited {PATIENCE_S:.0f} s in vain for {self._name}")
            time.sleep(LOOK_S)

    def end(self) -> None:
        """End the program; kill it if it takes long."""
        self.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(STOP_S)
        self.process.kill()
        self.process.wait()
        self._watcher.kill()
        self._watcher.communicate()


def _answers(address: str) -> bool:
    try:
        with urlopen(address, timeout=ANSWER_S) as answer:  # noqa: S310 - our own address
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False
