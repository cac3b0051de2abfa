"""A file that is written, and whose errors name it."""

from io import FileIO
from typing import Any


class NamedFile(FileIO):
    """A file to write; an error of a full disk tells which file could not be written."""

    def write(self, content: Any, /) -> int:
        """Write bytes. Raises OSError with the file's name."""
        try:
            return super().write(content)
        except OSError as error:
            error.filename = str(self.name)
            raise
