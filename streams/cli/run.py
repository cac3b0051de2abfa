"""`refusion run`: close a month's run, and look at the runs."""

import os
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from projections.runs.totals import RunTotals
    from streams.operations.run_survey import Survey
    from streams.operations.runs import Closed, Status

HELD = 1
"""The exit status of a run that was not closed because its completeness is in doubt."""
TOP = 10
"""Municipalities that are shown, those with the most money; and findings."""


@click.group()
def run() -> None:
    """Close a month's run, and look at the runs.

    A run is a cut: it holds what was posted since the one before. What comes for its month later
    is in a later run, as corrections.
    """


@run.command()
@click.option(
    "--month",
    required=True,
    metavar="YYYY-MM",
    help="The data month. The next one; the first may be any.",
)
@click.option(
    "--no-wait", is_flag=True, help="Do not wait until intake has taken in what was published."
)
@click.option("--dry-run", is_flag=True, help="Show what would be in the run; write nothing.")
@click.option(
    "--accept",
    multiple=True,
    metavar="REASON",
    help="Close although it is held; kept in the run's marker.",
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def close(month: str, no_wait: bool, dry_run: bool, accept: tuple[str, ...], as_json: bool) -> None:
    """Cut the run of a month.

    A run is held (exit status 1) when a reporter is missing or its amount jumps, when payments came
    twice on different ways, or when a control sum is off; --accept closes it for a reason.
    """
    from streams.operations.runs import Closing
    from streams.operations.runs import close as close_run

    asked = Closing(month, wait=not no_wait, dry_run=dry_run, accept=accept)
    done: Closed = _asked(lambda settings, progress: close_run(settings, asked, progress))
    if as_json:
        _print_json(_closed_json(done, dry_run))
    else:
        _show_closed(_console(), done, dry_run)
    if not dry_run and not done.closed:
        _say_held(done)
        sys.exit(HELD)


@run.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def status(as_json: bool) -> None:
    """Show the last run, what is open since, and how far the stages are."""
    from streams.operations.runs import status as run_status

    found: Status = _asked(run_status)
    if as_json:
        _print_json(_status_json(found))
    else:
        _show_status(_console(), found)


def _asked(ask: "Callable[..., Any]") -> Any:
    """Run it, with progress on a terminal."""
    import asyncio
    import logging

    from streams.kit.progress import meter
    from streams.kit.tuning import tune_garbage_collection
    from streams.settings import Settings

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # the error at the end says it all
    settings = Settings.load(os.environ)
    tune_garbage_collection()
    with meter("records") as shown:
        return asyncio.run(ask(settings, lambda _what, done, total: shown.show(done, total)))


# --- for programs
# -----------------------------------------------------------------------------------


def _print_json(value: dict[str, Any]) -> None:
    import orjson

    click.echo(orjson.dumps(value).decode())


def _closed_json(done: "Closed", dry_run: bool) -> dict[str, Any]:
    return {
        "run": done.run,
        "data_month": done.data_month,
        "closed": done.closed,
        "closed_at": done.closed_at or None,
        "dry_run": dry_run,
        "left_in_raw": done.left,
        "accepted": [*done.accepted],
        "findings": [finding._asdict() for finding in done.findings],
        "seconds": {name: round(seconds, 3) for name, seconds in done.seconds.items()},
        **_survey_json(done.survey),
    }


def _status_json(found: "Status") -> dict[str, Any]:
    from domain.basics.weeks import month_text

    last = found.last
    closed = (
        {"run": last.run, "data_month": month_text(last.data_month), "closed_at": last.closed_at}
        if last
        else None
    )
    following = (
        {"run": last.run + 1, "data_month": month_text(last.data_month + 1)} if last else None
    )
    return {
        "last": closed and closed | {"accepted": [*last.accepted] if last else []},
        "next": following,
        "lag": found.lag,
        **_survey_json(found.survey),
    }


def _survey_json(survey: "Survey") -> dict[str, Any]:
    from streams.wire.journal import TYPE_OF

    totals, control = survey.totals, _control(survey)
    return {
        "records_read": survey.records,
        "reports": {name: survey.books.kinds[kind.__name__] for kind, name in TYPE_OF.items()},
        "openings": survey.books.kinds["Opening"],
        "not_settled_yet": survey.books.waiting,
        "rejected": survey.rejected,
        "control_sums": control,
        "messages": totals.messages,
        "rows": totals.rows,
        "reasons": dict(totals.reasons),
        "money": [
            {"mechanism": mechanism, "rate": rate, **_numbers(numbers)}
            for (mechanism, rate), numbers in sorted(totals.money.items())
        ],
        "months": [
            {"month": month, "reports": reports, "reported_ore": ore, **_numbers(numbers)}
            for month, (reports, ore), numbers in _months(survey)
        ],
        "municipalities": [
            {"municipality": code, **_numbers(numbers)}
            for code, numbers in sorted(totals.municipalities.items())
        ],
    }


def _numbers(numbers: Sequence[int]) -> dict[str, int]:
    return dict(zip(("rows", "amount_ore", "result_ore"), numbers, strict=True))


def _months(survey: "Survey") -> list[tuple[str, Sequence[int], Sequence[int]]]:
    """Months of the open run: reports and their øre, rows and their øre."""
    from domain.basics.weeks import month_text

    reported = {month_text(month): numbers for month, numbers in survey.books.months.items()}
    posted = survey.totals.months
    return [
        (month, reported.get(month, (0, 0)), posted.get(month, (0, 0, 0)))
        for month in sorted({*reported, *posted})
    ]


def _control(survey: "Survey") -> dict[str, int]:
    """The control sums of all reporters, in øre."""
    entries = survey.books.control.values()
    return {
        f"{name}_ore": sum(getattr(entry, name) for entry in entries)
        for name in ("reported", "settled", "outside", "rejected", "difference")
    }


# --- for people
# -------------------------------------------------------------------------------------


def _console() -> "Console":
    from rich.console import Console

    return Console(
        width=None if sys.stdout.isatty() else 120,
        soft_wrap=not sys.stdout.isatty(),
        highlight=False,
    )


def _show_closed(console: "Console", done: "Closed", dry_run: bool) -> None:
    _show_survey(console, done.survey)
    if done.left:
        console.print(
            f"{done.left:,} records of reports.raw are not taken in; they will be in a later run."
        )
    if done.closed:
        console.print(f"Run {done.run} ({done.data_month}) is closed, {done.closed_at}.")
    if dry_run:
        console.print(
            f"Run {done.run} ({done.data_month}) would be {'held' if done.findings else 'closed'}."
        )
    if done.closed or dry_run:
        for line in _finding_lines(done):
            console.print(line)


def _say_held(done: "Closed") -> None:
    click.echo(
        f"refusion: run {done.run} ({done.data_month}) is held, nothing was closed:", err=True
    )
    for line in _finding_lines(done):
        click.echo(line, err=True)
    click.echo('ask the reporters, or close it all the same with --accept "reason"', err=True)


def _finding_lines(done: "Closed") -> Iterable[str]:
    for finding in done.findings[:TOP]:
        yield f"  {finding.sentence()}"
    if len(done.findings) > TOP:
        yield f"  … and {len(done.findings) - TOP:,} more; --json lists all"


def _control_line(survey: "Survey") -> str:
    """Reported = settled + outside + rejected, over all reporters."""
    from projections.runs.completeness import kroner

    sums = {name.removesuffix("_ore"): kroner(ore) for name, ore in _control(survey).items()}
    text = "Control sums: {reported} reported = {settled} settled + {outside} outside + {rejected} rejected"
    if _control(survey)[
        "difference_ore"
    ]:  # of a report that was taken in before what is looked at, or a finding
        text += " + {difference} that belongs to earlier reports or is unaccounted for"
    return text.format(**sums)


def _show_status(console: "Console", found: "Status") -> None:
    from domain.basics.weeks import month_text

    if found.last is None:
        console.print("No run was closed yet.")
    else:
        accepted = f"; accepted: {'; '.join(found.last.accepted)}" if found.last.accepted else ""
        month = month_text(found.last.data_month)
        console.print(
            f"The last run closed is {found.last.run} ({month}), {found.last.closed_at}{accepted}."
        )
    _show_survey(console, found.survey)
    for stage, records in found.lag.items():
        console.print(
            f"{stage}: {f'{records:,} records behind' if records else 'has got through all that is there'}"
        )


def _show_survey(console: "Console", survey: "Survey") -> None:
    totals = survey.totals
    kinds, waiting = survey.books.kinds, survey.books.waiting
    reports = kinds.total() - kinds["Opening"]
    unsettled = f", {waiting:,} of them not settled yet" if waiting else ""
    console.print(
        f"The open run has {reports:,} reports{unsettled}, {totals.messages:,} messages with {totals.rows:,} rows."
    )
    for reason, number in survey.rejected.items():
        console.print(f"  {number:,} dead letters ({reason})")
    console.print(_control_line(survey))
    _show_months(console, survey)
    _show_money(console, totals)


def _table(console: "Console", title: str, *columns: str) -> Any:
    from rich.box import SIMPLE
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=SIMPLE if console.is_terminal else None)
    for number, name in enumerate(columns):
        table.add_column(name, justify="right" if number else "left")
    return table


def _show_months(console: "Console", survey: "Survey") -> None:
    from projections.runs.completeness import kroner

    table = _table(
        console,
        "By month",
        "month",
        "reports",
        "reported",
        "rows",
        "settled",
        "refusion or medfin.",
    )
    for month, (reports, ore), (rows, amount, result) in _months(survey):
        table.add_row(
            month, f"{reports:,}", kroner(ore), f"{rows:,}", kroner(amount), kroner(result)
        )
    console.print(table)


def _show_money(console: "Console", totals: "RunTotals") -> None:
    from projections.runs.completeness import kroner

    table = _table(console, "By mechanism and rate", "mechanism", "rows", "amount", "of it")
    for (mechanism, rate), (rows, amount, result) in sorted(totals.money.items()):
        table.add_row(f"{mechanism} {rate} %", f"{rows:,}", kroner(amount), kroner(result))
    console.print(table)
    largest = sorted(totals.municipalities.items(), key=lambda each: -abs(each[1][2]))[:TOP]
    table = _table(
        console,
        f"The {len(largest)} municipalities with the most",
        "municipality",
        "rows",
        "amount",
        "of it",
    )
    for code, (rows, amount, result) in largest:
        table.add_row(code, f"{rows:,}", kroner(amount), kroner(result))
    console.print(table)
