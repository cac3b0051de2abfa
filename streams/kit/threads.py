"""Threads for calls that may block for long, beside the event loop.

The threads of the library's executors are waited for when the program ends. These are not: a call
that hangs cannot keep the process from ending.
"""

import logging
import os
import queue
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from typing import Any, Final, TypeVar

Result = TypeVar("Result")

_under_way: Final[set["Future[Any]"]] = set()
"""The calls that threads of this module have begun and not ended."""


class DaemonThreads(Executor):
    """Runs each call in a daemon thread of its own."""

    def submit(self, call: Callable[..., Result], /, *args: Any, **named: Any) -> "Future[Result]":
        """Start a call. Returns the future of its result, or of its error."""
        future: Future[Result] = Future()
        future.set_running_or_notify_cancel()
        threading.Thread(
            target=_work, args=(future, lambda: call(*args, **named)), daemon=True
        ).start()
        return future


class DaemonThread(Executor):
    """Runs calls in one daemon thread, one after the other."""

    def __init__(self, name: str) -> None:
        self._calls: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = queue.SimpleQueue()
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def submit(self, call: Callable[..., Result], /, *args: Any, **named: Any) -> "Future[Result]":
        """Let a call wait for its turn. Returns the future of its result, or of its error."""
        future: Future[Result] = Future()
        self._calls.put((future, lambda: call(*args, **named)))
        return future

    def _run(self) -> None:
        while True:
            future, call = self._calls.get()
            if future.set_running_or_notify_cancel():
                _work(future, call)


def _work(future: "Future[Result]", call: Callable[[], Result]) -> None:
    _under_way.add(future)
    try:
        result = call()
    except BaseException as error:  # noqa: BLE001 - it is the caller's
        future.set_exception(error)
    else:
        future.set_result(result)
    finally:
        _under_way.discard(future)


def leave(status: int) -> None:
    """End the process at once with a status, where a call is under way in a thread; else return.

    For a program at its end, which has put all else in order. Python ends such a thread when its
    call returns while the interpreter is going down, and a native library does not survive that:
    the process would be aborted, or wait for the call.
    """
    if not _under_way:
        return
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with suppress(OSError, ValueError):
                stream.flush()
    os._exit(status)
