"""Writes an answer as Parquet: the columns of JSON, money in øre, percentages as numbers."""

from io import BytesIO
from pathlib import Path
from typing import Any, Final

from arro3.core import Array, DataType, Table
from arro3.io import write_parquet as write_table

from projections.lis.answers import Answer, plain_value

TYPES: Final[Any] = {
    "text": DataType.string(),
    "count": DataType.int64(),
    "ore": DataType.int64(),
    "percent": DataType.float64(),
}


def write_answer(answer: Answer, path: Path) -> None:
    """Write the rows of an answer into a file."""
    path.write_bytes(answer_bytes(answer))


def answer_bytes(answer: Answer) -> bytes:
    """Give the rows of an answer as the bytes of a file."""
    columns = [*zip(*answer.rows, strict=True)] or [()] * len(answer.figures)
    arrays: dict[str, Any] = {
        figure.name: Array(
            [plain_value(figure.kind, value) for value in values], type=TYPES[figure.kind]
        )
        for figure, values in zip(answer.figures, columns, strict=True)
    }
    written = BytesIO()
    write_table(Table.from_pydict(arrays), written, compression="zstd(3)")
    return written.getvalue()
