"""`refusion simulate`: the reports of an invented population."""

from pathlib import Path

import click

from streams.cli.console import output
from streams.kit.errors import UserError


@click.command()
@click.option("--citizens", type=click.IntRange(0), required=True, help="How many citizens.")
@click.option(
    "--months",
    required=True,
    metavar="A..B",
    help="First and last month, such as 2023-01..2024-12.",
)
@click.option(
    "--seed", type=int, required=True, help="The same seed gives the same bytes on any machine."
)
@click.option(
    "--late",
    type=click.FloatRange(0, 0.9),
    help="The share of reports that come 1-4 months late.  [default: usual]",
)
@click.option(
    "--faults",
    default="all",
    show_default=True,
    help="The faults of upstream systems: all (the usual ones), none or NAME,NAME…, and historic"
    " ones by name.",
)
@click.option(
    "--seasons",
    is_flag=True,
    help="More people come in winter than in summer, and some for the first time after a while.",
)
@click.option(
    "--jobs",
    type=click.IntRange(0, 64),
    default=0,
    help="How many processes; the output is the same.  [default: all cores]",
)
@click.option(
    "--as",
    "form",
    type=click.Choice(["eindkomst"]),
    help="Write answers of eIndkomst and the tables they need, into the folder of --out.",
)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="That folder.")
def simulate(
    citizens: int,
    months: str,
    seed: int,
    late: float | None,
    faults: str,
    seasons: bool,
    jobs: int,
    form: str | None,
    out: Path | None,
) -> None:
    """Invent the reports of a population.

    They are written to standard output as JSON Lines, in the order in which they would arrive.
    Some are late, repeated or reversed, as the reports of real systems are. With --as eindkomst
    the same population is written as XML answers, which `convert eindkomst` reads.
    """
    from tempfile import TemporaryFile

    from streams.kit.progress import meter
    from streams.simulation import FAULTS, SimulationOptions
    from streams.simulation import simulate as simulate_reports
    from streams.upstream.simulated_answers import AnswerWriter

    usual = {"all": FAULTS, "none": frozenset[str]()}
    chosen = frozenset[str]().union(*(usual.get(each, {each}) for each in faults.split(",")))
    first, last = _months(months)
    try:
        options = SimulationOptions(citizens, first, last, seed, late, chosen, jobs, seasons)
    except ValueError as error:
        raise UserError(str(error)) from None
    if (form is None) != (out is None):
        raise UserError("--as eindkomst and --out DIR belong together; give both")
    with meter("citizens", citizens) as progress:
        if out is None:
            simulate_reports(options, output(), progress.show)
            output().flush()
            return
        with TemporaryFile() as lines:
            simulate_reports(options, lines, progress.show)
            lines.seek(0)
            AnswerWriter(out, joins=bool(chosen)).write(lines)


def _months(text: str) -> tuple[int, int]:
    from domain.basics.weeks import month_number

    try:
        first, last = text.split("..")
        return month_number(first), month_number(last)
    except ValueError:
        raise UserError(
            "--months must be two months YYYY-MM..YYYY-MM, such as 2023-01..2024-12"
        ) from None
