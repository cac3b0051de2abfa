"""The rows of the forecast's views: what is expected, and how wrong earlier forecasts were.

`forecast` has the rows of every run: those of its data month as it was (`months_ahead` 0), and of
twelve months to come. So what came is held against what was expected without any other table.
"""

from typing import Any, Final

from projections.lis.answers import AnswerRow, Figure, money, number, percent, text
from projections.lis.forecast_statements import MILLION
from projections.lis.money_views import (
    AMOUNT,
    BENEFIT,
    MEDFINANSIERING,
    MONTH,
    MUNICIPALITY,
    REFUSION,
)
from projections.lis.questions import ViewError
from projections.lis.scopes import ViewScope

STEP: Final = number("step", "trin")
_GRAINS: Final = {"benefit": BENEFIT, "step": STEP}
_MEASURES: Final = (
    *(number("persons", "personer"), number("persons_low", "mindst")),
    *(number("persons_high", "højst"), number("restarts", "begynder forfra")),
    *(AMOUNT, REFUSION, MEDFINANSIERING, money("net", "kommunens netto")),
    *(money("net_low", "netto mindst", adds=False), money("net_high", "netto højst", adds=False)),
)
PROGNOSE: Final = (MUNICIPALITY, MONTH, *_MEASURES)
BACK: Final = 24
"""The runs whose forecasts are held against what came."""
YES: Final = "ja"
NO: Final = "nej"


def prognose_figures(scope: ViewScope) -> tuple[Figure, ...]:
    """Give the columns: by month, and by benefit and step where that is asked."""
    return (MUNICIPALITY, MONTH, *(_GRAINS[name] for name in _by(scope)), *_MEASURES)


def _by(scope: ViewScope) -> tuple[str, ...]:
    asked = scope.question.by
    if unknown := [name for name in asked if name not in _GRAINS]:
        raise ViewError(f"--by {unknown[0]}: prognose can be shown by {', '.join(_GRAINS)}")
    return tuple(name for name in _GRAINS if name in asked)


def prognose_rows(scope: ViewScope) -> list[AnswerRow]:
    """Show the twelve months after the data month; a row without municipality is the country.

    The country is beside a municipality that is asked for, as it is beside all of them.
    """
    by, question = _by(scope), scope.question
    values: list[Any] = [scope.closed_run]
    conditions = ["run = $1", "months_ahead > 0"]
    if question.municipality is not None:
        values.append(question.municipality)
        conditions.append(f"(municipality = ${len(values)} OR municipality IS NULL)")
    if question.month is not None:
        values.append(question.month)
        conditions.append(f"month = ${len(values)}")
    if question.benefit is not None:
        values.append(question.benefit)
        conditions.append(f"benefit = ${len(values)}")
    else:
        conditions.append(f"benefit IS {'NOT ' if 'benefit' in by else ''}NULL")
    conditions.append(f"step IS {'NOT ' if 'step' in by else ''}NULL")
    return scope.read(
        f"SELECT {', '.join(('municipality', 'month', *by))}, {_PERSONS}, base_ore, refusion_ore,"
        " medfinansiering_ore, net_ore, net_low_ore, net_high_ore FROM forecast"
        f" WHERE {' AND '.join(conditions)}"
        f" ORDER BY municipality NULLS LAST, month, {', '.join((*by, 'persons'))}",
        values,
    )


_PERSONS: Final = ", ".join(
    f"({name} + {MILLION // 2}) // {MILLION}"
    for name in ("persons", "persons_low", "persons_high", "restarts")
)


PROGNOSEFEJL: Final = (
    *(MUNICIPALITY, number("months_ahead", "måneder frem"), number("forecasts", "prognoser")),
    percent("persons_error_percent", "fejl i personer, %"),
    percent("persons_same_month_percent", "som samme måned i fjor"),
    percent("persons_last_month_percent", "som sidste måned"),
    percent("persons_inside_percent", "inden for intervallet, %"),
    percent("net_error_percent", "fejl i netto, %"),
    percent("net_same_month_percent", "netto som i fjor"),
    percent("net_last_month_percent", "netto som sidste måned"),
    percent("net_inside_percent", "netto inden for, %"),
    text("better", "bedre end begge"),
)


def prognosefejl_rows(scope: ViewScope) -> list[AnswerRow]:
    """Hold the forecasts of the last two years against what came, and against two naive ones."""
    run = scope.closed_run
    place = scope.question.municipality
    values: list[Any] = [run, run - BACK]
    here = ""
    if place is not None:
        values.append(place)
        here = " AND (municipality = $3 OR municipality IS NULL)"
    rows = scope.read(_ERRORS.format(here=here), values)
    return [(*row, _is_better(row)) for row in rows]


def _is_better(row: AnswerRow) -> str | None:
    """Tell whether both errors are below those of both naive forecasts."""
    persons, net = row[3:6], row[7:10]
    if any(value is None for value in (*persons, *net)):
        return None
    return YES if all(ours < min(naive) for ours, *naive in (persons, net)) else NO


def _error(of: str, said: str) -> str:
    """Write a mean error: over the cases that all three have, where there are such cases."""
    error = f"abs({said}.{of} - was.{of}) / CAST(was.{of} AS DOUBLE)"
    compared = f"avg(CASE WHEN was.{of} <> 0 AND year.{of} IS NOT NULL THEN {error} END)"
    alone = f"avg(CASE WHEN was.{of} <> 0 THEN {error} END)"
    chosen = f"CASE WHEN count(year.{of}) > 0 THEN {compared} ELSE {alone} END"
    return f"CAST(round(10000 * {chosen}) AS BIGINT)"


def _inside(of: str, low: str, high: str) -> str:
    return (
        f"CAST(round(10000 * avg(CASE WHEN said.{low} IS NOT NULL THEN"
        f" CASE WHEN was.{of} BETWEEN said.{low} AND said.{high} THEN 1 ELSE 0 END END)) AS BIGINT)"
    )


_ERRORS: Final = (
    "WITH whole AS (SELECT * FROM forecast WHERE benefit IS NULL AND step IS NULL"
    " AND run <= $1 AND run >= $2 - 24{here}), was AS (SELECT * FROM whole WHERE months_ahead = 0)"
    " SELECT said.municipality, said.months_ahead, count(*),"
    f" {_error('persons', 'said')}, {_error('persons', 'year')}, {_error('persons', 'month')},"
    f" {_inside('persons', 'persons_low', 'persons_high')},"
    f" {_error('net_ore', 'said')}, {_error('net_ore', 'year')}, {_error('net_ore', 'month')},"
    f" {_inside('net_ore', 'net_low_ore', 'net_high_ore')}"
    " FROM whole AS said"
    " JOIN was ON was.month = said.month"
    " AND was.municipality IS NOT DISTINCT FROM said.municipality"
    " LEFT JOIN was AS month ON month.run = said.run"
    " AND month.municipality IS NOT DISTINCT FROM said.municipality"
    " LEFT JOIN was AS year ON year.run = said.run + said.months_ahead - 12"
    " AND year.municipality IS NOT DISTINCT FROM said.municipality"
    " WHERE said.months_ahead > 0 AND said.run > $2"
    " GROUP BY said.municipality, said.months_ahead"
    " ORDER BY said.municipality NULLS LAST, said.months_ahead"
)
