"""Checks what a closing asks for, before anything is read: its month, and its reasons."""

from collections.abc import Sequence

from domain.basics.weeks import month_number, month_text
from domain.citizen.reports import RunMarker
from streams.acts.acts import ReasonError, checked_reason
from streams.kit.errors import UserError
from streams.wire.control_records import FIRST_RUN_MONTH, run_of


class RunError(UserError):
    """The run cannot be closed; the message says why and what to do."""


def month_asked_for(text: str) -> int:
    """A month that may have a run. Raises RunError."""
    try:
        month = month_number(text)
    except ValueError:
        raise RunError("--month must be a month YYYY-MM, such as 2024-01") from None
    if month < FIRST_RUN_MONTH:
        raise RunError(
            f"{text} has no run of its own, the first is {month_text(FIRST_RUN_MONTH)}; what"
            " comes for earlier months is in the run that is open when it comes"
        )
    return month


def check_month(month: int, last: RunMarker | None) -> None:
    """Raise RunError where this month is not the next; the first run may be of any month."""
    if last is None or month == last.data_month + 1:
        return
    text, closed, following = map(month_text, (month, last.data_month, last.data_month + 1))
    if month <= last.data_month:
        raise RunError(
            f"run {run_of(month)} ({text}) is closed: the last one closed is {closed}, at"
            f" {last.closed_at}; reports that come for it now give corrections in run"
            f" {last.run + 1} (--month {following})"
        )
    raise RunError(
        f"{text} would skip a month: the last run closed is {closed}; close --month {following}"
        " first"
    )


def check_reasons(reasons: Sequence[str]) -> None:
    """Raise RunError for a reason that must not be in the journal for ever."""
    try:
        for reason in reasons:
            checked_reason("--accept", reason)
    except ReasonError as error:
        raise RunError(str(error)) from None
