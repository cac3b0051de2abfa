"""Sets PDFs in processes of their own, so that the memory of a large one goes back.

A process takes one document after the other over pipes: a length of eight bytes, then the values
as JSON; back comes a length, then the PDF. It ends when its standard input does.
"""

import json
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from hashlib import blake2b
from typing import IO, Any, Final

from streams.kit.cores import cores
from streams.lis.kept_values import KeptValues

LENGTH_BYTES: Final = 8
LARGE_BYTES: Final = 100_000
"""The values of a document after which its process ends: typst keeps what it has set."""
MOST_ROWS: Final = 2_000
"""Rows on paper, some forty pages; the files have all."""
MOST_DOCUMENTS: Final = 200
KEPT_BYTES: Final = 6_000_000
"""Bytes of documents that are kept, of some 50,000 each."""
LARGE_KEPT_BYTES: Final = 600_000
"""Bytes from which a document is set anew each time."""
KEY_BYTES: Final = 200
ANSWER_S: Final = 60.0
AT_ONCE: Final = cores()
PROGRAM: Final = (sys.executable, "-m", "streams.web.lis_typesetter")


class TypesettingError(RuntimeError):
    """A document was not set, twice."""


class Typesetter:
    """Sets documents, as many at a time as there are processors."""

    def __init__(self, start: Callable[[], "TypesettingProcess"] | None = None) -> None:
        self._start = start or TypesettingProcess
        self._idle: queue.LifoQueue[TypesettingProcess | None] = queue.LifoQueue()
        for _ in range(AT_ONCE):
            self._idle.put(None)
        self._kept = KeptValues[bytes](KEPT_BYTES, LARGE_KEPT_BYTES, KEY_BYTES)

    def kept_pdf(self, values: Mapping[str, Any]) -> bytes:
        """Set a document that names nobody, or give it as it was set of the same values.

        Raises as `pdf` does.
        """
        content = _content(values)
        key = blake2b(content, digest_size=16).digest()
        return self._kept.get(key, lambda: self._set(content), len)

    def pdf(self, values: Mapping[str, Any]) -> bytes:
        """Set a document. A process that has ended is started anew, once.

        Raises:
            TypesettingError: the new one ends too.
        """
        return self._set(_content(values))

    def _set(self, content: bytes) -> bytes:
        process = self._idle.get()
        try:
            for _ in range(2):
                process = process or self._start()
                if (made := process.made(content)) is not None:
                    break
                process.end()
                process = None
            else:
                raise TypesettingError("a process that sets PDFs ends without an answer")
            if process.is_used_up or len(content) > LARGE_BYTES:
                process.end()
                process = None
            return made
        finally:
            self._idle.put(process)

    def close(self) -> None:
        """End the processes that are there; later documents have new ones."""
        for _ in range(AT_ONCE):
            if (process := self._idle.get()) is not None:
                process.end()
        for _ in range(AT_ONCE):
            self._idle.put(None)


class TypesettingProcess:
    """A process that sets one document after the other."""

    def __init__(self, program: tuple[str, ...] = PROGRAM) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own words
            program, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._made = 0

    @property
    def is_used_up(self) -> bool:
        """True if it has set so many documents that a new one is better."""
        return self._made >= MOST_DOCUMENTS

    def made(self, content: bytes) -> bytes | None:
        """Return the PDF; None where the process ends, or takes too long."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._made += 1
        clock = threading.Timer(ANSWER_S, self._process.kill)
        clock.start()
        try:
            _write(self._process.stdin, content)
            return _read(self._process.stdout)
        except OSError:
            return None
        finally:
            clock.cancel()

    def end(self) -> None:
        """End the process."""
        self._process.kill()
        with suppress(OSError):  # what it has not read
            self._process.communicate()


def _content(values: Mapping[str, Any]) -> bytes:
    return json.dumps(values, ensure_ascii=False).encode()


def _write(pipe: IO[bytes], content: bytes) -> None:
    pipe.write(len(content).to_bytes(LENGTH_BYTES))
    pipe.write(content)
    pipe.flush()


def _read(pipe: IO[bytes]) -> bytes | None:
    """Read what was written; None at the end of the pipe."""
    length = pipe.read(LENGTH_BYTES)
    content = pipe.read(int.from_bytes(length))
    is_whole = len(length) == LENGTH_BYTES and len(content) == int.from_bytes(length)
    return content if is_whole else None


def main() -> None:
    """Set documents as long as some come."""
    from streams.web.lis_pdf import pdf  # noqa: PLC0415 - 6 MB that the site itself needs not

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for the site
    while (content := _read(sys.stdin.buffer)) is not None:
        _write(sys.stdout.buffer, pdf(json.loads(content)))


if __name__ == "__main__":
    main()
