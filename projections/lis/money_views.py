"""The rows of the views of money: by rate and benefit, by account, by run; corrections."""

from collections import defaultdict
from typing import Any, Final

from domain.basics.weeks import month_number, month_text
from projections.lis.answers import AnswerRow, Figure, money, number, percent, ratio, text
from projections.lis.questions import ViewError
from projections.lis.scopes import ViewScope
from projections.lis.tables import MARTS

FLEKSBIDRAG: Final = "FB"
BEFORDRING: Final = "BEF"
MUNICIPALITY: Final = text("municipality", "kommune")
MONTH: Final = text("month", "måned")
BENEFIT: Final = text("benefit", "ydelse")
RUN: Final = number("run", "kørsel")
RATE: Final = number("rate", "procent")
AMOUNT: Final = money("amount", "udgiftsgrundlag")
REFUSION: Final = money("refusion", "refusion")
MEDFINANSIERING: Final = money("medfinansiering", "medfinansiering")
NET: Final = money("finansieringsbeloeb", "finansieringsbeløb")
"""Columns that several views have."""


def summed(*names: str) -> str:
    """Write sums of columns as SQL; DuckDB's sum of a BIGINT is wider than Parquet has."""
    return ", ".join(f"sum({name})::BIGINT" for name in names)


MONEY_SUMS: Final = summed("amount_ore", "refusion_ore", "medfinansiering_ore")
OWN_SHARE: Final = (
    "sum(CASE mechanism WHEN 'refusion' THEN amount_ore - refusion_ore ELSE medfinansiering_ore"
    " END)::BIGINT"
)

BELOEB: Final = (
    *(MUNICIPALITY, MONTH, BENEFIT, text("mechanism", "ordning"), RATE),
    *(AMOUNT, REFUSION, MEDFINANSIERING),
    money("own_share", "egen andel"),
    percent("share_percent", "andel"),
)


def beloeb_rows(scope: ViewScope) -> list[AnswerRow]:
    """Sum the money by benefit and rate, with the totals of each."""
    details = scope.rows(
        "money",
        f"municipality, month, benefit, mechanism, rate, {MONEY_SUMS}, {OWN_SHARE}",
        "GROUP BY ALL",
    )
    sums: dict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for place, month, benefit, mechanism, rate, *ore in details:
        if not any(ore):
            continue
        for key in (
            (place, month, benefit, mechanism, rate),
            (place, month, benefit, mechanism, None),
            (place, month, None, mechanism, rate),
            (place, month, None, None, None),
        ):
            _add(sums[key], ore)
    return [
        (*key, *sums[key], ratio(sums[key][0], sums[*key[:2], None, None, None][0]))
        for key in sorted(sums, key=_totals_last)
    ]


def _add(sums: list[int], more: list[int]) -> None:
    for at, ore in enumerate(more):
        sums[at] += ore


def _totals_last(key: tuple[Any, ...]) -> tuple[Any, ...]:
    """Order rows by their keys: what is null comes last, high rates come first."""
    return tuple(
        (value is None, -value if isinstance(value, int) else value or "") for value in key
    )


UDGIFTER: Final = (
    *(MUNICIPALITY, MONTH, BENEFIT, text("account", "konto")),
    money("reported", "indberettet"),
    money("atp", "ATP"),
    AMOUNT,
    number("rows", "rækker", adds=True),
)


def udgifter_rows(scope: ViewScope) -> list[AnswerRow]:
    """Sum the base by account, with the total of each month."""
    details = scope.rows(
        "money",
        f"municipality, month, benefit, account, {summed('atp_ore', 'amount_ore', 'rows')}",
        "GROUP BY ALL",
    )
    sums: dict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0, 0, 0])
    for place, month, benefit, account, *figures in details:
        if any(figures[:2]):
            _add(sums[place, month, benefit, account], figures)
            _add(sums[place, month, None, None], figures)
    return [
        (*key, sums[key][0] + sums[key][1], *sums[key]) for key in sorted(sums, key=_totals_last)
    ]


AFREGNING: Final = (
    *(MUNICIPALITY, RUN, text("data_month", "datamåned"), REFUSION),
    money("fleksbidrag", "heraf fleksbidrag"),
    *(MEDFINANSIERING, NET),
    money("corrections", "heraf berigtigelser"),
    money("change", "ændring", adds=False),
    money("year_to_date", "år til dato", adds=False),
    money("befordring", "heraf befordring"),
)
BY_BUDGET: Final = (money("budget", "budget"), money("deviation", "afvigelse fra budget"))
"""Columns that need the table of budgets."""


def afregning_figures(scope: ViewScope) -> tuple[Figure, ...]:
    """Give the columns; those of budgets only where there is a table of them."""
    return AFREGNING + (BY_BUDGET if scope.budgets else ())


def afregning_rows(scope: ViewScope) -> list[AnswerRow]:
    """Sum what each run settled with a municipality; opening rows were settled before."""
    details = scope.rows(
        "money",
        f"municipality, run, month, {summed('refusion_ore')},"
        " sum(CASE benefit WHEN 'FB' THEN refusion_ore ELSE 0 END)::BIGINT,"
        f" {summed('medfinansiering_ore')},"
        f" sum(CASE benefit WHEN '{BEFORDRING}' THEN medfinansiering_ore ELSE 0 END)::BIGINT",
        "AND kind <> 'opening' GROUP BY municipality, run, month",
    )
    sums: dict[tuple[str, int | None], list[int]] = defaultdict(lambda: [0, 0, 0, 0, 0])
    for place, run, month, *ore in details:
        data_month = month_of_run(scope, run)
        earlier = ore[0] - ore[2] if data_month and month < data_month else 0
        _add(sums[place, run], [*ore, earlier])
    rows, before = list[AnswerRow](), dict[str, int]()
    years: dict[tuple[str, str], int] = defaultdict(int)
    for place, run in sorted(sums, key=lambda key: (key[0], key[1] is None, key[1] or 0)):
        refusion, fleksbidrag, medfinansiering, befordring, corrections = sums[place, run]
        net, data_month = refusion - medfinansiering, month_of_run(scope, run)
        years[place, (data_month or "")[:4]] += net
        change = net - before[place] if place in before else None
        so_far = years[place, (data_month or "")[:4]]
        settled_alone = scope.question.based_on == "settled"
        rows.append(
            (place, run, data_month, refusion, fleksbidrag, medfinansiering, net, corrections)
            + ((None, None) if settled_alone else (change, so_far))
            + (befordring,)
            + _beside_budget(scope, place, data_month, net)
        )
        before[place] = net
    return rows


def _beside_budget(
    scope: ViewScope, place: str, data_month: str | None, net: int
) -> tuple[int | None, ...]:
    """Give the budget of a run and how far it is from it; nothing where there are no budgets.

    A budget is for all that a run settles, so none stands beside a part of it.
    """
    if not scope.budgets:
        return ()
    is_whole = scope.question.month is None and scope.question.benefit is None
    budget = scope.budgets.get((place, data_month or "")) if is_whole else None
    return (None, None) if budget is None else (budget, net - budget)


def month_of_run(scope: ViewScope, run: int | None) -> str | None:
    """Give the data month of a run, of the open one the month after the last run's."""
    if run is not None:
        return scope.data_months[run]
    last = max(scope.data_months, default=None)
    return month_text(month_number(scope.data_months[last]) + 1) if last is not None else None


KORREKTIONER: Final = (
    *(MUNICIPALITY, RUN, MONTH, number("age_months", "alder i måneder")),
    *(text("reason", "årsag"), BENEFIT),
    number("citizens", "borgere"),
    number("weeks", "berørte uger", adds=True),
    money("up", "op"),
    money("down", "ned"),
    money("net", "netto"),
)


CORRECTIONS_OF_REPORTERS: Final = (
    *KORREKTIONER[:6],
    *(text("kind", "art"), text("reporter", "indberetter")),
    *KORREKTIONER[6:],
)


def korrektioner_of_reporters(scope: ViewScope) -> list[AnswerRow]:
    """List what each run corrected by the reporter whose report it was, and by kind of row."""
    return [
        (*row, row[-2] + row[-1])
        for row in scope.rows(
            "corrections",
            "municipality, run, month, age_months, reason, benefit, kind, reporter, citizens,"
            " weeks, up_ore, down_ore",
            "AND reporter IS NOT NULL"
            " ORDER BY municipality, run NULLS LAST, month, reason, benefit, kind, reporter",
        )
    ]


def korrektioner_rows(scope: ViewScope) -> list[AnswerRow]:
    """List what each run corrected."""
    return [
        (*row, row[-2] + row[-1])
        for row in scope.rows(
            "corrections",
            "municipality, run, month, age_months, reason, benefit, citizens, weeks,"
            " up_ore, down_ore",
            "AND reporter IS NULL AND kind IS NULL"
            " ORDER BY municipality, run NULLS LAST, month, reason, benefit",
        )
    ]


MELLEMKOMMUNALT: Final = (
    *(MONTH, text("paying", "udbetalende"), text("financing", "finansierende"), BENEFIT),
    *(AMOUNT, REFUSION, MEDFINANSIERING),
)


def mellemkommunalt_rows(scope: ViewScope) -> list[AnswerRow]:
    """Sum the rows that one municipality pays and another finances."""
    where = scope.where(MARTS["money"], "municipality")
    mine = scope.question.municipality
    values = [*where.values, *([mine] if mine else [])]
    of_mine = f"AND ${len(values)} IN (paying, financing)" if mine else ""
    return scope.read(
        f"SELECT month, paying, financing, benefit, {MONEY_SUMS} FROM money"
        f" WHERE {where.sql} AND paying <> financing {of_mine} GROUP BY ALL"
        " HAVING sum(amount_ore) <> 0 OR sum(refusion_ore) <> 0 OR sum(medfinansiering_ore) <> 0"
        " ORDER BY ALL",
        values,
    )


LANDET: Final = (
    *(MUNICIPALITY, MONTH, AMOUNT, REFUSION, MEDFINANSIERING, NET),
    money("corrections", "heraf berigtigelser"),
)


def landet_rows(scope: ViewScope) -> list[AnswerRow]:
    """Sum the money of every municipality and month."""
    return [
        (*row[:5], row[3] - row[4], row[5])
        for row in scope.rows(
            "money",
            f"municipality, month, {MONEY_SUMS}, sum(CASE kind WHEN 'correction'"
            " THEN refusion_ore - medfinansiering_ore ELSE 0 END)::BIGINT",
            "GROUP BY municipality, month ORDER BY municipality, month",
        )
        if any(row[2:])
    ]


def need(value: str | None, option: str, view: str) -> str:
    """Give the value of an option that a view needs. Raises ViewError without it."""
    if value is None:
        raise ViewError(f"{view} needs {option}")
    return value
