"""Keeps values by key, up to a size; the least asked for goes first."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Final, Generic, TypeVar

MOST_CELLS: Final = 200_000
"""Cells that are kept, some 15 MB: the pages that many ask for after a run was closed."""
KEY_CELLS: Final = 20
"""Cells that a question itself counts for: answers without a row take memory too."""
LARGE_CELLS: Final = MOST_CELLS // 10
"""Cells from which a value is made anew each time: a few such would drive out all others."""

Value = TypeVar("Value")


class KeptValues(Generic[Value]):
    """Keeps values whose sizes, in any unit, are `most` together. For several threads.

    A value of `large` or more is not kept; each counts for `of_key` beside its own size.
    """

    def __init__(
        self, most: int = MOST_CELLS, large: int = LARGE_CELLS, of_key: int = KEY_CELLS
    ) -> None:
        self._most, self._large, self._of_key = most, large, of_key
        self._lock = threading.Lock()
        self._values: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()
        self._size = 0

    def __len__(self) -> int:
        """Return how many values are kept."""
        return len(self._values)

    def find(self, key: Hashable) -> Value | None:
        """Return the value of a key; None where it is not kept."""
        with self._lock:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key][0]

    def get(self, key: Hashable, make: Callable[[], Value], size: Callable[[Value], int]) -> Value:
        """Return the value of a key; make it where it is not kept.

        Two threads that ask at the same time both make one.
        """
        if (kept := self.find(key)) is not None:
            return kept
        made = make()
        self.keep(key, made, size(made))
        return made

    def keep(self, key: Hashable, value: Value, size: int) -> None:
        """Keep a value, in the place of its former one and of those long not asked for."""
        size += self._of_key
        with self._lock:
            _, former = self._values.pop(key, (None, 0))
            self._size -= former
            if size >= self._large:
                return
            self._values[key] = value, size
            self._size += size
            while self._size > self._most:
                _, (_, freed) = self._values.popitem(last=False)
                self._size -= freed
