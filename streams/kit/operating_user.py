"""Tells on whose behalf this process acts: the operating system's user, not what he says he is.

The environment (`LOGNAME`, `USER`) is the user's own to set, so nothing is read from it but
`SUDO_USER`, which is noted beside the user and never in his place.
"""

import os
import pwd
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Final, NamedTuple

LOGIN_FILE: Final = Path("/proc/self/loginuid")
"""The user who logged on, kept by Linux's audit over `su` and `sudo`; others have no such file."""
NO_LOGIN: Final = 2**32 - 1


class OperatingUser(NamedTuple):
    """A user of the operating system, with what else is known about who he is.

    `login_user` logged on before a change of user, `sudo_user` is what sudo left in the
    environment; each is "" where nothing is known.
    """

    user: str
    uid: int
    host: str
    login_user: str = ""
    sudo_user: str = ""

    @property
    def names(self) -> frozenset[str]:
        """All names that are known of him."""
        return frozenset(filter(None, (self.user, self.login_user, self.sudo_user)))


def user_name(uid: int) -> str:
    """Return the name of a user; `uid:1234` where the system has none.

    >>> user_name(0)
    'root'
    """
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid:{uid}"


def operating_user() -> OperatingUser:
    """Return the user of this process by its real uid, or the one that `acting_as` hands in."""
    return _HANDED_IN.get() or OperatingUser(
        user_name(os.getuid()),
        os.getuid(),
        socket.gethostname(),
        _login_user(),
        os.environ.get("SUDO_USER", ""),
    )


def _login_user() -> str:
    with suppress(OSError, ValueError):
        uid = int(LOGIN_FILE.read_text())
        if uid != NO_LOGIN:
            return user_name(uid)
    return ""


_HANDED_IN: Final[ContextVar[OperatingUser | None]] = ContextVar("operating_user", default=None)


@contextmanager
def acting_as(user: OperatingUser) -> Iterator[None]:
    """Let another user act within a block: the site's users, and those of tests."""
    token = _HANDED_IN.set(user)
    try:
        yield
    finally:
        _HANDED_IN.reset(token)
