"""The rows of `sammenligning`: municipalities beside each other, small numbers hidden."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final, NamedTuple

from projections.lis.answers import AnswerRow, Figure, percent, ratio, text
from projections.lis.course_views import MEAN_PERCENT, mean_percents, persons_of_steps
from projections.lis.inhabitants import Inhabitants
from projections.lis.money_views import MONTH, MUNICIPALITY
from projections.lis.person_views import PERSONS
from projections.lis.scopes import ViewScope
from projections.lis.small_numbers import hidden_counts, is_telling

SAMMENLIGNING: Final = (
    *(MUNICIPALITY, MONTH, PERSONS),
    percent("share_at_last_step", "på sidste trin %"),
    MEAN_PERCENT,
)
BY_INHABITANTS: Final = (
    text("region", "region"),
    percent("persons_per_1000", "pr. 1.000 16-66-årige"),
)
"""Columns that need the table of inhabitants."""
COUNTRY: Final = "hele landet"


class _Counted(NamedTuple):
    """The figures of a municipality or an area in a month, before anything is hidden."""

    persons: int
    at_last_step: int
    amount: int
    refusion: int


class _Shown(NamedTuple):
    """The figures of a municipality or an area that may be shown."""

    persons: int | None
    share_at_last_step: int | None
    mean_refusion_percent: int | None


_HIDDEN: Final = _Shown(None, None, None)
_Counts = Mapping[str, _Counted]


def figures_of(scope: ViewScope) -> tuple[Figure, ...]:
    """Give the columns; those by inhabitants only where there is a table of them."""
    return SAMMENLIGNING + (BY_INHABITANTS if scope.inhabitants else ())


def sammenligning_rows(scope: ViewScope) -> list[AnswerRow]:
    """Compare municipalities month by month; hide what is about few persons of another one.

    With a table of inhabitants there are rows for regions and the country too; theirs have no
    municipality.
    """
    counted = _counted(scope)
    everybody = counted if scope.question.benefit is None else _counted(scope, "benefit")
    rows = list[AnswerRow]()
    for month in sorted(counted):
        of_year = _of_year(scope, month)
        has_areas = scope.inhabitants and not scope.question.others
        areas = _areas(counted[month], of_year) if has_areas else {}
        shown, of_areas = _of_month(scope, counted[month], everybody[month], areas)
        for place in sorted(shown):
            known = of_year.get(place)
            rows.append((place, month, *shown[place], *_per_1000(scope, shown[place], known)))
        for area, figures in of_areas:
            size = sum(of_year[place].number for place in areas[area] if place in of_year)
            is_whole = all(place in of_year for place in areas[area])
            known = Inhabitants(size, area) if is_whole else Inhabitants(0, area)
            rows.append((None, month, *figures, *_per_1000(scope, figures, known)))
    return rows


def _of_year(scope: ViewScope, month: str) -> dict[str, Inhabitants]:
    return {place: known for (place, year), known in scope.inhabitants.items() if year == month[:4]}


def _areas(counted: _Counts, of_year: Mapping[str, Inhabitants]) -> dict[str, list[str]]:
    """Give the municipalities of each region, and last of the country; every one has a region."""
    areas: dict[str, list[str]] = defaultdict(list)
    for place in sorted(counted):
        areas[of_year[place].region if place in of_year else "uden region"].append(place)
    return {**dict(sorted(areas.items())), COUNTRY: sorted(counted)}


def _per_1000(
    scope: ViewScope, shown: _Shown, known: Inhabitants | None
) -> tuple[str | None, int | None] | tuple[()]:
    if not scope.inhabitants:
        return ()
    if known is None:
        return None, None
    persons = shown.persons
    rate = None if persons is None else ratio(persons * 10, known.number)
    return known.region, rate


def _of_month(
    scope: ViewScope, counted: _Counts, everybody: _Counts, areas: Mapping[str, list[str]]
) -> tuple[dict[str, _Shown], Iterator[tuple[str, _Shown]]]:
    """Choose what may be shown of each municipality and of each area."""
    own = {place for place in counted if place == scope.question.municipality}
    persons = {place: figures.persons for place, figures in counted.items()}
    hidden, safe = hidden_counts(persons, own, [*areas.values()])
    shown = {}
    for place, figures in counted.items():
        is_told = is_telling(persons[place], everybody[place].persons)
        is_hidden = place in hidden or (is_told and place not in own)
        shown[place] = _HIDDEN if is_hidden else _figures(figures, is_own=place in own)
    return shown, (
        (area, _of_area([counted[place] for place in places], [shown[place] for place in places]))
        for (area, places), is_safe in zip(areas.items(), safe, strict=True)
        if is_safe and not (scope.question.benefit and any(shown[at] == _HIDDEN for at in places))
    )


def _figures(figures: _Counted, *, is_own: bool) -> _Shown:
    """Give what is shown of a municipality: no share that gives few persons away."""
    share = ratio(figures.at_last_step, figures.persons)
    if not is_own and is_telling(figures.at_last_step, figures.persons):
        share = None
    return _Shown(figures.persons, share, ratio(figures.refusion, figures.amount))


def _of_area(counted: list[_Counted], shown: list[_Shown]) -> _Shown:
    """Sum an area; it has no share where that of one municipality could be worked out from it."""
    total = _Counted(*map(sum, zip(*counted, strict=True)))
    is_told = any(figures.share_at_last_step is None for figures in shown)
    share = None if is_told else ratio(total.at_last_step, total.persons)
    return _Shown(total.persons, share, ratio(total.refusion, total.amount))


def _counted(scope: ViewScope, *leave_out: str) -> dict[str, dict[str, _Counted]]:
    """Count everybody's persons and money, month by month."""
    benefit = None if "benefit" in leave_out else scope.question.benefit
    question = replace(scope.question, municipality=None, benefit=benefit)
    wide = scope._replace(question=question)
    money = mean_percents(wide)
    found: dict[str, dict[str, _Counted]] = defaultdict(dict)
    others = {*scope.question.others}
    wanted = others and others | {scope.question.municipality or ""}
    for place, month, persons, *steps in persons_of_steps(wide):
        if persons and (not wanted or place in wanted):
            amount, refusion, _ = money.get((place, month), (0, 0, None))
            found[month][place] = _Counted(persons, steps[-1], amount, refusion)
    return found
