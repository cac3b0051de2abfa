"""`refusion compare`: the difference in money between two rule sets, on the same reports."""

from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

import click

from streams.cli.console import INPUT, echo_json, load_settings, table, terminal

if TYPE_CHECKING:
    from rich.table import Table

    from projections.whatif.comparison import Comparison, ComparisonLine
    from streams.offline.compare import Compared
    from streams.settings import Settings

TITLES: Final = {
    "benefit": "By benefit",
    "municipality": "By municipality",
    "band": "By band",
    "month": "By month",
}
MONEY_COLUMNS: Final = (
    "refusion A", "refusion B", "medfin. A", "medfin. B", "cost to State, B − A",
)  # fmt: skip

KEEP: Final = click.option(
    "--keep", is_flag=True, help="Keep the sums by municipality on this machine, for the site."
)
"""The option of commands that compare rule sets."""


@click.command()
@click.argument("a")
@click.argument("b")
@click.argument("files", nargs=-1, type=INPUT)
@click.option(
    "--citizens",
    type=click.IntRange(0),
    default=10,
    show_default=True,
    help="How many citizens to list.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="How many processes for each rule set.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON; money in øre.")
@KEEP
def compare(
    a: str, b: str, files: tuple[str, ...], citizens: int, jobs: int, as_json: bool, keep: bool
) -> None:
    """Show the difference in money between two rule sets.

    The same reports are settled under both. A and B are names of rule sets, such as R-1, or rule
    set files. FILES hold reports as JSON Lines; without them, or for a file named -, standard
    input is read. A file may be packed with gzip. The amounts include all corrections. Citizens are
    listed by their pseudonyms.
    """
    from streams.citizens.rule_sets import chosen_rule_set
    from streams.kit.progress import meter
    from streams.offline.compare import as_object, compare_lines
    from streams.offline.inputs import Reader, checked, opened

    rules_a, rules_b = chosen_rule_set(a), chosen_rule_set(b)
    settings = load_settings()
    settings.identity()  # a missing key is an error before any process is started
    with ExitStack() as stack:
        reader = Reader([opened(stack, name) for name in files or ("-",)], checked)
        progress = stack.enter_context(meter("lines"))
        compared = compare_lines(
            reader,
            settings,
            jobs,
            rules_a,
            rules_b,
            lambda lines: progress.show(lines, reader.estimated()),
        )
    if keep:
        keep_comparison(settings, compared)
    if as_json:
        echo_json(as_object(compared, citizens), indent=True)
    else:
        _show(compared, citizens)


def keep_comparison(settings: "Settings", compared: "Compared") -> None:
    """Keep a comparison for the site. Raises UserError."""
    from streams.operations.kept_differences import difference_of_comparison, keep_difference

    keep_difference(settings.operations_dir, difference_of_comparison(settings, compared))


def _show(compared: "Compared", citizens: int) -> None:
    from projections.whatif.comparison import BREAKDOWNS

    console, comparison = terminal(), compared.comparison
    console.print(
        f"A is {compared.a.name}, B is {compared.b.name}; kroner, all corrections included."
    )
    console.print("The cost to the State is its refusion less the municipalities' medfinansiering.")
    rejected = (
        f", {compared.rejected:,} of them rejected (`refusion settle --rejects FILE` tells why)"
    )
    console.print(f"{compared.lines:,} lines{rejected if compared.rejected else ''}.\n")
    for breakdown in BREAKDOWNS:
        shown = table(TITLES[breakdown], breakdown, *MONEY_COLUMNS)
        for line in comparison.lines(breakdown):
            shown.add_row(_label(breakdown, line.name, compared), *_cells(line))
        shown.add_section()
        shown.add_row("all", *_cells(comparison.total()))
        console.print(shown)
    console.print(_rounding(comparison))
    console.print(_citizen_table(comparison, citizens))


def _rounding(comparison: "Comparison") -> str:
    """Say what the difference is before each row is rounded to whole øre."""
    exact = comparison.exact_difference()
    rounding = 100 * comparison.total().difference.state_cost_ore - exact
    return (
        f"Before each row is rounded to whole øre, B costs the State {_exact_kroner(exact)} more"
        f" than A; rounding adds {_exact_kroner(rounding)}.\n"
    )


def _exact_kroner(hundredths: int) -> str:
    """Write hundredths of an øre as kroner with four decimals."""
    whole, rest = divmod(abs(hundredths), 10_000)
    return f"{'−' if hundredths < 0 else '+' if hundredths else ''}{whole:,}.{rest:04d}"


def _label(breakdown: str, name: str, compared: "Compared") -> str:
    """Return a line's code with its name in words."""
    if breakdown == "benefit":
        benefit = compared.a.benefits.get(name) or compared.b.benefits[name]
        return f"{name}  {benefit.name}"
    municipalities = compared.a.municipalities
    return f"{name} {municipalities.get(name, '')}" if breakdown == "municipality" else name


def _cells(line: "ComparisonLine") -> list[str]:
    from domain.basics.kroner import MINUS, kroner

    money = (
        line.a.refusion_ore,
        line.b.refusion_ore,
        line.a.medfinansiering_ore,
        line.b.medfinansiering_ore,
    )
    cost = kroner(line.difference.state_cost_ore, minus=MINUS, plus="+")
    return [*(kroner(ore, minus=MINUS) for ore in money), cost]


def _citizen_table(comparison: "Comparison", number: int) -> "Table":
    from domain.basics.kroner import MINUS, kroner

    affected = comparison.citizens()
    shown = table(
        f"Citizens most affected, of {affected:,}" if affected else "No citizen is affected",
        "citizen",
        "cost to State, B − A",
    )
    for citizen, ore in comparison.most_affected(number):
        shown.add_row(citizen, kroner(ore, minus=MINUS, plus="+"))
    return shown
