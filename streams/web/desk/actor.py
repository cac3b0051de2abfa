"""Lets a visitor of the site act: records name the visitor, and approvals ask who that is."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from streams.acts.persons import OF_SUBJECT
from streams.kit.operating_user import OperatingUser, acting_as
from streams.web.visitors import Visitor


def acting_name(visitor: Visitor) -> str:
    """Return the name under which a visitor acts, as records have it."""
    return OF_SUBJECT + visitor.subject


@contextmanager
def acting(visitor: Visitor) -> Iterator[None]:
    """Let a visitor act within a block, in the place of the user of this process."""
    with acting_as(OperatingUser(acting_name(visitor), os.getuid(), socket.gethostname())):
        yield
