"""Reads the tables of LIS with SQL: what a municipality's months were, and what became of them.

    python -m examples.read_marts refusion-state/lis 730

For each data month: what its run settled, what is known now, and the difference, which is what late
reports and corrections have moved since. A month whose run is not closed has no first figure.

Change `QUESTION` for a question of your own; docs/lis.md has the tables and their columns. Rows
are differences: what a run changed. So what is true now is the sum over all runs, and what was true
when run N was closed is the sum over `run <= N`. Amounts are in øre, as integers.
"""

import click

from domain.basics.kroner import kroner
from streams.kit.errors import UserError
from streams.lis.marts import open_marts

QUESTION = """
WITH sums AS (
    SELECT month,
        sum(refusion_ore - medfinansiering_ore)
            FILTER (WHERE data_month = month AND kind <> 'opening') AS settled_ore,
        sum(refusion_ore - medfinansiering_ore) AS now_ore
    FROM money LEFT JOIN runs USING (run)
    WHERE municipality = ?
    GROUP BY month
), heads AS (
    SELECT month, sum(persons) AS persons
    FROM persons
    WHERE municipality = ? AND benefit IS NULL AND rate IS NULL
    GROUP BY month
)
SELECT month, settled_ore, now_ore, now_ore - settled_ore AS moved_ore, coalesce(persons, 0)
FROM sums LEFT JOIN heads USING (month)
ORDER BY month
"""
"""Refusion is what the State owes the municipality, medfinansiering the other way round."""


@click.command()
@click.argument("folder")
@click.argument("municipality")
def main(folder: str, municipality: str) -> None:
    """Show a MUNICIPALITY's months from the tables of LIS in a FOLDER."""
    try:
        with open_marts(folder) as marts:
            rows = marts.rows(QUESTION, [municipality, municipality])
            run = marts.last_run
    except UserError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{municipality}, as known now; the last closed run is {run}")
    click.echo(f"{'month':8}{'settled':>16}{'known now':>16}{'moved since':>16}{'persons':>9}")
    for month, *amounts, persons in rows:
        cells = ("-" if amount is None else kroner(amount) for amount in amounts)
        click.echo(f"{month:8}{''.join(f'{cell:>16}' for cell in cells)}{persons:>9,}")


if __name__ == "__main__":
    main()
