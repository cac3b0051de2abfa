"""`refusion opening`: the rows that an earlier system settled."""

import os
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from streams.cli.console import (
    answering,
    echo_json,
    load_settings,
    run_async,
    run_with_progress,
)
from streams.kit.private_files import private_copies

if TYPE_CHECKING:
    from streams.acts.four_eyes import GuardedAct
    from streams.operations.openings import Loaded

TOP: Final = 20
"""The number of lines listed of what could not be loaded; --json lists all."""
NOTHING_LOADED: Final = 1
"""The exit status of a load of which nothing could be loaded."""


@click.group()
def opening() -> None:
    """Load what an earlier system settled.

    What was paid there is not paid again; see docs/contract.md, section 3.
    """


@opening.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(dir_okay=False, path_type=Path))
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
    load changes nothing. What cannot be loaded is listed by file and line. A file may be packed
    with gzip. The exit status is 1 if nothing could be loaded.
    """
    from streams.acts import four_eyes

    with ExitStack() as stack:
        stack.enter_context(answering(as_json))
        read = {os.path.realpath(path): path for path in files}
        if four_eyes.is_approved():
            read = stack.enter_context(private_copies(read))
        paths, about = tuple(read.values()), {}
        if not dry_run:
            if load_settings().four_eyes and not four_eyes.is_approved():
                about = {"content": _load(paths, municipality, dry_run=True).sentence()}
            run_async(four_eyes.permission(load_settings(), _guarded(municipality, read, about)))
        loaded = _load(paths, municipality, dry_run)
    if as_json:
        echo_json(loaded.as_json())
    else:
        _show(loaded)
    if loaded.holds_nothing:
        raise SystemExit(NOTHING_LOADED)


def _show(loaded: "Loaded") -> None:
    for listed in loaded.listed[:TOP]:
        click.echo(f"{listed.place}: {listed.reason}: {listed.detail}", err=True)
    if len(loaded.listed) > TOP:
        click.echo(f"… and {len(loaded.listed) - TOP:,} more; --json lists all", err=True)
    click.echo(loaded.sentence())


def _load(files: tuple[Path, ...], municipality: str | None, dry_run: bool) -> "Loaded":
    from streams.citizens.rule_sets import LawBook
    from streams.operations.openings import Files
    from streams.operations.openings import load as load_files

    return run_with_progress(
        "rows",
        lambda settings, show: load_files(
            settings,
            Files(
                LawBook(settings.rules).catalogue(),
                settings.accepts_sixty,
                municipality,
                settings.only_fictive,
            ),
            files,
            dry_run,
            lambda rows: show(rows, None),
        ),
    )


def _guarded(
    municipality: str | None, files: Mapping[str, Path], about: Mapping[str, str]
) -> "GuardedAct":
    """Return a load as an act that needs two persons."""
    from streams.acts.acts import Act
    from streams.acts.four_eyes import GuardedAct

    whose = [] if municipality is None else ["--municipality", municipality]
    return GuardedAct(
        Act("opening load", {"municipality": municipality}),
        ["opening", "load", *whose, *files],
        files,
        about,
    )
