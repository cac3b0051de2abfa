"""An event loop whose time jumps to the next timer, and processes whose callbacks can be held back.

Each callback belongs to the process in whose context it was asked for. A process that stands still
(SIGSTOP) has its callbacks held until it goes on; those of a dead one (SIGKILL) never run again.
"""

# mypy: disable-error-code="override"

import asyncio
import selectors
from contextvars import ContextVar, copy_context
from typing import Any


class DeadlockError(Exception):
    """Everybody waits, and no timer is left that could wake anybody."""


class Process:
    """A simulated process: a name, and whether it runs, stands still or is dead."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_dead = False
        self.is_stopped = False
        self._held: list[Any] = []

    def __repr__(self) -> str:
        return self.name

    def run(self, gate: "_Gate") -> None:
        """Run a callback of this process, keep it for later, or forget it."""
        if self.is_dead:
            return
        if self.is_stopped:
            self._held.append(gate)
            return
        gate.run()

    def kill(self) -> None:
        """SIGKILL: nothing of it runs any more."""
        self.is_dead = True
        self._held.clear()

    def stop(self) -> None:
        """SIGSTOP: nothing of it runs until `go_on`."""
        self.is_stopped = True

    def go_on(self) -> None:
        """SIGCONT: what was held back runs now, in its order."""
        self.is_stopped = False
        held, self._held = self._held, []
        for gate in held:
            asyncio.get_running_loop().call_soon(gate.run, context=gate.context)


PROCESS: ContextVar[Process | None] = ContextVar("process", default=None)


class _JumpingSelector(selectors.DefaultSelector):
    """Waits for nothing: the time that would be waited has passed at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise DeadlockError("nobody is left who would wake anybody")
        self.now += max(0.0, timeout)
        return []


class SimulatedLoop(asyncio.SelectorEventLoop):
    """The event loop of the simulated world."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)
        self.tasks: list[asyncio.Task[Any]] = []
        """All tasks, so that none of a dead process is cleaned up: SIGKILL runs no `finally`."""
        self.set_task_factory(self._kept_task)

    def _kept_task(self, loop: Any, coroutine: Any, **options: Any) -> "asyncio.Task[Any]":
        task = asyncio.Task(coroutine, loop=loop, **options)
        self.tasks.append(task)
        return task

    def time(self) -> float:
        """The simulated time in seconds."""
        return self._jumping.now

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        """Call soon, unless the process of the context stands still or is dead."""
        context = copy_context() if context is None else context
        gate = _Gate(context, callback, args)
        gate.handle = super().call_soon(gate, context=context)
        return gate.handle

    def call_at(
        self, when: float, callback: Any, *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        """Call at a time, unless the process of the context stands still or is dead."""
        context = copy_context() if context is None else context
        gate = _Gate(context, callback, args)
        gate.handle = handle = super().call_at(when, gate, context=context)
        return handle

    def run_in_executor(self, _executor: Any, function: Any, *args: Any) -> Any:
        """Run the function at once: there are no threads in this world."""
        future = self.create_future()
        try:
            future.set_result(function(*args))
        except Exception as error:  # noqa: BLE001 - it is the caller's
            future.set_exception(error)
        return future


class _Gate:
    """A callback on its way through its process."""

    handle: asyncio.Handle

    def __init__(self, context: Any, callback: Any, args: tuple[Any, ...]) -> None:
        self.context = context
        self._process = context.get(PROCESS)
        self._callback, self._args = callback, args

    def __call__(self) -> None:
        if self._process is None:
            self._callback(*self._args)
        else:
            self._process.run(self)

    def run(self) -> None:
        """Call what was asked for, unless it was cancelled meanwhile."""
        if not self.handle.cancelled():
            self._callback(*self._args)
