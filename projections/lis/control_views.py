"""The rows of the views that control: completeness, what came against what is settled, sums."""

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


OF_REPORTERS: Final = (
    *(RUN, text("reporter", "indberetter"), BENEFIT, MONTH),
    number("lines", "linjer", adds=True),
    *(money("received", "modtaget"), money("reversed", "tilbageført")),
    *(money("rejected", "afvist"), money("outside", "uden for loven")),
    *(money("opened", "afregnet før"), money("standing", "skal være afregnet")),
    *(money("posted", "bogført"), money("ledger_amount", "i ledger")),
    number("rows", "rækker", adds=True),
    money("later", "kommet til siden"),
    money("difference", "forskel"),
)


def reporters_rows(scope: ViewScope) -> list[AnswerRow]:
    """Say of what each reporter sent where it went: each øre is settled, or told why it is not."""
    standing = "(received_ore + reversed_ore - rejected_ore - outside_ore - opened_ore)"
    return scope.rows(
        "controls",
        "run, reporter, benefit, month, lines, received_ore, reversed_ore, rejected_ore,"
        f" outside_ore, opened_ore, {standing}, posted_ore, ledger_ore, rows, later_ore,"
        f" abs({standing} - posted_ore) + abs(posted_ore - ledger_ore)",
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
