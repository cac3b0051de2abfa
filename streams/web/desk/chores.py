"""Does long work beside the pages: one piece of a kind at a time, whose outcome is kept.

A page begins it and shows how far it is; whoever opens the page later sees what came of it. Chores
end with the process, as a command ends with its terminal.
"""

import logging
import threading
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from streams.kit.errors import AwaitingApproval, UserError, kind_and_place

RUNNING: Final = "running"
DONE: Final = "done"
WAITS: Final = "waits"
FAILED: Final = "failed"
log = logging.getLogger("refusion")

Show = Callable[[int, int], None]
"""Told how many records were read, of how many."""


@dataclass
class Chore:
    """A piece of work: who began it, how far it is, and what came of it.

    `state` is running, done, failed, or waits: another person is to agree to `request`. `trouble`
    says why it failed, in the words of the command line.
    """

    kind: str
    about: str
    by: str
    began: datetime
    state: str = RUNNING
    done: int = 0
    total: int = 0
    ended: datetime | None = None
    outcome: Any = None
    trouble: str = ""
    request: str = ""

    @property
    def is_running(self) -> bool:
        """True as long as it is at work."""
        return self.state == RUNNING

    def show(self, done: int, total: int) -> None:
        """Note how far it is."""
        self.done, self.total = done, total


class Chores:
    """The chores of one site, the last of each kind."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: dict[str, Chore] = {}

    def last(self, kind: str) -> Chore | None:
        """Return the last chore of a kind."""
        return self._last.get(kind)

    def is_busy(self, kind: str) -> bool:
        """Tell whether one of a kind is at work."""
        last = self._last.get(kind)
        return last is not None and last.is_running

    def begin(
        self, kind: str, about: str, by: str, work: Callable[[Show], Any]
    ) -> tuple[Chore, bool]:
        """Begin a chore, and tell whether it is a new one: one of its kind may be at work."""
        with self._lock:
            if self.is_busy(kind):
                return self._last[kind], False
            chore = self._last[kind] = Chore(kind, about, by, datetime.now(UTC))
        context = copy_context()
        thread = threading.Thread(
            target=context.run, args=(_do, chore, work), name=f"chore {kind}", daemon=True
        )
        thread.start()
        return chore, True


def _do(chore: Chore, work: Callable[[Show], Any]) -> None:
    """Do the work, and keep what came of it."""
    state = FAILED
    try:
        chore.outcome = work(chore.show)
        state = DONE
    except AwaitingApproval as waiting:
        chore.request, state = waiting.request, WAITS
    except UserError as error:
        chore.trouble = str(error)
    except Exception as error:  # noqa: BLE001 - a defect, whatever it is; the page says so
        where = kind_and_place(error)
        log.error(  # noqa: TRY400 - the error's text may hold a value
            "work of a page failed by a defect: %s, %s", chore.kind, where
        )
        chore.trouble = f"a defect of the program ({where}); it is in the log"
    finally:
        chore.ended, chore.state = datetime.now(UTC), state
