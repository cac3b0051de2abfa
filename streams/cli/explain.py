"""`refusion explain`: why a citizen's week is what it is."""

import os
import re
from datetime import date
from typing import Any

import click

from streams.kit.errors import UserError

ISO_WEEK = re.compile(r"([0-9]{4})-W([0-9]{2})")
INPUT = click.Path(dir_okay=False, allow_dash=True)
RULES_HELP = "By this rule set, or a file that says how one differs.  [default: that of the last posting, or R-1]"


@click.command()
@click.argument("citizen", required=False)
@click.option("--week", metavar="W", help="One week in full: any of its days, or such as 2024-W05.")
@click.option(
    "--row",
    metavar="ID",
    help="The week of a row in a municipality's file, and the row's own story.",
)
@click.option(
    "--run", type=click.IntRange(1), help="With --row: the run of the file, for a large ledger."
)
@click.option(
    "--reports",
    type=INPUT,
    help="Reports as for settle instead of the live system; - is standard input.",
)
@click.option(
    "--whole-journal", is_flag=True, help="Read reports too that changed nothing when they came."
)
@click.option("--rules", metavar="NAME|FILE", help=RULES_HELP)
@click.option("--json", "as_json", is_flag=True, help="For programs; money in øre.")
def explain(**options: Any) -> None:
    """Tell why: reports, weeks, counters, rules, what comes next.

    CITIZEN is a pseudonym, as in postings. Without it a CPR is asked for (or read as the first
    line of standard input), but for --row, which names its citizen. Without --week or --row the
    whole life is shown. Everything is worked out from the reports by the rules at hand, not taken
    from what was posted. The reports are those of the live system, found through ledger and
    journal, or those of a file.
    """
    from streams.explain.why import Asked, explain_to

    week = None if options["week"] is None else week_number(options["week"])
    explain_to(click.echo, Asked(**options | {"week": week}), os.environ)


def week_number(text: str) -> int:
    """The week of a date, or of `2024-W05`; UserError where it is none that counts."""
    from domain.basics.weeks import day, week_of
    from streams.wire.validator import LAST_DAY

    try:
        found = ISO_WEEK.fullmatch(text)
        monday = (
            date.fromisocalendar(int(found[1]), int(found[2]), 1).toordinal()
            if found
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
