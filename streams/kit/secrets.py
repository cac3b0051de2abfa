"""Reads secrets from files, and keeps them out of the environment of other programs.

A child process inherits the environment, and so do its children: a broker that a developer's tool
starts would hold the keys of the journal. So the program takes the secrets out of its environment
when it starts (`kept_from_children`); its settings are made from `own_environment`.
"""

import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from streams.kit.setting import Setting, SettingsError

FILE: Final = "_FILE"
"""The end of a setting's name with which it names a file that holds the secret."""
SECRET: Final = re.compile(r"REFUSION_\w+_(KEY|PASSWORD|SECRET)")
"""The form of the names of secrets; a test holds each secret setting to it."""
MAX_BYTES: Final = 64 * 1024
"""Bytes of the largest file of a secret."""
TOO_OPEN: Final = stat.S_IWGRP | stat.S_IRWXO
"""Rights that a secret's file must not give: writing to the group, any to others. The group may
read it: so secrets are mounted into containers."""

_kept: dict[str, str] = {}


def secret_in(path: Path, name: str) -> str:
    """Return the secret in the file that the setting `name` names.

    Raises SettingsError, which never holds a part of the content.
    """
    try:
        mode = path.stat().st_mode
        content = path.read_bytes() if stat.S_ISREG(mode) else b""
    except OSError as error:
        raise SettingsError(f"{name} is {path}, which cannot be read ({error.strerror})") from error
    if not stat.S_ISREG(mode):
        raise SettingsError(f"{name} is {path}, which is no file")
    if problem := too_open(path, name):
        raise SettingsError(problem)
    try:
        text = content.decode().strip() if len(content) <= MAX_BYTES else ""
    except UnicodeDecodeError:
        text = ""
    if not text:
        raise SettingsError(
            f"{name} is {path}, which does not hold a secret as text: it is empty, over"
            f" {MAX_BYTES // 1024} KiB, or not in UTF-8"
        )
    return text


def too_open(path: Path, name: str) -> str | None:
    """Say that others may read or change the file of the setting `name`; None if it is safe."""
    mode = path.stat().st_mode
    if not mode & TOO_OPEN:
        return None
    return (
        f"{name} is {path}, which others on this machine may read or change"
        f" (mode {stat.S_IMODE(mode):04o}); run `chmod 600 {path}`, and make the secret anew if"
        " others have been there"
    )


@contextmanager
def kept_from_children() -> Iterator[None]:
    """Take the secrets out of this process's environment for the length of a block."""
    names = [name for name in os.environ if SECRET.fullmatch(name)]
    _kept.update({name: os.environ.pop(name) for name in names})
    try:
        yield
    finally:
        os.environ.update({name: _kept.pop(name) for name in names})


def own_environment() -> dict[str, str]:
    """Return the environment with the secrets: for our own settings and our own workers."""
    return {**os.environ, **_kept}


def public_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return an environment without secrets: for any program that is not ours."""
    return {name: value for name, value in environ.items() if not SECRET.fullmatch(name)}


def given_in(environ: Mapping[str, str], setting: Setting) -> tuple[str, str]:
    """Return the setting's own text in an environment, and the name of the file that holds it."""
    text, file = (environ.get(name, "").strip() for name in (setting.name, setting.name + FILE))
    return text, file
