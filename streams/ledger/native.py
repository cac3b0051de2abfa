"""Keeps what the ledger's library writes to standard error, and raises, away from people.

deltalake is written in Rust. Where its code panics, Rust itself writes several lines and a stack
to file descriptor 2, past Python; and an error while a result is read comes as a bare `Exception`.

* `quiet_panics` puts a pipe in the place of descriptor 2 and passes on what comes through it: each
  panic as one line, all else as it came. Python's own standard error goes on to where it went.
* `native_errors` turns the library's errors within a block into one error of ours.
"""

import atexit
import logging
import os
import re
import select
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from deltalake.exceptions import DeltaError

from streams.kit.standard_streams import lossy_text

PANIC: Final = re.compile(
    rb"thread '[^']*'.* panicked at (?:.*/)?([\w.-]+/[\w.-]+/[\w.-]+:\d+):\d+:"
)
"""First line of a panic; the group is the place in the library, without folders of a machine."""
LAST: Final = b"note: "
"""Beginning of the last line of a panic with a stack, and of the first panic without."""
STACK: Final = b"stack backtrace:"
SILENCE_S: Final = 0.1
"""Seconds without more text after which a panic is over: it is written at once."""
SILENCES: Final = 100
"""Silences after which a panic with a stack is over: Rust looks up the names of the stack first."""
STANDARD_ERROR: Final = 2

_once = threading.Lock()


@contextmanager
def native_errors(as_error: Callable[[BaseException], Exception]) -> Iterator[None]:
    """Raise errors of the library, panics among them, as the error that `as_error` makes."""
    try:
        yield
    except (DeltaError, OSError) as error:
        raise as_error(error) from error
    except BaseException as error:
        is_native = type(error) is Exception or type(error).__name__ == "PanicException"
        if not is_native:
            raise
        raise as_error(error) from error


def quiet_panics() -> None:
    """Filter descriptor 2 from now on, once a process.

    Where standard error is closed, or Python's is not that descriptor, nothing is done.
    """
    stream = sys.__stderr__
    if stream is None or stream is not sys.stderr:
        return
    if not _once.acquire(blocking=False):
        return
    original = os.dup(STANDARD_ERROR)
    stream.flush()
    sys.stderr = lossy_text(os.fdopen(os.dup(original), "wb"), stream.encoding, stream.errors)
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler) and handler.stream is stream:
            handler.setStream(sys.stderr)  # no line of ours waits in the pipe when we are killed
    ours, theirs = os.pipe()
    os.dup2(theirs, STANDARD_ERROR)
    os.close(theirs)
    thread = threading.Thread(target=_pass_on, args=(ours, original), daemon=True, name="panics")
    thread.start()

    def end() -> None:
        os.dup2(original, STANDARD_ERROR)  # the pipe has no writer then, and the thread ends
        thread.join(1.0)

    atexit.register(end)


def _pass_on(source: int, target: int) -> None:
    """Copy lines until there is no writer any more, panics in one line each."""
    panics, rest = PanicFilter(), b""
    while True:
        ready, _, _ = select.select([source], [], [], SILENCE_S if panics.is_open or rest else None)
        block = os.read(source, 1 << 16) if ready else b""
        *lines, rest = (rest + block).split(b"\n")
        text = b"".join(map(panics.passed, lines))
        if not block:
            text += panics.ended() + rest
            rest = b""
        if text:
            with suppress(OSError):  # a full disk; the library would wait for us
                os.write(target, text)
        if ready and not block:
            os.close(source)
            return


class PanicFilter:
    """Passes lines on; those of a panic become one."""

    def __init__(self) -> None:
        self._place: bytes | None = None
        self._silences = 1
        self._message = b""
        self._blank = False

    @property
    def is_open(self) -> bool:
        """True while a panic may have more lines, or a blank line may begin one."""
        return self._place is not None or self._blank

    def passed(self, line: bytes) -> bytes:
        """Take a line without its end, and return what is to be written now."""
        if match := PANIC.fullmatch(line):
            before, self._blank = self._end_panic(), False
            self._place, self._message, self._silences = match[1], b"", 1
            return before
        if self._place is not None:
            self._message = self._message or line
            if line == STACK:
                self._silences = SILENCES
            return self._end_panic() if line.startswith(LAST) else b""
        before, self._blank = self._end_blank(), not line
        return before if not line else before + line + b"\n"

    def ended(self) -> bytes:
        """Return what is left, because nothing more comes for now."""
        self._silences -= 1
        return self._end_blank() if self._silences else self._end_panic() + self._end_blank()

    def _end_panic(self) -> bytes:
        if self._place is None:
            return b""
        place, self._place = self._place, None
        return b"the library of the ledger failed at %s: %s\n" % (place, self._message)

    def _end_blank(self) -> bytes:
        """A blank line goes before each panic; any other is passed on."""
        was_blank, self._blank = self._blank, False
        return b"\n" if was_blank else b""
