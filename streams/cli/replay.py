"""`refusion replay`: what folding the journal again would change, and having it posted."""

import os
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from streams.operations.replay import Applied, DryRun

TOP = 12
"""Lines of a table; --json has all."""


@click.command()
@click.option(
    "--rules",
    default="",
    metavar="NAME",
    help="The rule set that is to hold; without it the one that does.",
)
@click.option(
    "--municipality", default="", metavar="CODE", help="Only citizens it has paid for or finances."
)
@click.option("--citizen", default="", metavar="PSEUDONYM", help="Only this citizen.")
@click.option(
    "--dry-run/--apply",
    required=True,
    default=None,
    help="Show the difference; or have it posted too.",
)
@click.option("--yes", is_flag=True, help="Apply without asking.")
@click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    default=None,
    help="Processes; without it one for each core.",
)
@click.option("--json", "as_json", is_flag=True, help="For programs, in øre.")
def replay(
    rules: str,
    municipality: str,
    citizen: str,
    dry_run: bool,
    yes: bool,
    jobs: int | None,
    as_json: bool,
) -> None:
    """Settle again from the journal and post what differs.

    The dry run comes first, always: it reads the journal and the postings, and writes nothing.
    --apply then writes control records, which the workers carry out between the reports; new ones
    are settled after them. With --rules that set holds for everybody from then on: whoever is not
    in scope follows with the next report.
    """
    from streams.operations.replay import Asked, apply
    from streams.operations.replay import dry_run as look

    asked = Asked(rules, _scope(municipality, citizen), jobs or os.cpu_count() or 1)
    found: DryRun = _asked(lambda settings, progress: look(settings, asked, progress), "records")
    applied: Applied | None = None
    if not as_json:
        _show(_console(), found)
    if not dry_run and not found.is_nothing:
        if not yes:
            click.confirm(_question(found), abort=True, err=True)
        applied = _asked(
            lambda settings, progress: apply(settings, asked, found, progress), "messages"
        )
    if as_json:
        _print_json(found, applied, dry_run=dry_run)
    elif applied is not None:
        _show_applied(applied, found)
    elif not dry_run:
        click.echo("What stands posted is right: nothing was written.")


def _scope(municipality: str, citizen: str) -> Any:
    """Whom it is about. Nothing of a wrong value is repeated: it may be a CPR."""
    import re

    from domain.citizen.reports import Scope
    from streams.explain.find import CPR_LIKE, PSEUDONYM
    from streams.operations.replay_partition import ReplayError

    if municipality and citizen:
        raise ReplayError("--municipality and --citizen are two scopes; give one of them")
    if CPR_LIKE.fullmatch(citizen) or CPR_LIKE.fullmatch(municipality):
        raise ReplayError(
            "a CPR does not belong on a command line; `refusion explain` asks for it and says the pseudonym"
        )
    if citizen and not PSEUDONYM.fullmatch(citizen):
        raise ReplayError("--citizen is a pseudonym of 32 digits 0-9a-f, as in postings")
    if municipality and not re.fullmatch("[0-9]{3}", municipality):
        raise ReplayError("--municipality is a code of three digits")
    return Scope(municipality, citizen)


def _asked(ask: "Callable[..., Any]", unit: str) -> Any:
    """Run it, with progress on a terminal."""
    import asyncio
    import logging

    from streams.kit.progress import meter
    from streams.settings import Settings

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # the error at the end says it all
    settings = Settings.load(os.environ)
    with meter(unit) as shown:
        return asyncio.run(ask(settings, lambda _what, done, total: shown.show(done, total)))


def _question(found: "DryRun") -> str:
    if found.pending:
        return "This replay is written already and waits for the workers. Wait with it?"
    becomes = f"{found.rules} becomes the rule set that holds, and " if found.changes_rules else ""
    return f"{becomes}{found.difference.messages:,} messages are posted. Go on?"


# --- for programs
# -----------------------------------------------------------------------------------


def _print_json(found: "DryRun", applied: "Applied | None", *, dry_run: bool) -> None:
    import orjson

    difference = found.difference
    value = {
        "dry_run": dry_run,
        "rules": found.rules,
        "rules_holding": found.holding,
        "reports": found.reports,
        "not_settled_yet": found.unsettled,
        "citizens": difference.citizens,
        "citizens_in_scope": difference.in_scope,
        "citizens_changed": difference.changed,
        "messages": difference.messages,
        "money": [
            {
                **place._asdict(),
                "refusion_ore": refusion,
                "medfinansiering_ore": medfinansiering,
                "rows": rows,
            }
            for place, (refusion, medfinansiering, rows) in sorted(difference.money.items())
        ],
        "largest": [change._asdict() for change in difference.largest],
        "seconds": round(found.seconds, 3),
        "apply_seconds": round(found.apply_s, 3),
        "workers": found.workers,
        "pending": found.pending[0].id if found.pending else None,
        "applied": applied and vars(applied),
    }
    click.echo(orjson.dumps(value).decode())


# --- for people
# -------------------------------------------------------------------------------------


def _console() -> "Console":
    from rich.console import Console

    return Console(
        width=None if sys.stdout.isatty() else 140,
        soft_wrap=not sys.stdout.isatty(),
        highlight=False,
    )


def _show(console: "Console", found: "DryRun") -> None:
    difference = found.difference
    rules = f"{found.rules} instead of {found.holding}" if found.changes_rules else found.rules
    console.print(
        f"{found.reports:,} reports of {difference.citizens:,} citizens read in {found.seconds:.1f} s, by {rules}:"
        f" {difference.in_scope:,} citizens in scope, {difference.changed:,} with other rows,"
        f" {difference.messages:,} messages to post."
    )
    if found.unsettled:
        console.print(f"{found.unsettled:,} reports are not settled yet, and are not in this.")
    if difference.money:
        _show_money(console, found)
        console.print("The largest changes:")
        for change in difference.largest:
            console.print(f"  {change.sentence}")
    if not found.is_nothing:
        workers = (
            f"{found.workers} worker{'s' * (found.workers != 1)}" if found.workers else "one worker"
        )
        console.print(
            f"To apply it takes {workers} about {found.apply_s:.0f} s; new reports wait meanwhile."
        )


def _show_money(console: "Console", found: "DryRun") -> None:
    for at, name in enumerate(("month", "municipality", "benefit", "reason")):
        sums: dict[str, list[int]] = {}
        for place, ore in found.difference.money.items():
            entry = sums.setdefault(place[at], [0, 0, 0])
            for number, each in enumerate(ore):
                entry[number] += each
        _show_sums(console, name, sums)


def _show_sums(console: "Console", name: str, sums: dict[str, list[int]]) -> None:
    from rich.box import SIMPLE
    from rich.table import Table

    from projections.runs.completeness import kroner

    costs: Counter[str] = Counter(
        {key: abs(refusion - medfin) for key, (refusion, medfin, _) in sums.items()}
    )
    shown = sorted(key for key, _ in costs.most_common(TOP))
    title = (
        f"By {name}"
        if len(shown) == len(sums)
        else f"By {name}: the {TOP} of {len(sums)} with the most"
    )
    table = Table(title=title, title_justify="left", box=SIMPLE if console.is_terminal else None)
    table.add_column(name)
    for column in ("rows", "refusion", "medfinansiering", "cost to State"):
        table.add_column(column, justify="right")
    for key in shown:
        refusion, medfin, rows = sums[key]
        table.add_row(key, f"{rows:,}", kroner(refusion), kroner(medfin), kroner(refusion - medfin))
    console.print(table)


def _show_applied(applied: "Applied", found: "DryRun") -> None:
    from projections.runs.completeness import kroner

    click.echo(
        f"Applied in {applied.seconds:.1f} s: {applied.messages:,} messages with {applied.rows:,} rows were posted;"
        f" the State pays {kroner(applied.cost_ore)} more."
    )
    if applied.messages != found.difference.messages:
        click.echo(
            f"The dry run had {found.difference.messages:,} messages. New reports came in between, or a worker passed"
            " citizens over (its log says so): look with --dry-run what is left."
        )
