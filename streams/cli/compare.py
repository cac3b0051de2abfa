"""`refusion compare`: what another reading of the law would cost, on the same reports."""

import os
from contextlib import ExitStack

import click


@click.command()
@click.argument("a")
@click.argument("b")
@click.argument("files", nargs=-1, type=click.Path(dir_okay=False, allow_dash=True))
@click.option(
    "--citizens", type=click.IntRange(0), default=10, show_default=True, help="How many to show."
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Processes for each rule set.",
)
@click.option("--json", "as_json", is_flag=True, help="For programs, in øre.")
def compare(
    a: str, b: str, files: tuple[str, ...], citizens: int, jobs: int, as_json: bool
) -> None:
    """Show the difference in money between two rule sets.

    The same reports are settled under both.
    A and B are names of rule sets, such as R-1, or rule set files. FILES are reports as JSON
    Lines; without them, or where one is -, standard input is read. The money is what is true in
    the end, all corrections included. Citizens are shown by their pseudonyms.
    """
    import orjson

    from streams.citizens.rule_sets import chosen_rule_set
    from streams.kit.progress import meter
    from streams.offline.compare import as_object, compare_lines, show
    from streams.offline.inputs import Reader, opened
    from streams.settings import Settings

    rules_a, rules_b = chosen_rule_set(a), chosen_rule_set(b)
    settings = Settings.load(os.environ)
    settings.identity()  # a missing key is told before any process is started
    with ExitStack() as stack:
        reader = Reader([opened(stack, name) for name in files or ("-",)])
        shown = stack.enter_context(meter("lines"))
        compared = compare_lines(
            reader,
            settings,
            jobs,
            rules_a,
            rules_b,
            lambda lines: shown.show(lines, reader.estimated()),
        )
    if as_json:
        click.echo(orjson.dumps(as_object(compared, citizens), option=orjson.OPT_INDENT_2).decode())
    else:
        show(compared, citizens)
