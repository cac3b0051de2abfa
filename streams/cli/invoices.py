"""`refusion invoices`: what each municipality is invoiced for half a year."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from streams.cli.console import echo_json, load_settings, table, terminal

if TYPE_CHECKING:
    from projections.lis.invoices import InvoiceLine


@click.command()
@click.option("--half", required=True, metavar="YYYY-1|YYYY-2", help="The half year.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="A folder for the tables: one of all municipalities, and one for each.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON; money in øre.")
def invoices(half: str, out: Path | None, as_json: bool) -> None:
    """Make the basis of the invoices of half a year.

    Units times price: inhabitants, of 16 to 66 years or of all ages (REFUSION_INHABITANTS), or
    citizens with a row (the tables of LIS), by the dated table of prices (REFUSION_PRICES). Nothing
    in it names a person.
    """
    from streams.lis.invoice_basis import invoice_basis, write_tables

    lines = invoice_basis(load_settings(), half)
    if out is not None:
        write_tables(out, half, lines)
    if as_json:
        names = {"first": "from", "last": "to"}
        rows = [
            {names.get(key, key): value for key, value in line._asdict().items()} for line in lines
        ]
        echo_json({"half": half, "amount_ore": _total(lines), "lines": rows})
    elif out is not None:
        click.echo(f"{out}: {len(lines):,} lines, {_total(lines) / 100:,.2f} kr.")
    else:
        _show(half, lines)


def _total(lines: "list[InvoiceLine]") -> int:
    return sum(line.amount_ore for line in lines)


def _show(half: str, lines: "list[InvoiceLine]") -> None:
    from projections.lis.invoices import LINE_COLUMNS

    shown = table(f"invoices of {half}", *LINE_COLUMNS[1:])
    for line in lines:
        shown.add_row(*line.cells()[1:])
    terminal().print(shown)
    click.echo(f"{_total(lines) / 100:,.2f} kr. in all")
