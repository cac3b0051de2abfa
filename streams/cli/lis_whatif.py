"""`refusion lis hvad-hvis`: what another rule set means for each municipality."""

from contextlib import ExitStack
from pathlib import Path

import click

from streams.cli.compare import KEEP, keep_comparison
from streams.cli.console import INPUT, echo_json, load_settings
from streams.cli.lis_views import WRITTEN, print_csv, show_table


@click.command("hvad-hvis", short_help="Hvad hvis: to regelsæt side om side")
@click.argument("a")
@click.argument("b")
@click.argument("files", nargs=-1, type=INPUT)
@click.option("--municipality", metavar="K", help="The money of this one alone, such as 730.")
@click.option(
    "--by",
    type=click.Choice(["municipality", "benefit", "band", "month"]),
    default="municipality",
    show_default=True,
    help="A row for each of these.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="How many processes for each rule set.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON; money in øre.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV for a spreadsheet.")
@click.option("--parquet", type=WRITTEN, metavar="FILE", help="Write Parquet; money in øre.")
@KEEP
def what_if(
    a: str,
    b: str,
    files: tuple[str, ...],
    municipality: str | None,
    by: str,
    jobs: int,
    as_json: bool,
    as_csv: bool,
    parquet: Path | None,
    keep: bool,
) -> None:
    """Settle the same reports by two rule sets, and show the difference for the municipalities.

    It is what `refusion compare` does, in the form of a view. A and B are names of rule sets, or
    rule set files; FILES hold reports as JSON Lines, without them standard input is read.
    """
    from projections.lis.answers import as_object
    from streams.citizens.rule_sets import chosen_rule_set
    from streams.kit.progress import meter
    from streams.lis.parquet import write_answer
    from streams.lis.whatif import what_if_answer
    from streams.offline.compare import compare_lines
    from streams.offline.inputs import Reader, checked, opened

    rules_a, rules_b = chosen_rule_set(a), chosen_rule_set(b)
    settings = load_settings()
    settings.identity()  # a missing key is an error before any process is started
    with ExitStack() as stack:
        reader = Reader([opened(stack, name) for name in files or ("-",)], checked)
        progress = stack.enter_context(meter("lines"))
        compared = compare_lines(reader, settings, jobs, rules_a, rules_b, progress.show)
    if keep:
        keep_comparison(settings, compared)
    answer = what_if_answer(compared.comparison, f"{rules_a.name} {rules_b.name}", by, municipality)
    if parquet is not None:
        write_answer(answer, parquet)
    if as_csv:
        print_csv(answer)
    elif as_json:
        echo_json(as_object(answer))
    elif parquet is None:
        show_table(answer, f"{rules_a.name} og {rules_b.name}")
