"""The rows of the views that control: completeness of a run, and the marts against the ledger."""

from collections import defaultdict
from typing import Final

from projections.lis.answers import AnswerRow, money, number, text
from projections.lis.money_views import BENEFIT, MONTH, MUNICIPALITY, RUN, summed
from projections.lis.scopes import ViewScope

FULDSTAENDIGHED: Final = (
    *(RUN, text("reporter", "indberetter"), BENEFIT, MONTH),
    number("payments", "modtaget, antal"),
    money("received", "modtaget"),
    money("expected", "forventet"),
    money("deviation", "afvigelse"),
    text("hold", "holdt"),
    text("accepted", "lukket alligevel, fordi"),
)


def fuldstaendighed_rows(scope: ViewScope) -> list[AnswerRow]:
    """List what each reporter sent for a run beside what was expected."""
    return scope.rows(
        "completeness",
        "run, reporter, benefit, month, received, received_ore, expected_ore, deviation_ore,"
        " hold, accepted",
        "ORDER BY run, reporter, benefit, month",
    )


KONTROL: Final = (
    *(MUNICIPALITY, MONTH),
    *(money("amount", "udgiftsgrundlag"), money("result", "refusion og medfinansiering")),
    *(money("ledger_amount", "i ledger"), money("ledger_result", "i ledger")),
    money("difference", "forskel"),
)


def kontrol_rows(scope: ViewScope) -> list[AnswerRow]:
    """Hold the sums of the marts against those of the ledger, month by month."""
    sums: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    marts = scope.rows(
        "money",
        f"municipality, month, {summed('amount_ore', 'refusion_ore + medfinansiering_ore')}",
        "GROUP BY ALL",
    )
    for at, rows in ((0, marts), (2, scope.ledger_sums())):
        for place, month, amount, result in rows:
            sums[place, month][at] += amount
            sums[place, month][at + 1] += result
    return [
        (*key, *found, abs(found[0] - found[2]) + abs(found[1] - found[3]))
        for key, found in sorted(sums.items())
        if any(found)
    ]
