"""The rows of `sammenligning`: municipalities beside each other, small numbers hidden."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from domain.basics.weeks import month_number, month_text
from projections.lis.answers import AnswerRow, Figure, number, percent, ratio, text
from projections.lis.course_views import MEAN_PERCENT, mean_percents, persons_of_steps
from projections.lis.inhabitants import Inhabitants
from projections.lis.money_views import MONTH, MUNICIPALITY, need
from projections.lis.person_views import PERSONS, median_seniorities
from projections.lis.scopes import ViewScope
from projections.lis.small_numbers import (
    SMALLEST_SHOWN,
    CountPart,
    hidden_counts,
    hidden_parts,
    hidden_shares,
    is_small,
    is_telling,
)

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
FURTHER: Final = (
    number("median_seniority", "median anciennitet"),
    percent("change_percent", "personer, ændring på 12 måneder %"),
)
COUNTRY: Final = "hele landet"
YEAR: Final = 12


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
_Parts = Mapping[str, CountPart]
"""The counts of a municipality by benefit."""


class _Told(NamedTuple):
    """The counts of a month beside the ones that are asked for: what else a visitor can ask.

    `everybody` has all benefits together, `parts` each of them; `benefit` is the one asked for.
    """

    everybody: _Counts
    parts: Mapping[str, _Parts]
    benefit: str | None

    def gives_persons_away(self, place: str, persons: int) -> bool:
        """Tell whether few persons could be worked out from a count, and the others."""
        kept_back, is_safe = hidden_parts(self.parts.get(place, {}))
        if self.benefit is None:
            return not is_safe
        return self.benefit in kept_back or is_telling(persons, self.everybody[place].persons)

    def gives_share_away(self, place: str) -> bool:
        """Tell whether few persons could be worked out from a share, and the others."""
        kept_back, is_safe = hidden_shares(self.parts.get(place, {}))
        return not is_safe if self.benefit is None else self.benefit in kept_back


class _Month(NamedTuple):
    """The figures of a month that may be shown: by municipality, and by area."""

    places: dict[str, _Shown]
    areas: dict[str, _Shown]
    members: Mapping[str, list[str]]
    """The municipalities of each area."""


def figures_of(scope: ViewScope) -> tuple[Figure, ...]:
    """Give the columns; those by inhabitants only where there is a table of them."""
    return SAMMENLIGNING + (BY_INHABITANTS if scope.inhabitants else ()) + FURTHER


def sammenligning_rows(scope: ViewScope) -> list[AnswerRow]:
    """Compare municipalities month by month; hide what is about few persons of another one.

    The country has a row without a municipality, and with a table of inhabitants each region too.
    What is hidden does not depend on which rows are chosen: else it could be worked
    out by choosing others.
    """
    months = _months(scope)
    medians = _medians(scope)
    rows = list[AnswerRow]()
    for month in sorted(months):
        if scope.question.month not in (None, month):
            continue
        shown, before = months[month], months.get(_year_before(month), _Month({}, {}, {}))
        of_year = _of_year(scope, month)
        for place in _chosen(scope, shown.places, of_year):
            figures = shown.places[place]
            own = _per_1000(scope, figures, of_year.get(place))
            median = None if figures.persons is None else medians.get((place, month))
            rows.append(
                (place, month, *figures, *own, median, _change(figures, before.places.get(place)))
            )
        for area, figures in shown.areas.items():
            size = _inhabitants(area, shown.members[area], of_year)
            of_area = _per_1000(scope, figures, size)
            change = _change(figures, before.areas.get(area))
            rows.append((None, month, *figures, *of_area, None, change))
    return rows


def _months(scope: ViewScope) -> dict[str, _Month]:
    """Say what may be shown of each month that is asked for, and of the months a year before."""
    month = scope.question.month
    months = dict[str, _Month]()
    asked = scope if month is None else scope.of_months((_year_before(month), month))
    counted = _counted(asked)
    everybody = counted if scope.question.benefit is None else _counted(asked, "benefit")
    parts = _by_benefit(asked)
    for number_of, counts in counted.items():
        areas = _areas(scope, counts, _of_year(scope, number_of))
        told = _Told(everybody[number_of], parts[number_of], scope.question.benefit)
        shown, of_areas = _of_month(scope, counts, told, areas)
        months[number_of] = _Month(shown, dict(of_areas), areas)
    return months


def _year_before(month: str) -> str:
    return month_text(month_number(month) - YEAR)


def _change(now: _Shown, before: _Shown | None) -> int | None:
    """Compare the persons of two months; nothing where one of them is not shown."""
    if now.persons is None or before is None or before.persons is None:
        return None
    return ratio(now.persons - before.persons, before.persons)


def _medians(scope: ViewScope) -> dict[tuple[str, str], int]:
    """Find the median seniority of the data month's citizens, but not of few of another place."""
    question = scope.question
    if scope.last_run is None or question.month not in (None, scope.data_month):
        return {}
    return {
        (place, scope.data_month): median
        for place, persons, median in median_seniorities(scope.of_country)
        if place == question.municipality or not is_small(persons)
    }


def _chosen(
    scope: ViewScope, shown: Mapping[str, _Shown], of_year: Mapping[str, Inhabitants]
) -> list[str]:
    """Choose the rows: all, those that are named, or those that are most like the own one."""
    question = scope.question
    own = question.municipality
    if question.alike is not None:
        place = need(own, "--municipality, which the others are like", "sammenligning --alike")
        named = {place, *_most_alike(scope, place, shown, of_year)[: question.alike]}
    else:
        named = {*question.others, own or ""} if question.others else {*shown}
    return sorted(named & shown.keys())


def _most_alike(
    scope: ViewScope, own: str, shown: Mapping[str, _Shown], of_year: Mapping[str, Inhabitants]
) -> list[str]:
    """List the other municipalities by how far their percentages are from the own ones.

    The distances of the columns are added up. One with a figure that is not shown is not compared:
    it could be guessed from its place in the list.
    """

    def figures(place: str) -> tuple[int | None, ...]:
        per_1000 = _per_1000(scope, shown[place], of_year.get(place))
        return (*shown[place][1:], *per_1000[1:])

    if own not in shown or None in (mine := figures(own)):
        return []
    distances = {
        place: sum(abs((a or 0) - (b or 0)) for a, b in zip(mine, figures(place), strict=True))
        for place in shown
        if place != own and None not in figures(place)
    }
    return sorted(distances, key=lambda place: (distances[place], place))


def _inhabitants(
    area: str, members: Sequence[str], of_year: Mapping[str, Inhabitants]
) -> Inhabitants:
    """Add up the inhabitants of an area; 0 where one of its municipalities is not in the table."""
    is_whole = all(place in of_year for place in members)
    return Inhabitants(sum(of_year[at].number for at in members) if is_whole else 0, area)


def _of_year(scope: ViewScope, month: str) -> dict[str, Inhabitants]:
    return {place: known for (place, year), known in scope.inhabitants.items() if year == month[:4]}


def _areas(
    scope: ViewScope, counted: _Counts, of_year: Mapping[str, Inhabitants]
) -> dict[str, list[str]]:
    """Give the municipalities of each region, and last of the country.

    Regions are known from the table of inhabitants alone; with it every municipality has one.
    """
    areas: dict[str, list[str]] = defaultdict(list)
    for place in sorted(counted) if scope.inhabitants else ():
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
    scope: ViewScope, counted: _Counts, told: _Told, areas: Mapping[str, list[str]]
) -> tuple[dict[str, _Shown], Iterator[tuple[str, _Shown]]]:
    """Choose what may be shown of each municipality and of each area."""
    own = {place for place in counted if place == scope.question.municipality}
    persons = {place: figures.persons for place, figures in counted.items()}
    sums, hides_more = [*areas.values()], bool(scope.inhabitants)
    hidden, safe = hidden_counts(persons, own, sums, hides_more=hides_more)
    shown = {}
    given_away = {
        place
        for place in counted
        if place not in own | hidden and told.gives_persons_away(place, persons[place])
    }
    for place, figures in counted.items():
        if place in own:
            shown[place] = _figures(figures)
        elif place in hidden | given_away:
            shown[place] = _HIDDEN
        else:
            shown[place] = _without_telling_share(figures, told, place)
    return shown, (
        (area, _of_area([counted[place] for place in places], [shown[place] for place in places]))
        for (area, places), is_safe in zip(areas.items(), safe, strict=True)
        if is_safe
        and not given_away & {*places}
        and not (scope.question.benefit and any(shown[at] == _HIDDEN for at in places))
    )


def _figures(figures: _Counted) -> _Shown:
    """Give all figures of a municipality."""
    share = ratio(figures.at_last_step, figures.persons)
    return _Shown(figures.persons, share, ratio(figures.refusion, figures.amount))


def _without_telling_share(figures: _Counted, told: _Told, place: str) -> _Shown:
    """Give the figures of a municipality without a share that gives few persons away."""
    is_told = is_telling(figures.at_last_step, figures.persons) or told.gives_share_away(place)
    whole = _figures(figures)
    return whole._replace(share_at_last_step=None) if is_told else whole


def _of_area(counted: list[_Counted], shown: list[_Shown]) -> _Shown:
    """Sum an area; it has no share where that of one municipality could be worked out from it."""
    total = _Counted(*map(sum, zip(*counted, strict=True)))
    is_told = any(figures.share_at_last_step is None for figures in shown)
    share = None if is_told else ratio(total.at_last_step, total.persons)
    return _Shown(total.persons, share, ratio(total.refusion, total.amount))


def _by_benefit(scope: ViewScope) -> dict[str, dict[str, dict[str, CountPart]]]:
    """Count persons by month, municipality and benefit: all, and those on the last step.

    Where all benefits together are asked for, only places that they may tell too much of are read.
    """
    wide = scope._replace(question=replace(scope.question, benefit=None)).of_country
    prefix = "booked_" if scope.question.based_on == "settled" else ""
    last = " ".join(
        f"WHEN '{code}' THEN {rates[-1]}" for code, rates in scope.on_staircase().items()
    )
    few = "" if scope.question.benefit else _FEW_OF_ALL
    found: dict[str, dict[str, dict[str, CountPart]]] = defaultdict(lambda: defaultdict(dict))
    for place, month, code, whole, part in wide.ask(
        "persons",
        lambda condition: (
            f"WITH counted AS (SELECT municipality, month, benefit, rate, CASE benefit {last} END"
            f" AS last, sum({prefix}persons) AS persons FROM persons WHERE {condition}"
            " AND benefit IS NOT NULL GROUP BY ALL), parts AS ("
            "SELECT municipality, month, benefit,"
            " CAST(sum(CASE WHEN rate IS NULL THEN persons ELSE 0 END) AS BIGINT) AS whole,"
            " CAST(sum(CASE WHEN last IS NULL THEN NULL WHEN rate = last THEN persons ELSE 0 END)"
            " AS BIGINT) AS part FROM counted GROUP BY municipality, month, benefit)"
            f" SELECT * FROM parts WHERE whole <> 0 {few}"
        ),
    ):
        found[month][place][code] = CountPart(whole, part)
    return found


_FEW_OF_ALL: Final = (
    "AND (municipality, month) IN (SELECT (municipality, month) FROM parts"
    " GROUP BY municipality, month HAVING sum(whole) < 100"
    f" OR COALESCE(max(LEAST(part, whole - part)), 0) < {SMALLEST_SHOWN})"
)
"""Places with few persons, or without a share that others can hide behind."""


def _counted(scope: ViewScope, *leave_out: str) -> dict[str, dict[str, _Counted]]:
    """Count everybody's persons and money, month by month."""
    benefit = None if "benefit" in leave_out else scope.question.benefit
    wide = scope._replace(question=replace(scope.question, benefit=benefit)).of_country
    money = mean_percents(wide)
    found: dict[str, dict[str, _Counted]] = defaultdict(dict)
    for place, month, persons, *steps in persons_of_steps(wide):
        if persons:
            amount, refusion, _ = money.get((place, month), (0, 0, None))
            found[month][place] = _Counted(persons, steps[-1], amount, refusion)
    return found
