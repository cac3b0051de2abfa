"""The lines of money that together make a figure, by run and reason: what a page shows behind it.

It is how a figure of money is looked into: what was booked first, what came late, what was taken
back. Its sums are the figure's own, to the øre.
"""

from collections.abc import Collection
from typing import Any, Final, NamedTuple

from projections.lis.answers import AnswerRow, Figure, number, text
from projections.lis.money_views import (
    AMOUNT,
    BENEFIT,
    MEDFINANSIERING,
    MONTH,
    MUNICIPALITY,
    RATE,
    REFUSION,
    RUN,
    summed,
)
from projections.lis.scopes import ViewScope
from projections.lis.tables import MARTS

LINES: Final = "linjer"
"""The name of the page that shows them, beside the names of the views."""
NO_ACCOUNT: Final = "ingen"
KEYS: Final = (MUNICIPALITY, MONTH, BENEFIT, text("mechanism", "ordning"), RATE)
LINE_FIGURES: Final[tuple[Figure, ...]] = (
    *(RUN, text("kind", "slags"), text("reason", "årsag")),
    *(*KEYS, text("account", "konto")),
    *(number("rows", "rækker", adds=True), AMOUNT, REFUSION, MEDFINANSIERING),
)
_SUMMED: Final = ("rows", "amount_ore", "refusion_ore", "medfinansiering_ore")
_ORDER: Final = (
    *("month DESC", "run NULLS LAST", "municipality", "benefit", "mechanism", "rate DESC"),
    *("kind DESC", "reason", "account"),
)


class MoneyKeys(NamedTuple):
    """Further keys of a figure of money, beside those of a question."""

    mechanism: str | None = None
    rate: int | None = None
    account: str | None = None
    reason: str | None = None
    paying: str | None = None
    financing: str | None = None

    @property
    def is_between(self) -> bool:
        """The figure is of what one municipality pays and another finances."""
        return None not in (self.paying, self.financing)


def figures_without(hidden: Collection[str]) -> tuple[Figure, ...]:
    """Return the columns of the lines without those that are hidden."""
    return tuple(figure for figure in LINE_FIGURES if figure.name not in hidden)


def line_rows(scope: ViewScope, keys: MoneyKeys, hidden: Collection[str] = ()) -> list[AnswerRow]:
    """List the lines behind a figure, in the order of months and runs.

    Lines that differ by a hidden column alone are one: two of them would still tell what it hides.
    """
    mine = scope.question.municipality
    where = scope.where(MARTS["money"], *(["municipality"] if keys.is_between else []))
    parts, values = [where.sql], [*where.values]
    if keys.is_between and mine is not None:  # rows of two municipalities are for both
        values.append(mine)
        parts.append(f"${len(values)} IN (paying, financing)")
    wanted: dict[str, Any] = {
        "mechanism": keys.mechanism,
        "rate": keys.rate,
        "reason": keys.reason,
        "account": None if keys.account == NO_ACCOUNT else keys.account,
        "paying": keys.paying,
        "financing": keys.financing,
        "run": scope.question.run if scope.question.based_on == "known" else None,
    }
    for name, value in wanted.items():
        if value is not None:
            values.append(value)
            parts.append(f"{name} = ${len(values)}")
    if keys.account == NO_ACCOUNT:
        parts.append("account IS NULL")
    shown = [figure.name for figure in figures_without(hidden)]
    order = [part for part in _ORDER if part.split()[0] in shown]
    return scope.read(
        f"SELECT {', '.join(name for name in shown if name not in _SUMMED)}, {summed(*_SUMMED)}"
        f" FROM money WHERE {' AND '.join(parts)} GROUP BY ALL ORDER BY {', '.join(order)}",
        values,
    )
