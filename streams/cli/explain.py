"""`refusion explain`: the reasons for a citizen's weeks."""

import re
from datetime import date
from typing import Any, Final

import click

from streams.cli.console import INPUT, LANGUAGE, PURPOSE
from streams.kit.errors import UserError
from streams.kit.logs import quiet_clients
from streams.kit.secrets import own_environment

ISO_WEEK: Final = re.compile(r"([0-9]{4})-W([0-9]{2})")


@click.command()
@click.argument("citizen", required=False)
@click.option("--week", metavar="W", help="One week in full: any of its days, or such as 2024-W05.")
@click.option(
    "--row",
    metavar="ID",
    help="The week of a row in a municipality's file, and the history of the row.",
)
@click.option(
    "--run", type=click.IntRange(1), help="With --row: the file's run, to find the row faster."
)
@click.option(
    "--reports",
    type=INPUT,
    help="Read reports from a file, as settle does, not from Kafka; - is standard input.",
)
@click.option(
    "--whole-journal", is_flag=True, help="Include reports that changed nothing when they came."
)
@click.option(
    "--rules",
    metavar="NAME|FILE",
    help="A rule set, or a file with the differences from one."
    "  [default: the rule set of the last posting, or R-1]",
)
@PURPOSE
@LANGUAGE
@click.option("--json", "as_json", is_flag=True, help="Print JSON; money in øre.")
def explain(**options: Any) -> None:
    """Explain a citizen's weeks by reports and rules.

    CITIZEN is a pseudonym, as in postings. Without it the command asks for a CPR (or reads it from
    the first line of standard input), except with --row, since a row names its citizen. Without
    --week or --row the whole life is shown. Everything is computed from the reports; nothing is
    taken from what was posted. The reports come from the live system, where ledger and journal
    lead to them, or from a file. A look at the live system is recorded in the topic `access` first.
    """
    from streams.explain.why import ExplainRequest, explain_to

    quiet_clients()
    week = None if options["week"] is None else week_number(options["week"])
    explain_to(click.echo, ExplainRequest(**options | {"week": week}), own_environment())


def week_number(text: str) -> int:
    """Return the week of a date, or of an ISO week such as `2024-W05`.

    Raises:
        UserError: the text is neither, or the week is outside the years that the program knows.
    """
    from domain.basics.weeks import day, week_of
    from streams.wire.content import LAST_DAY

    try:
        iso_week = ISO_WEEK.fullmatch(text)
        monday = (
            date.fromisocalendar(int(iso_week[1]), int(iso_week[2]), 1).toordinal()
            if iso_week
            else day(text)
        )
    except ValueError:
        raise UserError("--week is a date such as 2024-01-29, or a week such as 2024-W05") from None
    week = week_of(monday)
    if not 0 <= week <= week_of(LAST_DAY):
        raise UserError(
            "weeks count from 2014-W27 (30 June 2014) to the end of 2099; give --week one of these"
        )
    return week
