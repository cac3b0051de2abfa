"""The words of the pages: sentences in Danish and English, apart from the templates.

Each file of the folder `words` is a part of the site; a key is `part.name`, as in `frame.skip`.
"""

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Final, Literal

import yaml

Language = Literal["da", "en"]
FOLDER: Final = Path(__file__).parent / "words"

ONE: Final = "__one"
"""The end of the key of a sentence that is said where its value `number` is 1."""

Word = Callable[..., str]
"""Returns the sentence of a key, with values put in by name."""


class WordError(LookupError):
    """A key has no sentence: a defect of the program."""


@cache
def catalogue() -> Mapping[str, Mapping[Language, str]]:
    """Return each sentence in each language, by its key."""
    return {
        f"{path.stem}.{name}": sentences
        for path in sorted(FOLDER.glob("*.yaml"))
        for name, sentences in yaml.safe_load(path.read_text("utf-8")).items()
    }


def words_in(language: Language) -> Word:
    """Return the function that says things in a language."""

    def word(key: str, **values: object) -> str:
        of_one = f"{key}{ONE}"
        try:
            is_one = values.get("number") == 1 and of_one in catalogue()
            sentence = catalogue()[of_one if is_one else key][language]
        except KeyError:
            raise WordError(f"there is no sentence {key} in {language}") from None
        return sentence.format(**values) if values else sentence

    return word
