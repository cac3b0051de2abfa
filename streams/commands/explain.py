"""`refusion explain`: why a citizen's week is what it is."""

import os
import re
from contextlib import ExitStack
from datetime import date

import click

from streams.errors import UserError

ISO_WEEK = re.compile(r"([0-9]{4})-W([0-9]{2})")
INPUT = click.Path(dir_okay=False, allow_dash=True)
RULES_HELP = "Explain by this rule set, or a file that says how one differs."


@click.command()
@click.argument("citizen", required=False)
@click.option("--week", metavar="W", help="One week in full: any of its days, or such as 2024-W05.")
@click.option(
    "--reports",
    type=click.Path(dir_okay=False, allow_dash=True),
    required=True,
    help="Reports as for settle; - is stdin.",
)
@click.option("--rules", default="R-1", show_default=True, metavar="NAME|FILE", help=RULES_HELP)
@click.option("--json", "as_json", is_flag=True, help="For programs; money in øre.")
def explain(citizen: str | None, week: str | None, reports: str, rules: str, as_json: bool) -> None:
    """Tell why: reports, weeks, counters, rules, what comes next.

    CITIZEN is a pseudonym, as in postings. Without it a CPR is asked for (or read as the first
    line of standard input). Without --week the whole life is shown. Everything is worked out
    from the reports by the rules at hand, not taken from what was posted.
    """
    import orjson

    from domain.explain import explain_life, explain_week
    from domain.settlement import Law
    from streams.explaining import console, show_life, show_week
    from streams.inputs import opened
    from streams.lives import find_in, folded, named_citizen
    from streams.rulefiles import chosen_rule_set
    from streams.settings import Settings

    rule_set = chosen_rule_set(rules)
    settings = Settings.load(os.environ)
    settings.identity()  # a missing key is told before anything is asked
    number = None if week is None else week_number(week)
    if citizen is None and reports == "-":
        raise UserError(
            "standard input cannot give both reports and a CPR; name CITIZEN, or give the reports as a file"
        )
    with ExitStack() as stack:
        lines = opened(stack, reports)
        who = named_citizen(citizen, settings)
        found = find_in(lines, who, settings, rule_set)
    law = Law(rule_set)
    state = folded(law, who, found.reports)
    if number is None:
        life = explain_life(law, state, found.reports)
        if not as_json:
            show_life(life, found.refused, console())
            return
        answer: object = life
    else:
        reason = explain_week(law, state, found.reports, number)
        if not as_json:
            show_week(reason, found.refused, console())
            return
        answer = reason
    rejected = [each._asdict() for each in found.refused]
    click.echo(orjson.dumps({"explanation": answer, "rejected": rejected}, option=orjson.OPT_INDENT_2).decode())


def week_number(text: str) -> int:
    """The week of a date, or of `2024-W05`; UserError where it is none that counts."""
    from domain.weeks import day, week_of
    from streams.validation import LAST_DAY

    try:
        found = ISO_WEEK.fullmatch(text)
        monday = date.fromisocalendar(int(found[1]), int(found[2]), 1).toordinal() if found else day(text)
    except ValueError:
        raise UserError("--week is a date such as 2024-01-29, or a week such as 2024-W05") from None
    week = week_of(monday)
    if not 0 <= week <= week_of(LAST_DAY):
        raise UserError("weeks count from 2014-W27 (30 June 2014) to the end of 2099; give --week one of these")
    return week
