"""Reads a file that nobody but its owner and root can change, and tells who owns it.

Somebody changes a file by writing to it, or by putting another one in its place: with rights to a
folder on the way, or to a link. So all of them must be as safe as the file. A place on a disk that
is mounted read-only is safe whatever its rights are, as in a container.
"""

import os
import stat
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import Final, NamedTuple

OTHERS_MAY_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH
"""Rights of the group and of others; those of an access list's users are among the group's."""
ROOT: Final = 0
MOST_LINKS: Final = 40
"""Links on the way to a file, as many as Linux follows."""


class OwnedFile(NamedTuple):
    """The content of a file, at most one byte more than was asked for, and its owner's uid."""

    content: bytes
    owner: int


class NotSafeError(Exception):
    """Somebody else can change a file; the message says where, and what to do."""


def read_owned(path: Path, most_bytes: int) -> OwnedFile:
    """Read a file. Raises NotSafeError, and OSError where it cannot be read."""
    with FileIO(path, opener=_open_at_once) as file:
        state = os.fstat(file.fileno())
        if not stat.S_ISREG(state.st_mode):
            raise NotSafeError(f"{path} is no file")
        for place in _places(path):
            _check(place, state.st_uid, is_file=os.path.samestat(place.lstat(), state))
        content = b""
        while len(content) <= most_bytes and (more := file.read(most_bytes + 1 - len(content))):
            content += more
        return OwnedFile(content, state.st_uid)


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # else a pipe would be waited for


def _places(path: Path) -> Iterator[Path]:
    """Yield each folder, each link and the file on the way from the root to a file."""
    at, left, links = Path("/"), [*reversed(path.absolute().parts[1:])], 0
    yield at
    while left:
        part = left.pop()
        if part == "..":
            at = at.parent
            continue
        place = at / part
        yield place
        if not place.is_symlink():
            at = place
            continue
        links += 1
        if links > MOST_LINKS:
            raise NotSafeError(f"{path} is behind too many links")
        target = place.readlink()
        left += reversed(target.parts[1:] if target.is_absolute() else target.parts)
        at = Path("/") if target.is_absolute() else at


def _check(place: Path, owner: int, *, is_file: bool) -> None:
    """Raise NotSafeError where others than root and the file's owner may change a place."""
    if os.statvfs(place).f_flag & os.ST_RDONLY:
        return
    state = place.lstat()
    if state.st_uid not in (ROOT, owner):
        raise NotSafeError(
            f"{place} belongs to another user than the file, who could put another one there; keep"
            " the file in a folder of its owner or of root"
        )
    is_sticky = stat.S_ISDIR(state.st_mode) and state.st_mode & stat.S_ISVTX
    if stat.S_ISLNK(state.st_mode) or is_sticky:
        return  # a link has no rights; of a folder like /tmp each takes away his own alone
    if state.st_mode & OTHERS_MAY_WRITE:
        how = "can be written by others than its owner"
        what = "" if is_file else ", who could put another file there"
        raise NotSafeError(f"{place} {how}{what}; take that right away with `chmod go-w`")
