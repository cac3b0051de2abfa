"""The rows of `forventet`: what payment systems paid, beside what was received.

They come from no mart, but from the table that `refusion run close` has kept.
"""

from typing import Final

from projections.lis.answers import AnswerRow, Figure, money, number, text
from projections.lis.columns import CITIZEN, RUN, Column
from projections.lis.money_views import BENEFIT, MONTH
from projections.lis.money_views import RUN as RUN_FIGURE
from projections.lis.scopes import ViewScope

KEPT_COLUMNS: Final = (
    RUN,
    Column("reporter", "string", "CVR or SE number"),
    Column("benefit", "string", "code of the benefit"),
    Column("month", "string", "YYYY-MM"),
    CITIZEN._replace(meaning="pseudonym; null: the sum over all citizens"),
    Column("citizens", "long", "citizens of whom something was expected"),
    Column("expected_ore", "long", "øre: what payment systems say they have paid"),
    Column("received_ore", "long", "øre: what was received of it and stands"),
    Column("differing", "long", "citizens whose amount differs"),
    Column("lacking", "long", "citizens of whom nothing was received"),
)
_AT: Final = {column.name: at for at, column in enumerate(KEPT_COLUMNS)}
_KEYS: Final = (RUN_FIGURE, text("reporter", "indberetter"), BENEFIT, MONTH)
_MONEY: Final = (
    money("expected", "udbetalt ifølge Ydelsesindekset"),
    money("received", "modtaget"),
    money("deviation", "afvigelse"),
)
FORVENTET: Final[tuple[Figure, ...]] = (
    *_KEYS,
    number("citizens", "borgere"),
    *_MONEY,
    number("differing", "borgere med afvigelse"),
    number("lacking", "borgere uden indberetning"),
)
BEHIND_FORVENTET: Final[tuple[Figure, ...]] = (*_KEYS, text("citizen", "borger"), *_MONEY)


def forventet_rows(scope: ViewScope) -> list[AnswerRow]:
    """List what was expected of each reporter, benefit and month, and what was received."""
    return [
        (run, reporter, benefit, month, citizens, due, received, received - due, *counts)
        for run, reporter, benefit, month, citizen, citizens, due, received, *counts in _rows(scope)
        if citizen is None
    ]


def behind_forventet(scope: ViewScope) -> list[AnswerRow]:
    """List the citizens of whom another amount was received than was expected."""
    return [
        (run, reporter, benefit, month, citizen, due, received, received - due)
        for run, reporter, benefit, month, citizen, _, due, received, *_ in _rows(scope)
        if citizen is not None
    ]


def _rows(scope: ViewScope) -> list[AnswerRow]:
    """Give the rows of the question's runs, month and benefit, in order."""
    asked = scope.question
    last = None if asked.based_on == "known" else asked.run
    is_one = asked.based_on == "settled"
    found = [
        row
        for row in scope.kept_expected()
        if (last is None or (row[_AT["run"]] == last if is_one else row[_AT["run"]] <= last))
        and asked.month in (None, row[_AT["month"]])
        and asked.benefit in (None, row[_AT["benefit"]])
    ]
    return sorted(found, key=lambda row: tuple((part is not None, part) for part in row[:5]))
