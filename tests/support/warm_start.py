"""Starts the program and its workers warm: forked from a process that has imported them.

A cold start takes 0.5 s of processor time for a command and 0.9 s for a worker, nearly all of it
for imports, and the tests start many hundred. A warm one is a process of its own all the same, a
child of the test, with arguments, environment, folder, umask and standard streams as given:

    test ── asks, with the streams ──> nursery (has imported everything, has no threads)
      └─ is the parent of <─ the program, which the nursery has forked twice: an orphan is adopted

A test that is about the start itself uses the fixture `cold_starts`.
"""

import ctypes
import inspect
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, ClassVar, Final

from tests.support.places import ROOT
from tests.support.warm_nursery import MOST_BYTES, PROGRAM, WORKER

READ_AT_THE_START: Final = ("LANG", "LC_", "LD_", "MALLOC", "PYTHON")
"""Beginnings of the names of what an interpreter reads when it starts."""
KNOWN: Final = {
    "stdin", "stdout", "stderr", "env", "cwd", "umask", "text", "encoding", "errors",
    "universal_newlines", "bufsize",
}  # fmt: skip
"""Options of a `Popen` that a warm start can give."""
PR_SET_CHILD_SUBREAPER: Final = 36
"""The request of Linux's prctl, from <linux/prctl.h>, by which a process adopts orphans."""

ColdPopen: Final[Any] = subprocess.Popen
_EXECUTE: Final = inspect.signature(ColdPopen._execute_child)


class WarmPopen(ColdPopen):  # type: ignore[misc]
    """A `Popen` that starts our own program warm, and everything else as ever."""

    every_start_is_cold: ClassVar = False
    _nursery: ClassVar[socket.socket | None] = None
    _one_at_a_time: ClassVar = threading.Lock()

    def __init__(self, args: Any, *more: Any, **options: Any) -> None:
        self._is_warm = (
            not self.every_start_is_cold
            and not more
            and options.keys() <= KNOWN
            and isinstance(args, list | tuple)
            and _is_ours([str(word) for word in args])
            and _starts_alike(options.get("env") or {})
        )
        super().__init__(args, *more, **options)

    def _execute_child(self, *given: Any) -> None:
        if not self._is_warm:
            super()._execute_child(*given)
            return
        start = _EXECUTE.bind(self, *given).arguments
        pipes = [start[name] for name in ("p2cread", "c2pwrite", "errwrite")]
        streams = [number if pipe == -1 else pipe for number, pipe in enumerate(pipes)]
        request = {
            "command": [str(word) for word in start["args"]],
            "environment": dict(os.environ if start["env"] is None else start["env"]),
            "folder": str(start["cwd"] or Path.cwd()),
            "umask": start["umask"],
        }
        try:
            self.pid = self._born(json.dumps(request).encode(), streams)
            self._child_created = True
        finally:
            ends = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
            self._close_pipe_fds(*(start[name] for name in ends))

    @classmethod
    def _born(cls, request: bytes, streams: list[int]) -> int:
        """Ask for a process, and adopt it."""
        with cls._one_at_a_time:
            if cls._nursery is None:
                cls._nursery = _opened()
            _adopt_orphans(True)
            try:
                socket.send_fds(cls._nursery, [request], streams)
                return int(cls._nursery.recv(MOST_BYTES))
            finally:
                _adopt_orphans(False)


def _is_ours(command: list[str]) -> bool:
    return command[0] == str(PROGRAM) or command[: len(WORKER)] == list(WORKER)


def _starts_alike(environment: dict[str, str]) -> bool:
    """Tell if an interpreter that starts in an environment is like the one of the nursery."""
    return all(
        os.environ.get(name) == value
        for name, value in environment.items()
        if name.startswith(READ_AT_THE_START)
    )


def _adopt_orphans(adopts: bool) -> None:
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, int(adopts), 0, 0, 0)


def _opened() -> socket.socket:
    """Start a nursery, which ends with this process. It does not hear Ctrl-C."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with its:
        command = [sys.executable, "-m", "tests.support.warm_nursery", str(its.fileno())]
        clean = {name: os.environ[name] for name in os.environ if "REFUSION" not in name}
        hushed = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            ColdPopen(command, cwd=ROOT, env=clean, pass_fds=[its.fileno()])
        finally:
            signal.signal(signal.SIGINT, hushed)
    return ours
