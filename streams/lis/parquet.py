"""Writes an answer as Parquet: the columns of JSON, money in øre, percentages as numbers.

What the answer is as of stands in the key-value metadata of the file, as the JSON has it: under one
key, since several are written in a new order each time, and the same answer has the same bytes.
"""

from io import BytesIO
from pathlib import Path
from typing import Any, Final

import orjson
from arro3.core import Array, DataType, Table

from projections.lis.answers import Answer, made_of, plain_value

AS_OF: Final = "refusion"
"""The key of what an answer is as of."""
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
    from arro3.io import write_parquet  # noqa: PLC0415 - 10 MB that most processes never need

    columns = [*zip(*answer.rows, strict=True)] or [()] * len(answer.figures)
    arrays: dict[str, Any] = {
        figure.name: Array(
            [plain_value(figure.kind, value) for value in values], type=TYPES[figure.kind]
        )
        for figure, values in zip(answer.figures, columns, strict=True)
    }
    written = BytesIO()
    about = {AS_OF: orjson.dumps(made_of(answer)).decode()}
    write_parquet(
        Table.from_pydict(arrays), written, compression="zstd(3)", key_value_metadata=about
    )
    return written.getvalue()
