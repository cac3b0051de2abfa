"""`refusion settings`: every setting with its value, source and meaning."""

import click

from streams.cli.console import echo_json, load_settings


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the settings as JSON.")
def settings(as_json: bool) -> None:
    """Show every setting with its value, source and meaning.

    Settings are environment variables. Secrets are masked.
    """
    rows = load_settings().describe()
    if as_json:
        echo_json(rows, indent=True)
        return
    for row in rows:
        name = row["name"] if row["value"] is None else f"{row['name']} = {row['value']}"
        click.echo(f"{name}  ({row['source']})\n    {row['meaning']}")
