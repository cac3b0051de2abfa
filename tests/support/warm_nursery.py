"""A process that has imported the program, and forks one whenever a test asks for it.

It has no threads and no event loop, so that a fork is a whole process.
`tests/support/warm_start.py` asks. This module imports nothing heavy at its top, since processes
that the program starts import it as their parent's main module.
"""

import gc
import importlib
import json
import os
import pkgutil
import signal
import socket
import sys
from pathlib import Path
from typing import Any, Final, NamedTuple, TextIO

PROGRAM: Final = Path(sys.executable).parent / "refusion"
WORKER: Final = (sys.executable, "-m", "streams.worker.app")
MOST_BYTES: Final = 1 << 20
"""Bytes of the longest request."""
STREAMS: Final = 3
"""Standard input, output and error."""


class Start(NamedTuple):
    """The start of a process, as `subprocess.Popen` would have it."""

    command: list[str]
    environment: dict[str, str]
    folder: str
    umask: int
    streams: list[int]

    def take_effect(self) -> None:
        """Make this process one that was started so."""
        for number, stream in enumerate(self.streams):
            os.dup2(stream, number)
        for stream in self.streams:
            os.close(stream)
        os.chdir(self.folder)
        os.environ.clear()
        os.environ.update(self.environment)
        if self.umask != -1:
            os.umask(self.umask)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.stdin, sys.stdout = _again(sys.stdin, "r"), _again(sys.stdout, "w")
        sys.stderr = _again(sys.stderr, "w")
        importlib.reload(importlib.import_module("streams.engine.fault_points"))  # plans are read

    def run(self) -> Any:
        """Do what the command says. Returns the exit status."""
        if self.command[0] == str(PROGRAM):
            from streams.cli.main import main  # noqa: PLC0415

            sys.argv = self.command
            sys.modules["__main__"].__package__ = None  # the program is a script, of no package
            return main()
        from streams.worker.app import started_with  # noqa: PLC0415

        sys.argv = self.command[2:]
        return started_with(self.command[len(WORKER) :])


def _again(stream: TextIO, mode: str) -> Any:
    """Open a standard stream anew, by lines where an interpreter would."""
    number = stream.fileno()
    by_lines = number == STREAMS - 1 or os.isatty(number)
    return open(
        number,
        mode,
        1 if by_lines else -1,
        encoding=stream.encoding,
        errors=stream.errors,
        closefd=False,
    )


def import_everything() -> None:
    """Import all modules of the program."""
    import streams  # noqa: PLC0415

    for module in pkgutil.walk_packages(streams.__path__, "streams."):
        importlib.import_module(module.name)
    gc.collect()
    gc.freeze()  # so that a collection in a fork does not copy every page


def next_start(asked: socket.socket) -> Start | None:
    """Wait for a request. Returns it in the forked process; None where nobody will ask again."""
    while True:
        request, streams, _, _ = socket.recv_fds(asked, MOST_BYTES, STREAMS)
        if not request:
            return None
        told, tells = os.pipe()
        between = os.fork()
        if between == 0:
            child = os.fork()
            if child == 0:
                asked.close()
                os.close(told)
                os.close(tells)
                return Start(**json.loads(request), streams=streams)
            os.write(tells, str(child).encode())
            os._exit(0)
        os.waitpid(between, 0)
        asked.send(os.read(told, MOST_BYTES))
        for number in (told, tells, *streams):
            os.close(number)


def main() -> int:
    """Import, and wait. A forked process leaves by the same way out as any other."""
    import_everything()
    with socket.socket(fileno=int(sys.argv[1])) as asked:
        start = next_start(asked)
    if start is None:
        return 0
    start.take_effect()
    return int(start.run() or 0)


if __name__ == "__main__":
    sys.exit(main())
