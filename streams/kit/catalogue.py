"""Says sentences in a language: catalogues of them in `.po` files, by ids, with values put in.

A catalogue is a file of gettext's form in the folder `catalogues`: `explanations.da.po`. Editors of
translators open it. It is read here, by a reader of the few lines of that form that we use: the
standard library reads compiled files alone. A sentence with a plural is chosen by its value
`number`: both our languages have one form for 1 and another for all else.
"""

import ast
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import orjson

from domain.basics.kroner import kroner
from domain.basics.sentences import Sentence, Value

Language = Literal["da", "en"]
FOLDER: Final = Path(__file__).parent / "catalogues"
SWAPPED: Final = str.maketrans(".,", ",.")
_LINE: Final = re.compile(r'(?:(msgid|msgid_plural|msgstr(?:\[[01]\])?) )?("(?:[^"\\]|\\.)*")')


class CatalogueError(LookupError):
    """A catalogue lacks a sentence or cannot be read: a defect of the program."""


class Phrase(NamedTuple):
    """An entry of a catalogue: the text for 1 and for all else, the same where it has no plural."""

    one: str
    other: str


def read_catalogue(lines: Iterable[str]) -> dict[str, Phrase]:
    """Read the entries of a `.po` file, without its head. Raises CatalogueError."""
    entries: list[dict[str, str]] = []
    part = ""
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        found = _LINE.fullmatch(text)
        if found is None:
            raise CatalogueError(f"line {number} is none that we read")
        name, quoted = found[1], found[2]
        if name == "msgid":
            entries.append({})
        if name:
            part = name
            entries[-1][part] = ""
        entries[-1][part] += ast.literal_eval(quoted)
    return {entry["msgid"]: _phrase(entry) for entry in entries if entry["msgid"]}


def _phrase(entry: Mapping[str, str]) -> Phrase:
    if "msgid_plural" in entry:
        return Phrase(entry["msgstr[0]"], entry["msgstr[1]"])
    return Phrase(entry["msgstr"], entry["msgstr"])


@cache
def phrases(part: str, language: Language) -> Mapping[str, Phrase]:
    """Return the entries of a part in a language."""
    text = (FOLDER / f"{part}.{language}.po").read_text("utf-8")
    return read_catalogue(text.splitlines())


class Catalogue:
    """Says the sentences of one part in one language."""

    def __init__(self, language: Language = "en", part: str = "explanations") -> None:
        self.language = language
        self._phrases = phrases(part, language)

    def text(self, sentence_id: str, **values: Value) -> str:
        """Say a sentence by its id."""
        phrase = self._phrases.get(sentence_id)
        if phrase is None:
            raise CatalogueError(f"there is no sentence {sentence_id} in {self.language}")
        chosen = phrase.one if values.get("number", 1) == 1 else phrase.other
        return chosen.format(**{name: self.value(value) for name, value in values.items()})

    def say(self, sentence: Sentence) -> str:
        """Say a sentence of the domain; the one that says nothing is empty."""
        return self.text(sentence.id, **sentence.values) if sentence else ""

    def value(self, value: Value) -> str:
        """Write a value of a sentence: another sentence, several of them, or what it is."""
        if isinstance(value, Sentence):
            return self.say(value)
        if isinstance(value, tuple):
            return ", ".join(self.value(each) for each in value)
        return str(value)

    def knows(self, sentence_id: str) -> bool:
        """Tell whether there is such a sentence."""
        return sentence_id in self._phrases

    def kroner(self, ore: int) -> str:
        """Write an amount as the language does."""
        return self.number(kroner(ore))

    def number(self, written: str) -> str:
        """Write a number that is written in English as the language does."""
        return written.translate(SWAPPED) if self.language == "da" else written


def dumped(value: Any, words: Catalogue) -> str:
    """Write values as JSON, for programs; sentences in them become text."""

    def said(other: object) -> str:
        if isinstance(other, Sentence):
            return words.say(other)
        raise TypeError(f"{type(other).__name__} has no JSON")

    return orjson.dumps(value, option=orjson.OPT_INDENT_2, default=said).decode()
