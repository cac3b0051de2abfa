"""The report of `refusion run` on a run: an object for programs, tables for people."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import click
from rich.console import Console

from domain.basics.kroner import kroner
from domain.basics.weeks import month_text
from projections.runs.totals import RunTotals
from streams.cli.console import table
from streams.operations.run_survey import Survey
from streams.operations.runs import Closed, Status
from streams.wire.journal import TYPE_OF

TOP: Final = 10
"""The number of municipalities listed, those with the most money, and of findings listed."""


# --- for programs ------------------------------------------------------------------------------


def closed_object(closed: Closed, dry_run: bool) -> dict[str, Any]:
    """Return the outcome of closing a run, for programs; money in øre."""
    return {
        "run": closed.run,
        "data_month": closed.data_month,
        "closed": closed.closed,
        "closed_at": closed.closed_at or None,
        "dry_run": dry_run,
        "left_in_raw": closed.left,
        "accepted": [*closed.accepted],
        "findings": [
            finding._asdict() | {"name": closed.survey.names.get(finding.reporter, "")}
            for finding in closed.findings
        ],
        "seconds": {name: round(seconds, 3) for name, seconds in closed.seconds.items()},
        **_survey_object(closed.survey),
    }


def status_object(status: Status) -> dict[str, Any]:
    """Return the state of the runs, for programs; money in øre."""
    last = status.last
    closed = (
        {"run": last.run, "data_month": month_text(last.data_month), "closed_at": last.closed_at}
        if last
        else None
    )
    following = (
        {"run": last.run + 1, "data_month": month_text(last.data_month + 1)} if last else None
    )
    return {
        "run": following and following["run"],  # the open one
        "last": closed and closed | {"accepted": [*last.accepted] if last else []},
        "next": following,
        "lag": status.lag,
        **_survey_object(status.survey),
    }


def _survey_object(survey: Survey) -> dict[str, Any]:
    totals, control = survey.totals, _control(survey)
    return {
        "records_read": survey.records,
        "reports": {name: survey.books.kinds[kind.__name__] for kind, name in TYPE_OF.items()},
        "openings": survey.books.kinds["Opening"],
        "not_settled_yet": survey.books.waiting,
        "rejected": survey.rejected,
        "control_sums": control,
        "repeats": _by_reporter(survey, survey.books.repeated),
        "awaiting_reversal": _by_reporter(survey, survey.books.awaiting),
        **_expected_object(survey),
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


def _expected_object(survey: Survey) -> dict[str, Any]:
    """List what was expected beside what was received; nothing where nothing was expected."""
    if not survey.expected:
        return {}
    lines, citizens = survey.expected.lines(), survey.expected.of_citizens()
    return {
        "expected": [
            line._asdict()
            | {"month": month_text(line.month), "name": survey.names.get(line.reporter, "")}
            for line in lines
        ],
        "expected_of_citizens": [
            each._asdict() | {"month": month_text(each.month)} for each in citizens
        ],
    }


def _by_reporter(
    survey: Survey, payments: Mapping[str, Sequence[int]]
) -> list[dict[str, str | int]]:
    """List numbers of payments and their øre by reporter."""
    return [
        {
            "reporter": reporter,
            "name": survey.names.get(reporter, ""),
            "payments": number,
            "amount_ore": ore,
        }
        for reporter, (number, ore) in sorted(payments.items())
    ]


def _numbers(numbers: Sequence[int]) -> dict[str, int]:
    return dict(zip(("rows", "amount_ore", "result_ore"), numbers, strict=True))


def _months(survey: Survey) -> list[tuple[str, Sequence[int], Sequence[int]]]:
    """Return the months of the open run, each with its reports and rows and their øre."""
    reported = {month_text(month): numbers for month, numbers in survey.books.months.items()}
    posted = survey.totals.months
    return [
        (month, reported.get(month, (0, 0)), posted.get(month, (0, 0, 0)))
        for month in sorted({*reported, *posted})
    ]


def _control(survey: Survey) -> dict[str, int]:
    """Add up the control sums of all reporters, in øre."""
    entries = survey.books.control.values()
    return {
        f"{name}_ore": sum(getattr(entry, name) for entry in entries)
        for name in ("reported", "settled", "outside", "rejected", "difference")
    }


# --- for people --------------------------------------------------------------------------------


def show_closed(console: Console, closed: Closed, dry_run: bool) -> None:
    """Show the outcome of closing a run, for people."""
    _show_survey(console, closed.survey)
    if closed.left:
        console.print(
            f"{closed.left:,} records of reports.raw are not taken in; they will be in a later run."
        )
    if closed.closed:
        console.print(f"Run {closed.run} ({closed.data_month}) is closed, {closed.closed_at}.")
    if dry_run:
        outcome = "held" if closed.findings else "closed"
        console.print(f"Run {closed.run} ({closed.data_month}) would be {outcome}.")
    if closed.closed or dry_run:
        for line in _finding_lines(closed):
            console.print(line)


def say_held(closed: Closed) -> None:
    """Say on stderr why the run was not closed, and what to do."""
    click.echo(
        f"refusion: run {closed.run} ({closed.data_month}) is held, nothing was closed:", err=True
    )
    for line in _finding_lines(closed):
        click.echo(line, err=True)
    click.echo('ask the reporters, or close it all the same with --accept "reason"', err=True)


def _finding_lines(closed: Closed) -> Iterable[str]:
    for finding in closed.findings[:TOP]:
        yield f"  {finding.sentence(closed.survey.names.get(finding.reporter, ''))}"
    if len(closed.findings) > TOP:
        yield f"  … and {len(closed.findings) - TOP:,} more; --json lists all"


def _control_line(survey: Survey) -> str:
    """Write that reported = settled + outside + rejected, over all reporters."""
    control = _control(survey)
    reported, settled, outside, rejected, difference = (_kr(ore) for ore in control.values())
    text = (
        f"Control sums: {reported} reported = {settled} settled + {outside} outside"
        f" + {rejected} rejected"
    )
    if control["difference_ore"]:  # a report from before the survey began, or a finding
        text += f" + {difference} that belongs to earlier reports or is unaccounted for"
    return text


def show_status(console: Console, status: Status) -> None:
    """Show the state of the runs, for people."""
    if status.last is None:
        console.print("No run was closed yet.")
    else:
        accepted = f"; accepted: {'; '.join(status.last.accepted)}" if status.last.accepted else ""
        month = month_text(status.last.data_month)
        console.print(
            f"The last run closed is {status.last.run} ({month}),"
            f" {status.last.closed_at}{accepted}."
        )
    _show_survey(console, status.survey)
    for stage, records in status.lag.items():
        lag = f"{records:,} records behind" if records else "has processed everything"
        console.print(f"{stage}: {lag}")


def _show_survey(console: Console, survey: Survey) -> None:
    totals = survey.totals
    kinds, waiting = survey.books.kinds, survey.books.waiting
    reports = kinds.total() - kinds["Opening"]
    unsettled = f", {waiting:,} of them not settled yet" if waiting else ""
    console.print(
        f"The open run has {reports:,} reports{unsettled},"
        f" {totals.messages:,} messages with {totals.rows:,} rows."
    )
    for reason, number in survey.rejected.items():
        console.print(f"  {number:,} dead letters ({reason})")
    console.print(_control_line(survey))
    for line in (*_double_lines(survey), *_expected_lines(survey)):
        console.print(line)
    _show_months(console, survey)
    _show_money(console, totals)


_REPEATED: Final = (
    "came before from the same reporter and channel under another report_id"
    " (notices possible_duplicate)"
)
_AWAITING: Final = (
    "may take the place of earlier ones of the reporter that are not reversed"
    " (notices awaiting_reversal)"
)


def _double_lines(survey: Survey) -> Iterator[str]:
    """Say whose payments may be there twice."""
    books = survey.books
    yield from _payment_lines(survey, "repeats", books.repeated, _REPEATED)
    yield from _payment_lines(survey, "awaiting reversal", books.awaiting, _AWAITING)


def _expected_lines(survey: Survey) -> Iterator[str]:
    """Say where another amount was received than was expected; the largest differences first."""
    lines = survey.expected.lines()
    wrong = [line for line in lines if line.differing]
    wrong.sort(key=lambda line: (-abs(line.received_ore - line.expected_ore), line))
    if lines:
        yield (
            f"Expected by the Ydelsesindeks: {len(lines):,} benefits and months of reporters,"
            f" {len(wrong):,} of them otherwise received."
        )
    for line in wrong[:TOP]:
        name = survey.names.get(line.reporter)
        who = f"{line.reporter} ({name})" if name else line.reporter
        yield (
            f"  expected: reporter {who}, {line.benefit}, {month_text(line.month)}:"
            f" {_kr(line.received_ore)} came, {_kr(line.expected_ore)} was expected;"
            f" {line.differing:,} citizens differ, {line.lacking:,} of them have nothing"
        )
    if len(wrong) > TOP:
        yield f"  … and {len(wrong) - TOP:,} more; --json lists all"


def _payment_lines(
    survey: Survey, what: str, payments: Mapping[str, Sequence[int]], words: str
) -> Iterator[str]:
    """Say how many payments of each reporter; the largest sums first."""
    largest = sorted(payments.items(), key=lambda item: (-item[1][1], item[0]))
    for reporter, (number, ore) in largest[:TOP]:
        name = survey.names.get(reporter)
        who = f"{reporter} ({name})" if name else reporter
        yield f"  {what}: reporter {who}: {number:,} payments over {_kr(ore)} {words}"
    if len(largest) > TOP:
        yield f"  … and {what} of {len(largest) - TOP:,} reporters more; --json lists all"


def _show_months(console: Console, survey: Survey) -> None:
    shown = table(
        "By month",
        "month",
        "reports",
        "reported",
        "rows",
        "settled",
        "refusion or medfin.",
    )
    for month, (reports, ore), (rows, amount, result) in _months(survey):
        shown.add_row(month, f"{reports:,}", _kr(ore), f"{rows:,}", _kr(amount), _kr(result))
    console.print(shown)


def _show_money(console: Console, totals: RunTotals) -> None:
    shown = table("By mechanism and rate", "mechanism", "rows", "amount", "of it")
    for (mechanism, rate), (rows, amount, result) in sorted(totals.money.items()):
        shown.add_row(f"{mechanism} {rate} %", f"{rows:,}", _kr(amount), _kr(result))
    console.print(shown)
    largest = sorted(totals.municipalities.items(), key=lambda sums: -abs(sums[1][2]))[:TOP]
    shown = table(
        f"The {len(largest)} municipalities with the most",
        "municipality",
        "rows",
        "amount",
        "of it",
    )
    for code, (rows, amount, result) in largest:
        shown.add_row(code, f"{rows:,}", _kr(amount), _kr(result))
    console.print(shown)


def _kr(ore: int) -> str:
    return f"{kroner(ore)} kr."
