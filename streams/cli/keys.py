"""`refusion keys`: the keys of a journal, by their ids."""

import click

from streams.cli.console import echo_json, load_settings, run_async


@click.group()
def keys() -> None:
    """Look at the keys of a journal."""


@keys.command()
@click.option(
    "--apply",
    "is_applied",
    is_flag=True,
    help="State the keys in the journal: from there on records without a MAC do not count.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def state(is_applied: bool, as_json: bool) -> None:
    """Show where the journal states its keys, or state them.

    A new journal states them at its beginning. Give --apply once for a journal of an earlier
    version, when every worker and every command that writes to it is of a version with MACs.
    """
    from streams.operations.stated_keys import state_keys

    stated = run_async(state_keys(load_settings(), apply=is_applied))
    ours = stated.keys
    if as_json:
        places = {str(at): offset for at, offset in sorted(stated.checked_from.items())}
        echo_json({**ours._asdict(), "checked_from": places, "id": None})
        return
    named = ", ".join((ours.pseudonym_key, *ours.seal_keys, *ours.journal_keys))
    click.echo(f"keys: {named}{' (demo keys)' if ours.demo else ''}")
    if not stated.checked_from:
        click.echo("the journal does not state them: its records are believed without a MAC")
    for partition, offset in sorted(stated.checked_from.items()):
        click.echo(f"partition {partition}: checked from offset {offset} on")
