"""An event loop whose time jumps to the next timer, and processes whose callbacks can be held back.

Each callback belongs to the process in whose context it was asked for. A process that stands still
(SIGSTOP, or a step that takes long) has its callbacks held until it goes on; those of a dead one
(SIGKILL) never run again.
"""

# mypy: disable-error-code="override"

import asyncio
import selectors
from contextvars import ContextVar, copy_context
from typing import Any


class DeadlockError(Exception):
    """Everybody waits, and no timer is left that could wake anybody."""


class KilledError(BaseException):
    """The process at work was killed in the middle of a step; nothing catches it."""


class Process:
    """A simulated process: a name, a version, and whether it runs, stands still or is dead."""

    def __init__(self, name: str, *, is_former: bool = False) -> None:
        self.name = name
        self.is_former = is_former
        """True for a process of the former version of the program."""
        self.is_dead = False
        self.busy_until = 0.0
        self.short_of_memory_until = 0.0
        self._held: list[Any] = []
        self._is_waking = False

    def __repr__(self) -> str:
        return self.name

    def now(self) -> float:
        """The simulated time."""
        return asyncio.get_running_loop().time()

    def run(self, gate: "_Gate") -> None:
        """Run a callback of this process, keep it for later, or forget it."""
        if self.is_dead:
            return
        if self._is_waking or self._held:
            self._held.append(gate)
            return
        gate.run()

    def kill(self) -> None:
        """SIGKILL: nothing of it runs any more."""
        self.is_dead = True
        self._held.clear()

    def hold(self, seconds: float) -> None:
        """Let nothing of it run for so long, after what it is busy with already."""
        loop = asyncio.get_running_loop()
        self.busy_until = max(self.busy_until, loop.time()) + seconds
        if not self._is_waking:
            self._is_waking = True
            _call_at_outside(loop, self.busy_until, self._wake)

    def go_on(self) -> None:
        """Let it run at once."""
        self.busy_until = 0.0
        if self._is_waking:
            self._wake()

    def _wake(self) -> None:
        loop = asyncio.get_running_loop()
        if not self._is_waking:
            return
        if self.busy_until > loop.time():
            _call_at_outside(loop, self.busy_until, self._wake)
            return
        self._is_waking = False
        held, self._held = self._held, []
        for gate in held:
            loop.call_soon(gate.run, context=gate.context)


PROCESS: ContextVar[Process | None] = ContextVar("process", default=None)


def _call_at_outside(loop: asyncio.AbstractEventLoop, when: float, callback: Any) -> None:
    """Call something that belongs to no process."""
    context = copy_context()
    context.run(PROCESS.set, None)
    loop.call_at(when, callback, context=context)


class ProcessTime:
    """Stands in for the module `time`: a step that takes long has taken long when it looks."""

    def monotonic(self) -> float:
        """The time that this process sees."""
        process, now = PROCESS.get(), asyncio.get_running_loop().time()
        return max(now, process.busy_until) if process is not None else now

    thread_time = monotonic


class _JumpingSelector(selectors.DefaultSelector):
    """Waits for nothing: the time that would be waited has passed at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise DeadlockError("nobody is left who would wake anybody")
        if timeout > 0:
            self.now += timeout
        return []


class SimulatedLoop(asyncio.SelectorEventLoop):
    """The event loop of the simulated world."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)
        self.set_task_factory(self._kept_task)
        self.work_s = lambda: 0.0
        """Gives the seconds that the next work of another thread takes."""
        self._tasks: list[asyncio.Task[Any]] = []
        self._free_at: dict[tuple[Any, int], float] = {}
        self._most_tasks = 1000

    def _kept_task(self, loop: Any, coroutine: Any, **options: Any) -> "asyncio.Task[Any]":
        """Keep all tasks, so that none of a dead process runs a `finally`: SIGKILL does not."""
        task = asyncio.Task(coroutine, loop=loop, **options)
        self._tasks.append(task)
        if len(self._tasks) > self._most_tasks:
            self._tasks = [kept for kept in self._tasks if not kept.done()]
            self._most_tasks = 2 * len(self._tasks) + 1000
        return task

    def time(self) -> float:
        """The simulated time in seconds."""
        return self._jumping.now

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        """Call soon, unless the process of the context stands still or is dead."""
        context = copy_context() if context is None else context
        process = context.get(PROCESS)
        if process is None:
            return super().call_soon(callback, *args, context=context)
        gate = _Gate(context, process, callback, args)
        gate.handle = super().call_soon(gate, context=context)
        return gate.handle

    def call_at(
        self, when: float, callback: Any, *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        """Call at a time, unless the process of the context stands still or is dead."""
        context = copy_context() if context is None else context
        process = context.get(PROCESS)
        if process is None:
            return super().call_at(when, callback, *args, context=context)
        gate = _Gate(context, process, callback, args)
        gate.handle = handle = super().call_at(when, gate, context=context)
        return handle

    def run_in_executor(self, executor: Any, function: Any, *args: Any) -> Any:
        """Run the function when its thread is free and has taken its time: there are no threads."""
        future = self.create_future()
        thread = PROCESS.get(), id(executor)
        done_at = max(self.time(), self._free_at.get(thread, 0.0)) + self.work_s()
        self._free_at[thread] = done_at

        def run() -> None:
            try:
                result = function(*args)
            except Exception as error:  # noqa: BLE001 - it is the caller's
                if not future.done():
                    future.set_exception(error)
            else:
                if not future.done():
                    future.set_result(result)

        if done_at <= self.time():
            run()
        else:
            self.call_at(done_at, run)
        return future


class _Gate:
    """A callback on its way through its process."""

    __slots__ = ("_args", "_callback", "_process", "context", "handle")
    handle: asyncio.Handle

    def __init__(
        self, context: Any, process: Process, callback: Any, args: tuple[Any, ...]
    ) -> None:
        self.context = context
        self._process = process
        self._callback, self._args = callback, args

    def __call__(self) -> None:
        self._process.run(self)

    def run(self) -> None:
        """Call what was asked for, unless it was cancelled or its process killed meanwhile."""
        if not self.handle.cancelled() and not self._process.is_dead:
            self._callback(*self._args)
