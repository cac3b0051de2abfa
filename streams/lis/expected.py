"""`refusion run close` keeps for LIS what was expected, beside what was received."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from domain.basics.weeks import month_text
from projections.lis.expected_views import KEPT_COLUMNS
from projections.runs.expected_payments import ExpectedPayments
from streams.lis.kept_tables import KeptTable

KEPT_EXPECTED: Final = KeptTable("-expected", KEPT_COLUMNS)


class KeptExpected(NamedTuple):
    """A row of the table: `projections.lis.expected_views.KEPT_COLUMNS` says what each means."""

    run: int
    reporter: str
    benefit: str
    month: str
    citizen: str | None
    citizens: int
    expected_ore: int
    received_ore: int
    differing: int
    lacking: int


def kept_expected(run: int, expected: ExpectedPayments) -> Iterator[KeptExpected]:
    """Make the rows of a run: sums, and the citizens whose amounts differ."""
    for line in expected.lines():
        reporter, benefit, month, citizens, *numbers = line
        yield KeptExpected(run, reporter, benefit, month_text(month), None, citizens, *numbers)
    for citizen, reporter, benefit, month, due, received in expected.of_citizens():
        yield KeptExpected(
            *(run, reporter, benefit, month_text(month), citizen),
            citizens=int(due != 0),
            expected_ore=due,
            received_ore=received,
            differing=1,
            lacking=int(due != 0 and not received),
        )
