"""Makes the two files that say what is true as of a run, from sums over it and all runs before.

The other files hold what one run changed; municipalities add them up to find what is true now, and
list their citizens from them. These two are that list, ready (contract section 4).

* `ugeoversigt` has a line for each week, benefit and financing municipality. `Antal` counts
  citizens whose rows of the line come to more than nothing: a person is counted, not a row of a
  file. The fleksbidrag makes nobody a person, so its lines have money alone. Lines without any
  money and without a person are left out.
* `anciennitet` has a line for each citizen who has a row of the municipality in the data month, or
  whose latest row it has and who earns weeks for a new start. A number that the citizen does not
  have is empty: weeks to the next step on the last one, weeks to a new start where none is earned.
  So is a CPR number that cannot be unsealed: who has a row in the run is in the list of what is
  left out, and nobody else's files are kept back for it.

Two mistakes are easy in lists of one's own. Lines of a file that look equal are different rows, so
none may be dropped before they are added up; and a list of citizens is no list of sums. Here rows
are added up in the ledger, where each has an id, and each citizen's line is made of that citizen's
own counters.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from projections.runs.files import FileValues, Names


class WeekOverview(NamedTuple):
    """A municipality's persons and money of a week, a benefit and a financing municipality."""

    week: str
    benefit: str
    financing: str
    persons: int
    amount_ore: int
    refusion_ore: int
    medfinansiering_ore: int


class CitizenOverview(NamedTuple):
    """A citizen's counters at the end of `at_week`, and a seal of the CPR number.

    All numbers are None for a citizen whose last message an earlier version wrote to the ledger.
    """

    citizen: str
    cpr_sealed: str
    at_week: str | None
    seniority: int | None
    step: int | None
    weeks_to_next: int | None
    earned: int | None
    missing: int | None
    leaving_week: str | None


def week_lines(weeks: Iterable[WeekOverview], names: Names) -> list[FileValues]:
    """Make the lines of `ugeoversigt`."""
    return sorted(
        (
            each.week,
            names.benefits[each.benefit],
            names.municipalities[each.financing],
            *each[3:],
        )
        for each in weeks
    )


def citizen_lines(
    citizens: Iterable[CitizenOverview], cpr_of: Callable[[str], str]
) -> list[FileValues]:
    """Make the lines of `anciennitet`; the number is empty where it cannot be unsealed."""
    named = sorted((cpr_of(each.citizen), each.citizen, each) for each in citizens)
    return [(cpr, *each[3:], each.at_week) for cpr, _, each in named]
