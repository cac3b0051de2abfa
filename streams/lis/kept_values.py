"""Keeps what was made of the marts of one build, up to a size; the least asked for goes first."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Final, TypeVar

MOST_CELLS: Final = 200_000
"""Cells that are kept, some 15 MB: the pages that many ask for after a run was closed."""
KEY_CELLS: Final = 20
"""Cells that a question itself counts for: answers without a row take memory too."""
LARGE_CELLS: Final = MOST_CELLS // 10
"""Cells from which a value is made anew each time: a few such would drive out all others."""

Value = TypeVar("Value")


class KeptValues:
    """Keeps values by key. For several threads; two that ask at the same time both make one."""

    def __init__(self, most: int = MOST_CELLS, large: int = LARGE_CELLS) -> None:
        self._most = most
        self._large = large
        self._lock = threading.Lock()
        self._values: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._cells = 0

    def get(self, key: Hashable, make: Callable[[], Value], cells: Callable[[Value], int]) -> Value:
        """Return the value of a key; make it where it is not kept. `cells` tells its size."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                kept: Value = self._values[key][0]
                return kept
        made = make()
        size = KEY_CELLS + cells(made)
        if size < self._large:
            self._keep(key, made, size)
        return made

    def _keep(self, key: Hashable, value: Any, size: int) -> None:
        with self._lock:
            if key in self._values:
                return
            self._values[key] = value, size
            self._cells += size
            while self._cells > self._most:
                _, (_, freed) = self._values.popitem(last=False)
                self._cells -= freed
