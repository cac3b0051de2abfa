"""`refusion opening`: the rows that an earlier system settled."""

from pathlib import Path
from typing import Final

import click

from streams.cli.console import echo_json, run_with_progress

TOP: Final = 20
"""The number of lines listed of what could not be loaded; --json lists all."""


@click.group()
def opening() -> None:
    """Load what an earlier system settled.

    It is not paid again; see docs/contract.md, section 3.
    """


@opening.command()
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option(
    "--municipality",
    help="Whose files `beregning` these are, such as 730.  [default: by their names]",
)
@click.option("--dry-run", is_flag=True, help="Read and check everything, write nothing.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print the summary and everything listed as JSON."
)
def load(files: tuple[Path, ...], municipality: str | None, dry_run: bool, as_json: bool) -> None:
    """Load opening rows into the journal.

    FILES are files beregning of an earlier system, or JSON Lines of opening records. Give all the
    files of a municipality at once, since each holds differences from those before. A second
    load changes nothing. What cannot be loaded is listed by file and line.
    """
    from streams.citizens.rule_sets import LawBook
    from streams.operations.openings import Files
    from streams.operations.openings import load as load_files

    loaded = run_with_progress(
        "rows",
        lambda settings, show: load_files(
            settings,
            Files(LawBook(settings.rules).catalogue(), settings.accepts_sixty, municipality),
            files,
            dry_run,
            lambda rows: show(rows, None),
        ),
    )
    if as_json:
        echo_json(loaded.as_json())
        return
    for listed in loaded.listed[:TOP]:
        click.echo(f"{listed.place}: {listed.reason}: {listed.detail}", err=True)
    if len(loaded.listed) > TOP:
        click.echo(f"… and {len(loaded.listed) - TOP:,} more; --json lists all", err=True)
    click.echo(loaded.sentence())
