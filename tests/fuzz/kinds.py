"""The frame of all kinds: each says what it spoils, and how that is tried."""

import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from tests.fuzz.mutations import by_bytes_or, spoil_json

CORPUS: Final = Path(__file__).parent / "corpus"
_TEN_DIGITS: Final = re.compile(rb"[0-9]{10}")


class Case(NamedTuple):
    """Spoiled bytes, and the name of the sample that they were made from."""

    sample: str
    content: bytes


class Kind(Protocol):
    """A kind of input: its good samples by name, and what must hold of a spoiled one."""

    name: str
    samples: dict[str, bytes]

    def spoil(self, chance: random.Random, whole: bytes, others: Sequence[bytes]) -> bytes:
        """Spoil a sample; `others` are samples of which parts may be taken."""

    def check(self, case: Case) -> bool:
        """Try a case; whatever it raises is something wrong with our program.

        Returns whether it was accepted.
        """


class SpoiledJson:
    """The spoiling of kinds whose samples are JSON."""

    def spoil(self, chance: random.Random, whole: bytes, others: Sequence[bytes]) -> bytes:
        return by_bytes_or(spoil_json, chance, whole, others)


def cases(kind: Kind, count: int, seed: int) -> Iterator[Case]:
    """Give spoiled samples of a kind; the same ones for the same seed."""
    chance = random.Random(f"{kind.name}/{seed}")
    names = list(kind.samples)
    for _ in range(count):
        name = chance.choice(names)
        others = [kind.samples[other] for other in chance.choices(names, k=2)]
        yield Case(name, kind.spoil(chance, kind.samples[name], others))


def kept_cases(kind: Kind) -> list[Case]:
    """Give the cases that once went wrong."""
    return [
        Case(path.name.partition("--")[0], path.read_bytes())
        for path in sorted((CORPUS / kind.name).glob("*--*"))
    ]


def check_told(error: Exception, content: bytes, form: str = r"[^\n]{5,2000}") -> None:
    """Bad input is told in one line of a form, without a number of the input."""
    told = str(error)
    assert re.fullmatch(form, told), told
    assert not tells_a_number_of(content, told), told


def tells_a_number_of(content: bytes, told: str) -> bool:
    """Tell whether ten digits of some content stand in what was said of it."""
    numbers = {number.decode() for number in _TEN_DIGITS.findall(content)}
    return any(number in told for number in numbers if len(set(number)) > 2)
