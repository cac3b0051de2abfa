"""Counts the cores that this process may use, which may be fewer than the machine has.

A container is given a part of a machine's time (`cpu.max` of its control group, or the two files of
the first version), a process may be kept to some cores. Whoever starts a process or a thread for
each core asks here: on a machine of 64 cores a container with two would be out of memory.
"""

import os
import sys
from collections.abc import Iterator
from math import ceil
from pathlib import Path
from typing import Final

GROUPS: Final = Path("/sys/fs/cgroup")
OWN_GROUP: Final = Path("/proc/self/cgroup")


def cores(groups: Path = GROUPS, own_group: Path = OWN_GROUP) -> int:
    """Count them, a part of one as one; 1 at least."""
    return max(1, min([_usable(), *_shares(groups, own_group)]))


def _usable() -> int:
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _shares(groups: Path, own_group: Path) -> Iterator[int]:
    """Yield the cores that the process's control group, and each above it, has a share of."""
    for folder in _folders(groups, own_group):
        whole = _words(folder / "cpu.max")
        parted = [*_words(folder / "cpu.cfs_quota_us"), *_words(folder / "cpu.cfs_period_us")]
        for words in (whole, parted):
            if len(words) == 2 and all(word.isdecimal() for word in words) and int(words[1]):
                yield ceil(int(words[0]) / int(words[1]))


def _folders(groups: Path, own_group: Path) -> Iterator[Path]:
    """Yield the folders of the process's control group and of those above it.

    In a container they are as seen from there: often it sees its own as the uppermost one.
    """
    for line in _text(own_group).splitlines():
        _, controllers, place = (*line.split(":", 2), "", "", "")[:3]
        if not controllers or "cpu" in controllers.split(","):
            top = groups / "cpu" if controllers else groups
            folder = top / place.strip("/")
            yield folder
            yield from (above for above in folder.parents if above.is_relative_to(top))


def _words(file: Path) -> list[str]:
    return _text(file).split()


def _text(file: Path) -> str:
    """Read a file of the system's; one that is not there, or not for us, has nothing."""
    try:
        return file.read_text("ascii", "replace")
    except OSError:
        return ""
