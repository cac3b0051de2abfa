"""The marts as Delta tables in a folder: written run by run, and read as one build left them.

Each table is partitioned by `run`. A build writes a run's rows in place of those that were there,
table after table, each commit with the ledger's version as an application transaction
(`ledger/<run>`). It ends with one commit of the small table `builds`: it names version and files of
every table of the build. Readers begin there, so they see the former build or the whole of the new
one, whenever the builder dies; and what a dead one has left is written over by the next.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final, NamedTuple

from arro3.core import Array, DataType, Table
from deltalake import (
    CommitProperties,
    DeltaTable,
    Field,
    Schema,
    Transaction,
    WriterProperties,
    write_deltalake,
)
from deltalake.exceptions import TableNotFoundError
from deltalake.schema import PrimitiveType

from projections.ledger.entries import ColumnType
from projections.lis.columns import Mart
from projections.lis.tables import MARTS
from streams.kit.errors import UserError
from streams.ledger.native import native_errors, quiet_panics

FORMAT: Final = 9
"""The version of the tables; a change of columns or of what they count raises it. Deleting them
loses nothing."""
BUILDS: Final = "builds"
PROPERTIES: Final = {
    "delta.logRetentionDuration": "interval 2 days",
    "delta.deletedFileRetentionDuration": "interval 2 days",
    "delta.checkpointInterval": "25",
}
ROW_GROUP: Final = 20_000
"""Rows of which a reader of one municipality takes all or none."""
WRITER: Final = WriterProperties(compression="ZSTD", max_row_group_size=ROW_GROUP)
VACUUM_EVERY: Final = 50
"""Builds after which files that no build of the last two days names are deleted."""
TEXT: Final = 300
_ARROW: Final = {"string": DataType.string(), "integer": DataType.int32(), "long": DataType.int64()}


Rows = list[dict[str, Any]]
"""Rows of a table, by column."""


class LisError(UserError):
    """The marts cannot be built or asked; the message says what to do."""


class NoMartsError(LisError):
    """There are no marts yet."""


class Build(NamedTuple):
    """The state that a build left: the ledger that it read, and the files of each table.

    `made` names the tables of the folder. They have another name once they were deleted and built
    again, though the number may be the same.
    """

    made: str
    number: int
    ledger: str
    ledger_version: int
    last_run: int | None
    files: Mapping[str, list[str]]
    """Their places in the folder of the table, whose log a reader need not read for them."""


class MartStore:
    """The tables of a folder. One process builds at a time: the second one is refused."""

    def __init__(self, folder: str) -> None:
        """Open the tables that are there, or make them where the folder is empty."""
        quiet_panics()
        self.folder = local_folder(folder)
        self._tables: dict[str, DeltaTable] = {}

    def table(self, name: str) -> DeltaTable:
        """Open a table once, or make it."""
        if name not in self._tables:
            with _told("be opened", self.folder):
                self._tables[name] = _opened(self.folder / name, _COLUMNS[name])
        return self._tables[name]

    def build(self) -> Build | None:
        """Read what the last build left; None where there was none."""
        return read_build(self.folder)

    def made(self, run: int) -> bool:
        """Return whether all tables have a run's rows already, perhaps of a build that died."""
        with _told("be read", self.folder):
            return all(
                self.table(name).transaction_version(_app(run)) is not None for name in MARTS
            )

    def files(self, name: str) -> list[str]:
        """List the files of the version at hand, which may be newer than the last build's."""
        with _told("be read", self.folder):
            return self.table(name).file_uris()

    def write(self, mart: Mart, rows: Any, run: int | None, ledger_version: int) -> None:
        """Put a run's rows in the place of those that were there. Raises LisError."""
        table = self.table(mart.name)
        before = table.version()
        with _told("be written", self.folder):
            write_deltalake(
                table,
                rows,
                mode="overwrite",
                predicate="run IS NULL" if run is None else f"run = {run}",
                writer_properties=WRITER,
                commit_properties=CommitProperties(
                    app_transactions=[Transaction(_app(run), ledger_version)]
                ),
            )
        if table.version() != before + 1:
            raise LisError(
                f"another process builds the marts at {self.folder} too; what it builds is the same"
            )

    def commit(self, ledger: str, ledger_version: int, last_run: int | None) -> None:
        """Let readers see all that was written since the last build, at once."""
        former = self.build()
        number = former.number + 1 if former else 1
        values: list[Any] = [number, FORMAT, ledger, ledger_version, last_run]
        values += [self.table(name).version() for name in MARTS]
        values.append(json.dumps({name: self._own_files(name) for name in MARTS}))
        arrays = [
            Array([value], type=_ARROW[kind])
            for value, kind in zip(values, _COLUMNS[BUILDS].values(), strict=True)
        ]
        with _told("be written", self.folder):
            write_deltalake(
                self.table(BUILDS),
                Table.from_arrays(arrays, names=list(_COLUMNS[BUILDS])),
                mode="overwrite",
            )
            if number % VACUUM_EVERY == 0:
                for table in self._tables.values():
                    table.vacuum(dry_run=False)

    def _own_files(self, name: str) -> list[str]:
        """List the files of a table by their places in its folder: `run=60/part-….parquet`."""
        return ["/".join(uri.split("/")[-2:]) for uri in self.files(name)]


_COLUMNS: Final[Mapping[str, Mapping[str, ColumnType]]] = {
    **{name: {column.name: column.type for column in mart.columns} for name, mart in MARTS.items()},
    BUILDS: {
        "number": "integer",
        "format": "integer",
        "ledger": "string",
        "ledger_version": "long",
        "last_run": "integer",
        **dict.fromkeys(MARTS, "long"),
        "files": "string",
    },
}


def local_folder(place: str) -> Path:
    """Return the folder of the marts. Raises LisError for an object store."""
    if "://" in place:
        raise LisError(
            f"the marts of LIS are asked as files of this machine, and {place} is none; set"
            " REFUSION_LIS to a folder, which may be made again on any machine from the ledger"
        )
    return Path(place).absolute()


def _rows_in(files: Sequence[str]) -> Rows:
    """Read the rows of some files; the library's own engine takes 20 MB to begin with."""
    from arro3.io import read_parquet  # noqa: PLC0415 - 10 MB, in vain beside an engine

    batches = [batch for file in files for batch in read_parquet(file)]
    return [row for batch in batches for row in batch.to_struct_array().to_pylist()]


def newest_build(folder: Path) -> tuple[str, int] | None:
    """Name the newest build without reading it; None where there was none. Raises LisError."""
    if (table := _builds(folder)) is None:
        return None
    return str(table.metadata().id), table.version()


def read_build(folder: Path, rows_in: Callable[[Sequence[str]], Rows] = _rows_in) -> Build | None:
    """Read what the last build left; None where there was none.

    Raises LisError where another version of the program built tables of another format.
    """
    if (table := _builds(folder)) is None:
        return None
    with _told("be read", folder):
        rows = rows_in(table.file_uris())
    if not rows:
        return None
    (row,) = rows
    if row["format"] != FORMAT:
        raise LisError(
            f"another version of the program built the marts at {folder} (REFUSION_LIS): they have"
            f" format {row['format']}, and this one has {FORMAT}; delete them, and `refusion lis"
            " build` makes them again from the ledger"
        )
    return Build(
        str(table.metadata().id),
        row["number"],
        row["ledger"],
        row["ledger_version"],
        row["last_run"],
        json.loads(row["files"]),
    )


def _builds(folder: Path) -> DeltaTable | None:
    """Open the table of builds, if there is one. Raises LisError."""
    quiet_panics()
    if not (folder / BUILDS).is_dir():
        return None
    with _told("be read", folder):
        try:
            return DeltaTable(folder / BUILDS)
        except TableNotFoundError:
            return None


def files_of(folder: Path, build: Build, name: str) -> list[str]:
    """List the files of a table as a build left it."""
    return [str(folder / name / file) for file in build.files[name]]


def _opened(folder: Path, columns: Mapping[str, ColumnType]) -> DeltaTable:
    folder.mkdir(parents=True, exist_ok=True)
    return DeltaTable.create(
        folder,
        Schema([Field(name, PrimitiveType(kind)) for name, kind in columns.items()]),
        mode="ignore",
        partition_by=["run"] if "run" in columns else None,
        configuration=PROPERTIES,
    )


def _app(run: int | None) -> str:
    """Name the application transaction of a run."""
    return f"ledger/{'open' if run is None else run}"


def _told(what: str, folder: Path) -> AbstractContextManager[None]:
    """Raise the library's errors within a block as LisError; they name files and versions alone."""
    return native_errors(lambda error: _cannot(what, folder, error))


def _cannot(what: str, folder: Path, error: BaseException) -> LisError:
    text = " ".join(str(error).split())[:TEXT] or type(error).__name__
    return LisError(
        f"the marts at {folder} (REFUSION_LIS) cannot {what}: {text}; they can be deleted, and"
        " `refusion lis build` makes them again from the ledger"
    )
