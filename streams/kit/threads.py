"""Threads for calls that may block for long, beside the event loop."""

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, TypeVar

Result = TypeVar("Result")


class DaemonThreads(Executor):
    """Runs each call in a daemon thread of its own.

    The threads of the library's executors are waited for when the program ends. These are not: a
    call that hangs cannot keep the process from ending.
    """

    def submit(self, call: Callable[..., Result], /, *args: Any, **named: Any) -> "Future[Result]":
        """Start a call. Returns the future of its result, or of its error."""
        future: Future[Result] = Future()
        future.set_running_or_notify_cancel()

        def work() -> None:
            try:
                result = call(*args, **named)
            except BaseException as error:  # noqa: BLE001 - it is the caller's
                future.set_exception(error)
            else:
                future.set_result(result)

        threading.Thread(target=work, daemon=True).start()
        return future
