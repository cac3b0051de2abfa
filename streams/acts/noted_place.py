"""Remembers where an act was found in the topic `access`, so that the topic is read once for it.

    <state folder>/acts/<topic>-<digest of the act>.place    identity of the topic, and the offset

The file is a hint, and may be deleted: what stands at the offset is judged anew each time.
"""

from contextlib import suppress
from pathlib import Path

import orjson

from streams.acts.acts import Act
from streams.acts.chain import hash_of
from streams.acts.chain_file import FOLDER


class NotedPlace:
    """The offset where an act stands, as far as it was found before."""

    def __init__(self, state_dir: Path, topic: str, identity: str, act: Act) -> None:
        """`identity` is that of the topic: another topic has other offsets."""
        wanted = hash_of(orjson.dumps([act.name, dict(act.scope)]))[:32]
        self._path = state_dir / FOLDER / f"{topic}-{wanted}.place"
        self._identity = identity

    def offset(self) -> int | None:
        """Return the offset; None where none is noted, or another topic's."""
        try:
            identity, offset = orjson.loads(self._path.read_bytes())
        except (OSError, ValueError, TypeError):
            return None
        return offset if identity == self._identity and type(offset) is int else None

    def note(self, offset: int) -> None:
        """Note the offset. Whoever may not write to the folder reads the topic again next time."""
        draft = self._path.with_suffix(".new")
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            draft.write_bytes(orjson.dumps([self._identity, offset]))
            draft.replace(self._path)
