"""`refusion convert`: upstream's own formats become reports."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import IO, Any, Protocol

import click

from streams.cli.console import OUTPUT, echo_json, load_settings, output


@click.group()
def convert() -> None:
    """Turn upstream's own formats into reports."""


@convert.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, allow_dash=True))
@click.option(
    "--tables",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder of your own tables, laid over those of the program.",
)
@click.option("--rejects", type=OUTPUT, help="Write what is refused to this file, with the reason.")
@click.option("--json", "as_json", is_flag=True, help="Print the closing summary as JSON.")
def eindkomst(
    files: tuple[str, ...], tables: Path | None, rejects: str | None, as_json: bool
) -> None:
    """Convert XML answers of eIndkomst (services 10 and 11).

    FILES are answers, also packed with gzip or ZIP, folders of them, or - for standard input.
    Reports of schema 2 are written to standard output, so that they can be piped into `settle` and
    `publish`; the closing summary goes to stderr. Rejects do not change the exit status.
    """
    from streams.upstream.conversion import AnswerConversion
    from streams.upstream.tables import UpstreamTables

    settings = load_settings()
    own = UpstreamTables(tables)
    own.reversed_report  # noqa: B018 - it refuses to start where this is not set
    _convert_files(partial(AnswerConversion, settings, own), files, rejects, as_json=as_json)


@convert.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, allow_dash=True))
@click.option(
    "--mapping",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A YAML file that says which column is which field.",
)
@click.option("--rejects", type=OUTPUT, help="Write what is refused to this file, with the reason.")
@click.option("--json", "as_json", is_flag=True, help="Print the closing summary as JSON.")
def table(files: tuple[str, ...], mapping: Path, rejects: str | None, as_json: bool) -> None:
    """Convert tables, CSV or JSON, by a mapping of their columns.

    FILES are tables, also packed with gzip or ZIP, folders of them, or - for standard input.
    Reports of schema 2 are written to standard output, so that they can be piped into `settle` and
    `publish`; the closing summary goes to stderr. Rejects do not change the exit status; each names
    row, column and the line of the mapping.
    """
    from streams.upstream.column_map import TableMapping
    from streams.upstream.table_conversion import TableConversion

    settings = load_settings()
    columns = TableMapping(mapping)
    _convert_files(partial(TableConversion, settings, columns), files, rejects, as_json=as_json)


@convert.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, allow_dash=True))
@click.option(
    "--tables",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder of your own tables: index_benefits.yaml, index_owners.yaml, service.yaml.",
)
@click.option("--rejects", type=OUTPUT, help="Write what is refused to this file, with the reason.")
@click.option("--json", "as_json", is_flag=True, help="Print the closing summary as JSON.")
def ydelsesindeks(files: tuple[str, ...], tables: Path, rejects: str | None, as_json: bool) -> None:
    """Convert answers of the Ydelsesindeks.

    These are answers of SF1491 YdelseListeHent; they become expected payments. FILES are answers,
    also packed with gzip or ZIP, folders of them, or - for standard input. Expected payments are
    written to standard output, with pseudonyms in place of CPR numbers; set REFUSION_EXPECTED to
    their file, and `refusion run` holds them against what was received. Nothing is calculated with
    them. Rejects do not change the exit status.
    """
    from streams.upstream.index_conversion import IndexConversion
    from streams.upstream.tables import UpstreamTables

    settings = load_settings()
    own = UpstreamTables(tables)
    _convert_files(partial(IndexConversion, settings, own), files, rejects, as_json=as_json)


class _Summary(Protocol):
    """The closing summary of a conversion."""

    def as_object(self) -> dict[str, Any]:
        """Return it as JSON has it."""

    def sentences(self) -> Iterable[str]:
        """Give it in words."""


class _Conversion(Protocol):
    """The conversion of one of the formats."""

    @property
    def totals(self) -> _Summary:
        """Give the closing summary."""

    def convert(self, names: Sequence[str]) -> None:
        """Convert files, one after the other."""


def _convert_files(
    begun: Callable[[IO[bytes], IO[bytes] | None], _Conversion],
    files: Sequence[str],
    rejects: str | None,
    *,
    as_json: bool,
) -> None:
    """Convert files to standard output, and tell the summary; `rejects` is a file's name."""
    from streams.kit.tuning import tune_garbage_collection

    tune_garbage_collection()
    with ExitStack() as stack:
        refused = stack.enter_context(Path(rejects).open("wb")) if rejects else None
        conversion = begun(output(), refused)
        conversion.convert(files)
        output().flush()
    _show_totals(conversion.totals, as_json=as_json)


def _show_totals(totals: _Summary, *, as_json: bool) -> None:
    if as_json:
        echo_json(totals.as_object(), err=True)
    else:
        for sentence in totals.sentences():
            click.echo(sentence, err=True)
