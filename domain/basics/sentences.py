"""Names sentences: an id and the values that stand in it; catalogues outside the domain say it."""

from collections.abc import Mapping
from typing import Final, NamedTuple, Union

Value = Union[str, int, "Sentence", tuple["Sentence", ...]]
"""A value of a sentence: a word that is the same in every language, or other sentences."""


class Sentence(NamedTuple):
    """A sentence by its id in the catalogues, with its values.

    Where it has a plural, its value `number` decides which form is said.
    """

    id: str
    values: Mapping[str, Value]

    def __bool__(self) -> bool:
        """Tell whether it says anything."""
        return bool(self.id)


NOTHING: Final = Sentence("", {})
"""Stands where there is nothing to say."""


def sentence(sentence_id: str, /, **values: Value) -> Sentence:
    """Make a sentence."""
    return Sentence(sentence_id, values)
