"""Reports and their fates as plain values."""

from collections.abc import Iterator, Sequence

from domain.basics.weeks import day_text, monday, sunday
from domain.citizen.reports import CaseFact, Income, Payment, Report, Reversal, cause
from domain.explain.fates import ReportFate
from domain.explain.reasons import ReportReason, ReportType


def concerning(told: Sequence[ReportFate], week: int) -> Iterator[ReportFate]:
    """Pick the reports with a day in the week and every case fact.

    Their reversals and repetitions are included.
    """
    first, last = monday(week), sunday(week)
    concerned = set()
    for entry in told:
        report = entry.report
        if isinstance(report, CaseFact) or (
            isinstance(report, Payment | Income) and report.start <= last and report.end >= first
        ):
            concerned.add(cause(report))
    reversals = {entry.by for entry in told if cause(entry.report) in concerned and entry.by}
    for entry in told:
        name = cause(entry.report)
        if name in concerned or entry.by in concerned or name in reversals:
            yield entry


def report_reason(told: ReportFate) -> ReportReason:
    """Return a report and its fate as plain values."""
    report, fate, by = told
    what, since, until, amount_ore, outside_act, channel = _content_of(report)
    reported = day_text(report.reported)
    return ReportReason(
        cause(report),
        _type_of(report),
        what,
        since,
        until,
        amount_ore,
        outside_act,
        channel,
        reported,
        fate,
        by,
    )


def _type_of(report: Report) -> ReportType:
    match report:
        case Payment():
            return "benefit_payment"
        case Income():
            return "income"
        case CaseFact():
            return "case_fact"
        case Reversal():
            return "reversal"


def _content_of(report: Report) -> tuple[str, str | None, str | None, int | None, bool, str | None]:
    match report:
        case Payment(
            benefit=code, start=start, end=end, amount_ore=ore, outside_act=outside, channel=channel
        ):
            return code, day_text(start), day_text(end), ore, outside, channel
        case Income(kind=kind, start=start, end=end, amount_ore=ore):
            return kind, day_text(start), day_text(end), ore, False, None
        case CaseFact(fact=fact, date=day):
            return fact, day_text(day), None, None, False, None
        case Reversal(reverses=reverses, reverses_group=group):
            return reverses or group, None, None, None, False, None
