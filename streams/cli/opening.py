"""`refusion opening`: what an earlier system has settled."""

from pathlib import Path

import click

TOP = 20
"""Lines that are shown of what could not be loaded; --json lists all."""


@click.group()
def opening() -> None:
    """What an earlier system settled.

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
@click.option("--dry-run", is_flag=True, help="Read and check all of it, write nothing.")
@click.option(
    "--json", "as_json", is_flag=True, help="The summary and all that was listed as JSON."
)
def load(files: tuple[Path, ...], municipality: str | None, dry_run: bool, as_json: bool) -> None:
    """Load opening rows into the journal.

    FILES are files beregning of an earlier system (all of a municipality's together, since
    each holds differences) or JSON Lines of opening records. Loading again changes nothing. What cannot be
    loaded is listed by file and line.
    """
    import asyncio
    import logging
    import os

    import orjson

    from streams.citizens.rule_sets import load_rule_set
    from streams.kit.progress import meter
    from streams.operations.openings import Files
    from streams.operations.openings import load as load_files
    from streams.settings import Settings

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # the error at the end says it all
    settings = Settings.load(os.environ)
    reader = Files(load_rule_set(), settings.demo, municipality)
    with meter("rows") as shown:
        done = asyncio.run(
            load_files(settings, reader, files, dry_run, lambda rows: shown.show(rows, None))
        )
    if as_json:
        click.echo(orjson.dumps(done.as_json()).decode())
        return
    for listed in done.listed[:TOP]:
        click.echo(f"{listed.place}: {listed.reason}: {listed.detail}", err=True)
    if len(done.listed) > TOP:
        click.echo(f"… and {len(done.listed) - TOP:,} more; --json lists all", err=True)
    click.echo(done.sentence())
