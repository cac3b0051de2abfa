"""`refusion lis`: what the municipalities and the State look at, from the ledger."""

from typing import TYPE_CHECKING, Final

import click

from streams.cli.console import echo_json, load_settings

if TYPE_CHECKING:
    from streams.lis.build import Built

WHAT_IF: Final = "hvad-hvis"
"""A view that reads no tables: it settles reports by two rule sets."""


class _Views(click.Group):
    """The group of `build` and the views, in the order in which people look at them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        from projections.lis.views import VIEWS

        return [*super().list_commands(ctx), *VIEWS, WHAT_IF]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        from projections.lis.views import VIEWS

        if cmd_name == WHAT_IF:
            from streams.cli.lis_whatif import what_if

            return what_if
        if cmd_name not in VIEWS:
            return super().get_command(ctx, cmd_name)
        from streams.cli.lis_views import command_of

        return command_of(VIEWS[cmd_name])


@click.group(cls=_Views)
def lis() -> None:
    """Show what was settled, for whom, and what comes.

    Each view is as known now, as of a run, or as a run settled it. `refusion worker projections`
    builds the tables when a run is closed; `refusion lis build` does it by hand.
    """


@lis.command()
@click.option("--run", type=click.IntRange(1), help="Build this closed run again.")
@click.option("--all", "everything", is_flag=True, help="Build all closed runs again.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def build(run: int | None, everything: bool, as_json: bool) -> None:
    """Build the tables from the ledger.

    Closed runs that are missing are built, and the open one anew.
    `refusion worker projections` does so by itself. Readers see the former tables until all of the
    build is written. The same ledger gives the same tables.
    """
    from streams.citizens.rule_sets import LawBook
    from streams.kit.progress import meter
    from streams.ledger.table import LedgerTable
    from streams.lis.build import BuildRequest
    from streams.lis.build import build as build_marts
    from streams.lis.control_sums import kept_beside
    from streams.lis.store import MartStore

    settings = load_settings()
    laws = LawBook(settings.rules)
    ledger = LedgerTable.open(settings.ledger)
    with meter("tables") as progress:
        built = build_marts(
            ledger,
            MartStore(settings.lis),
            laws.law,
            kept_beside(settings.ledger),
            BuildRequest(run, everything),
            progress.show,
        )
    if as_json:
        echo_json(built._asdict())
    else:
        click.echo(_sentence(built))
    if built.without_counters:
        click.echo(
            f"no counters in the ledger: {built.without_counters:,} citizens, whose last entries an"
            " earlier version has written; the table standing does not tell theirs. Delete the"
            " ledger, and `refusion worker projections` makes it again with them; then build with"
            " --all",
            err=True,
        )


def _sentence(built: "Built") -> str:
    runs = ", ".join(map(str, built.runs)) or "none"
    last = f"up to run {built.last_run}" if built.last_run else "no run is closed yet"
    return (
        f"built runs: {runs}; the marts are of version {built.ledger_version} of the ledger, {last}"
    )
