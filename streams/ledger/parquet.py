"""Writes the municipalities' files as Parquet: the same columns and lines, money in whole øre."""

from collections.abc import Sequence
from typing import IO, Any

from arro3.core import Array, DataType, Table
from arro3.io import write_parquet as write_table

from projections.runs.files import COLUMNS, MONEY, WHOLE, FileValues


def write_parquet(kind: str, lines: Sequence[FileValues], file: IO[bytes]) -> None:
    """Write the lines of a file; the name of a money column says that it is in øre."""
    columns = list(zip(*lines, strict=True)) or [()] * len(COLUMNS[kind])
    arrays: dict[str, Any] = {}
    for name, values in zip(COLUMNS[kind], columns, strict=True):
        number = (
            DataType.int64()
            if name in MONEY
            else DataType.int32()
            if name in WHOLE
            else DataType.string()
        )
        arrays[f"{name} (øre)" if name in MONEY else name] = Array(values, type=number)
    write_table(Table.from_pydict(arrays), file, compression="zstd(3)")
