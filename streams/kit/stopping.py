"""Ends the program early: a signal stops it, or nobody reads its output any more."""

import os
import signal
import sys
import warnings
from typing import NoReturn

SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


_came: list[int] = []
"""The signals that have stopped the program: one, or none yet."""


class Stopped(KeyboardInterrupt):
    """A signal ended the program; `status` is the exit status that tells which."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.status = 128 + number


def unwind_on_signals() -> None:
    """Let Ctrl-C, SIGTERM or a closed terminal raise Stopped: folders and processes go too.

    A signal that whoever started us ignores stays ignored (`nohup`, jobs in the background).
    """
    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _stop)


def stop_again() -> None:
    """Raise Stopped if a signal has come: a library may have put an error of its own in its place.

    Call it where such an error is caught.
    """
    for number in _came:
        raise Stopped(number)


def _stop(number: int, _frame: object) -> NoReturn:
    _came.append(number)
    for other in SIGNALS:
        # A second one would break the clean-up off half-way.
        signal.signal(other, signal.SIG_IGN)
    # What was interrupted stays undone: Python would tell of it, one coroutine after the other, and
    # of each that misses its event loop when it is thrown away.
    warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
    sys.unraisablehook = _tell_nothing
    raise Stopped(number)


def _tell_nothing(_thrown_away: object) -> None:
    """Take an error of what is thrown away."""


def output_unread() -> int:
    """Write the rest of the output to nowhere, and return the exit status.

    For BrokenPipeError (as with `| head`), which is no mistake of the user.
    """
    _write_rest_to_nowhere()
    return 128 + signal.SIGPIPE


def give_up_output() -> None:
    """Write the rest of the output to nowhere where it cannot be written, as on a full disk.

    Else Python would try again at its end, and change the exit status.
    """
    if sys.stdout is not None:
        try:
            sys.stdout.flush()
        except OSError:
            _write_rest_to_nowhere()


def _write_rest_to_nowhere() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
