"""Processes looked at from outside, as Linux shows them."""

import time
from contextlib import suppress
from pathlib import Path

END_S = 30.0
LOOK_S = 0.05
LISTENING = "0A"
"""A socket's state in `/proc/net/tcp`."""


def is_alive(pid):
    """Tell if a process runs: one that nobody has waited for yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def gone(*pids):
    """Tell if processes end."""
    deadline = time.monotonic() + END_S
    while any(map(is_alive, pids)) and time.monotonic() < deadline:
        time.sleep(LOOK_S)
    return not any(map(is_alive, pids))


def children_of(pid):
    """The processes that a process has started and that run."""
    return {
        int(child)
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if is_alive(child)
    }


def has_loaded(pid, library):
    """Tell if a process has come to import a compiled library."""
    try:
        return library in Path(f"/proc/{pid}/maps").read_text()
    except PermissionError:  # it has closed its memory to us, which it does after its imports
        return True


def listening_sockets(pid):
    """The TCP addresses at which a process can be reached, in the kernel's notation."""
    mine = set()
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed since it was listed
            mine.add(str(path.readlink()))
    rows = [
        line.split()
        for name in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{name}").read_text().splitlines()
    ]
    return {row[1] for row in rows if row[3] == LISTENING and f"socket:[{row[9]}]" in mine}
