"""The former version of the program, as far as it differs: what it writes, and what it ignores.

A process of the former version notes in the state neither where it is in the journal nor what it
believes of it, keeps no witness on disk, and marks no record with a MAC. It is today's program
otherwise: what it writes is changed on its way out.
"""

import orjson

from streams.privacy.macs import MAC
from streams.stages.disk import CHECKPOINT
from streams.stages.own_entry import OwnEntry
from tests.simulation.clock import PROCESS

KNOWN_TO_FORMER = ("format", "engine", "closed_month", "rules", "digest", "recalculation")
"""The fields of a partition's own entry that the former version has."""


def is_former() -> bool:
    """Tell whether the process at work is of the former version."""
    process = PROCESS.get()
    return process is not None and process.is_former


def outgoing(messages):
    """The messages that a process writes: the former version's have no MAC."""
    if not is_former():
        return list(messages)
    return [
        (key, value, [header for header in headers if header[0] != MAC])
        for key, value, headers in messages
    ]


def kept(changes):
    """The changes that a process writes to its disk."""
    if not is_former():
        return list(changes)
    return [
        (key, _without(value, "witness") if key == CHECKPOINT else value) for key, value in changes
    ]


def _without(value, name):
    fields = orjson.loads(value)
    fields.pop(name, None)
    return orjson.dumps(fields)


def install() -> None:
    """Let processes of the former version write and read the partition's own entry as it did."""
    next_with, position = OwnEntry.next_with, OwnEntry.position

    def former_next_with(self, changes, **facts):
        text = next_with(self, changes, **facts)
        if not is_former():
            return text
        self._fields = {
            name: value for name, value in self._fields.items() if name in KNOWN_TO_FORMER
        }
        return orjson.dumps(self._fields)

    def former_position(self, committed, events, *, has_citizens):
        if is_former():
            return committed
        return position(self, committed, events, has_citizens=has_citizens)

    OwnEntry.next_with = former_next_with  # type: ignore[method-assign]
    OwnEntry.position = former_position  # type: ignore[method-assign]
