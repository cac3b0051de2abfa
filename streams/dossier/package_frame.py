"""Reads `pakke.json`, what a package says of itself, and names the errors of damaged files."""

import csv
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import orjson

from streams.dossier.run_part import PackageError

FORMAT: Final = 1
DAMAGED: Final = (
    ValueError, LookupError, TypeError, AttributeError, AssertionError, ArithmeticError,
    RecursionError, csv.Error,
)  # fmt: skip
"""Errors of whoever reads a file that is not of its form: anybody may have written a package."""


class PackageFrame(NamedTuple):
    """The run of a package, the partitions of the system, and the extent of the sample."""

    run: int
    data_month: str
    closed_at: str
    partitions: int
    journal_topic: str
    seed: int
    each: int
    places: int

    def as_json(self) -> dict[str, Any]:
        """Return it as `pakke.json` has it."""
        return {"format": FORMAT} | self._asdict()

    @classmethod
    def read(cls, path: Path, content: bytes) -> Self:
        """Read it. Raises PackageError for another format, ValueError where it is damaged."""
        value = orjson.loads(content)
        if value["format"] != FORMAT:
            raise PackageError(
                f"{path} has format {value['format']}, which this version of the program does not"
                " read; use the version that made it"
            )
        frame = cls(*(value[name] for name in cls._fields))
        for name, kind in cls.__annotations__.items():
            if type(getattr(frame, name)) is not kind:
                raise ValueError(f"{name} is of another type")
        if min(frame.run, frame.partitions, frame.each, frame.places) < 1:
            raise ValueError("a number of the extent is none")
        return frame
