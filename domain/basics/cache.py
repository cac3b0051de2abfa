"""A dict that computes and caches a value for each key."""

from collections.abc import Callable
from typing import TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Memo(dict[Key, Value]):
    """A dict in which `memo[key]` is `function(key)`, at half the cost of `functools.cache`.

    It is emptied when it has `most` entries.

    >>> Memo(abs, 100)[-5]
    5
    """

    def __init__(self, function: Callable[[Key], Value], most: int) -> None:
        super().__init__()
        self._function, self._most = function, most

    def __missing__(self, key: Key) -> Value:
        if len(self) >= self._most:
            self.clear()
        value = self[key] = self._function(key)
        return value
