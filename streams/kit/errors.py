"""The errors that a user or operator can mend; the words for those that nobody expected."""

import traceback
from pathlib import Path
from typing import Final


class UserError(Exception):
    """An error that a user can mend.

    Its message says what is wrong, where, and what to do next; it is shown without a stack trace.
    """


class UnworkableError(UserError):
    """A worker must not go on, also not after a restart: it stops before it processes anything."""


BLAMELESS: Final = (UserError, OSError, MemoryError)
"""The failures for which no record is to blame: the operator's and the machine's.

What a record itself may cost has bounds of its own; memory that is short is short for any record.
"""


class AwaitingApproval(Exception):  # noqa: N818 - nothing is wrong: somebody else is to agree
    """An act was asked for, and waits until another person approves it (contract section 11)."""

    def __init__(self, request: str, act: str) -> None:
        super().__init__(f"{act} waits for another person's approval: request {request}")
        self.request = request
        self.act = act
        self.as_json = False


def kind_and_place(error: BaseException) -> str:
    """Describe an error by its type and its place in the code.

    Its text may hold a value from a record, and is not told.
    """
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"
