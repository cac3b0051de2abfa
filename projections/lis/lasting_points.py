"""Counts points of attention that last until they are settled, and follows those of earlier runs.

A point of a month is raised by the run of that data month. It is closed by the run from which on
nothing is left of it; what no run has closed yet closes nothing.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import pairwise
from typing import Final, NamedTuple

from projections.lis.highlights import Found, found_of
from projections.lis.questions import LisQuestion
from projections.lis.scopes import ViewScope

EARLIER_RUNS: Final = 6
"""The runs before the last one whose points are followed.

What they changed of each benefit in all municipalities is fewer rows than a page may be made of.
"""

_Key = tuple[str, str]
"""A municipality and a benefit."""
_Sizes = dict[_Key, tuple[int, int]]
"""Sizes of a point, and the øre that they are about."""


class Change(NamedTuple):
    """A change by a run: of the size of a month's point, and of the øre that it is about."""

    run: int | None
    month: str
    municipality: str
    benefit: str
    size: int
    ore: int


class EarlierPoint(NamedTuple):
    """Points of some months that have the same fate.

    `raised` is the first run that had one of them, `closed` the run that closed them all, None
    where they are open. `found` is what there is of them, or was when they were raised.
    """

    months: tuple[str, ...]
    raised: int
    closed: int | None
    found: Found


class LastingPoint(NamedTuple):
    """A kind of point: what there is of it in the last run's month, and in the months before."""

    now: Found
    earlier: list[EarlierPoint]


class _Followed(NamedTuple):
    """One month's point."""

    month: str
    raised: int
    closed: int | None
    sizes: _Sizes


def without_account(scope: ViewScope) -> LastingPoint:
    """Sum the base whose account is not known, as øre."""
    net = "sum(amount_ore)::BIGINT"
    return _followed(
        scope,
        lambda of_months: of_months.rows(
            "money",
            f"run, month, municipality, benefit, {net}, {net}",
            "AND account IS NULL AND benefit <> 'FB' GROUP BY run, month, municipality, benefit",
        ),
    )


def awaiting_wages(scope: ViewScope) -> LastingPoint:
    """Count the citizens on the last step who have no fleksbidrag for a month."""
    rate = scope.on_staircase().get("FLT", [0])[-1]
    so_far = "OVER (PARTITION BY municipality, month, citizen ORDER BY run NULLS LAST)"

    def statement(part: str, condition: str) -> str:
        return (
            "WITH changes AS (SELECT run, municipality, month, citizen,"
            " sum(CASE WHEN benefit = 'FLT' THEN amount_ore ELSE 0 END) AS paid,"
            " sum(CASE WHEN benefit = 'FB' THEN refusion_ore ELSE 0 END) AS contributed"
            f" FROM person_months WHERE {condition} AND {part}"
            f" AND (benefit = 'FB' OR benefit = 'FLT' AND rate = {rate})"
            " GROUP BY run, municipality, month, citizen),"
            f" states AS (SELECT *, sum(paid) {so_far} AS paid_by_now,"
            f" sum(contributed) {so_far} AS contributed_by_now FROM changes),"
            " moves AS (SELECT run, municipality, month,"
            " CASE WHEN paid_by_now > 0 AND contributed_by_now = 0 THEN 1 ELSE 0 END"
            " - CASE WHEN paid_by_now > paid AND contributed_by_now = contributed"
            " THEN 1 ELSE 0 END AS move FROM states)"
            " SELECT run, month, municipality, 'FLT', sum(move)::BIGINT, 0 FROM moves"
            " WHERE move <> 0 GROUP BY run, month, municipality"
        )

    return _followed(
        scope,
        lambda of_months: [
            row
            for part in _parts(scope.question)
            for row in of_months.ask("person_months", partial(statement, part))
        ],
    )


def _parts(question: LisQuestion) -> list[str]:
    """Write conditions for parts of the municipalities, of which each is read by itself.

    The months of all citizens at once took 23 MB more at the peak of a site.
    """
    if question.municipality is not None:
        return ["TRUE"]
    edges = ["", *"123456789", "~"]
    return [
        f"municipality >= '{first}' AND municipality < '{end}'" for first, end in pairwise(edges)
    ]


def _followed(
    scope: ViewScope, read: Callable[[ViewScope], list[tuple[int | None, str, str, str, int, int]]]
) -> LastingPoint:
    """Count the points of the last run's month, and follow those of the months before."""
    raising = _earlier(scope.data_months)
    changes = [Change(*row) for row in read(scope.of_months({*raising, scope.data_month}))]
    of_months: dict[str, list[Change]] = defaultdict(list)
    for change in changes:
        of_months[change.month].append(change)
    points = [_point(month, run, of_months[month]) for month, run in sorted(raising.items())]
    now: _Sizes = {}
    for change in of_months[scope.data_month]:
        _add(now, change)
    earlier = _together([point for point in points if point is not None])
    return LastingPoint(_found(now), earlier)


def _earlier(data_months: Mapping[int, str]) -> dict[str, int]:
    """Return the run of each data month before that of the last run."""
    runs = sorted(data_months)
    months: dict[str, int] = {}
    for run in runs[-EARLIER_RUNS - 1 : -1]:
        if data_months[run] != data_months[runs[-1]]:
            months.setdefault(data_months[run], run)
    return months


def _point(month: str, raised: int, changes: Iterable[Change]) -> _Followed | None:
    """Follow a month's point from the run that raises it; None where there was none."""
    now: _Sizes = {}
    then: _Sizes = {}
    closed: int | None = None
    of_runs: dict[int, list[Change]] = {raised: []}
    for change in changes:
        if change.run is not None:
            of_runs.setdefault(change.run, []).append(change)
    for run in sorted(of_runs):
        for change in of_runs[run]:
            _add(now, change)
        if run == raised:
            then = dict(now)
        closed = (closed or run) if not now and run > raised else None
    return _Followed(month, raised, closed, now or then) if then else None


def _add(sizes: _Sizes, change: Change) -> None:
    """Add a change; what there is nothing left of is gone."""
    key = (change.municipality, change.benefit)
    size, ore = sizes.pop(key, (0, 0))
    if size + change.size:
        sizes[key] = (size + change.size, ore + change.ore)


def _together(points: Iterable[_Followed]) -> list[EarlierPoint]:
    """Put points together that are open, or that the same run closed; the latest run first."""
    fates: dict[int | None, list[_Followed]] = {}
    for point in points:
        fates.setdefault(point.closed, []).append(point)
    ordered = sorted(fates, key=lambda closed: (closed is not None, -(closed or 0)))
    return [
        EarlierPoint(
            tuple(point.month for point in fates[closed]),
            min(point.raised for point in fates[closed]),
            closed,
            _found(*(point.sizes for point in fates[closed])),
        )
        for closed in ordered
    ]


def _found(*sizes: _Sizes) -> Found:
    """Put sizes together."""
    return found_of((*key, *amounts) for of_month in sizes for key, amounts in of_month.items())
