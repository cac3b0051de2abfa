"""Where tests that write many small files put them: in memory, where a system has such a folder."""

import os
from pathlib import Path

_SHARED = Path("/dev/shm")  # noqa: S108 - a folder of one's own is made in it
MEMORY = _SHARED if os.access(_SHARED, os.W_OK) else None
