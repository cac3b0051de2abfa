"""Makes the start page of LIS: what the last run settled, what needs attention, what comes.

The figures are those of the views, counted by the same statements; each leads to its view.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from projections.lis.definitions import DEFINITIONS
from projections.lis.highlights import (
    MONTH_WEEKS,
    Found,
    corrected,
    falls_of,
    held_lines,
    old_weeks,
    paid_by_others,
    persons_of,
    settled_by,
)
from projections.lis.lasting_points import (
    EarlierPoint,
    LastingPoint,
    awaiting_wages,
    without_account,
)
from projections.lis.questions import LisQuestion
from projections.lis.scopes import ViewScope
from streams.lis.marts import Marts
from streams.web.lis_desk import LisDesk, LisRun
from streams.web.lis_figures import Speaker
from streams.web.lis_links import view_address
from streams.web.lis_pages import closed_on
from streams.web.rights import view_right
from streams.web.visitors import OF_ALL, Role

GROUPS: Final = (
    ("group_money", ("afregning", "beloeb", "udgifter", "korrektioner", "mellemkommunalt")),
    (
        "group_persons",
        ("personer", "anciennitet", "paa-vej-ned", "genoptjening", "overgange", "fleksbidrag",
         "ugens-vaerdi"),
    ),
    ("group_beside", ("sammenligning", "udvikling", "landet")),
    ("group_ahead", ("prognose", "prognosefejl")),
    ("group_control", ("afstemning", "kontrol", "fuldstaendighed", "forventet")),
)  # fmt: skip
"""The views in the order in which people look at them."""
NAMED: Final = 3
"""Benefits and months that a point names; of others it says how many they are."""
NOTICES: Final = "/adviser"
"""The notices about single citizens, for who may see these."""
May = Callable[[str], bool]


@dataclass(frozen=True)
class Tile:
    """A figure of the start page: what it is, how much, what to say beside it, where it leads."""

    label: str
    figure: str
    note: str = ""
    link: str = ""


@dataclass(frozen=True)
class Point:
    """A point of attention: what it is, the kroner it is about, what to do, and where to look.

    The amount is "" where it is not known. `concerned` says which benefits it is about.
    """

    text: str
    amount: str
    concerned: str
    action: str
    link: str
    link_text: str


@dataclass(frozen=True)
class ViewEntry:
    """A view in the list of all views."""

    title: str
    about: str
    link: str


@dataclass(frozen=True)
class StartPage:
    """The start page of a visitor."""

    title: str
    as_of: str
    since: list[Tile]
    points: list[Point]
    points_of_others: str
    earlier: list[Point]
    notices: str
    ahead: list[Tile]
    groups: list[tuple[str, list[ViewEntry]]]


def start_page(
    desk: LisDesk, speaker: Speaker, place: str | None, may: May, counts: May
) -> StartPage:
    """Make the start page of a municipality, or of all. Raises LisRefusedError.

    `may` tells which views the visitor may open, `counts` of which ones the place's points are
    shown: who sees citizens of one municipality alone sees no count of all of them.
    """
    with desk.scope(LisQuestion("afregning", place)) as (marts, scope, runs):
        last = runs[-1] if runs else None
        maker = _Maker(speaker, place, may, counts, scope, marts)
        points = maker.points(last) if last else []
        return StartPage(
            speaker.word("lis.start_of", place=speaker.municipality(place))
            if place
            else speaker.word("lis.start_title"),
            maker.as_of(last, marts.ledger_version),
            maker.since(last) if last else [],
            points,
            maker.points_of_others(),
            maker.earlier_points() if last else [],
            NOTICES if may("borger") else "",
            maker.ahead() if last else [],
            maker.groups(),
        )


class _Maker:
    """Makes the parts of one start page."""

    def __init__(
        self,
        speaker: Speaker,
        place: str | None,
        may: May,
        counts: May,
        scope: ViewScope,
        marts: Marts,
    ) -> None:
        self._speaker = speaker
        self._marts = marts
        self._place = place
        self._may = may
        self._counts = counts
        self._scope = scope
        self._others: set[Role] = set()

    def as_of(self, last: LisRun | None, ledger_version: int) -> str:
        """Say which run was closed last, by which rules, and from which version of the ledger."""
        word = self._speaker.word
        if last is None:
            return word("lis.no_run_line")
        month, closed = self._speaker.month(last.data_month), closed_on(last, self._speaker)
        of_run = word("lis.last_run_line", run=last.run, month=month, closed=closed)
        rules = last.rules or "-"
        return f"{of_run} {word('lis.version_line', rules=rules, version=ledger_version)}"

    def since(self, last: LisRun) -> list[Tile]:
        """Show what the last run settled, and what was booked since."""
        settled = settled_by(self._scope, last.run)
        word, kroner = self._speaker.word, self._kroner
        change = None if settled.before is None else settled.net - settled.before
        note = ""
        if change is not None:
            sign = "+" if change > 0 else ""
            note = word("lis.tile_change", change=sign + self._speaker.kroner(change))
        month = self._speaker.month(last.data_month)
        return [
            Tile(
                word("lis.tile_net", run=last.run, month=month),
                kroner(settled.net),
                note,
                self._to("beloeb", **{"as": "settled", "run": last.run}),
            ),
            Tile(
                word("lis.tile_corrections"),
                kroner(settled.corrections),
                "",
                self._to("korrektioner", **{"as": "settled", "run": last.run}),
            ),
            Tile(word("lis.tile_open"), kroner(settled.still_open), "", self._to("afregning")),
            Tile(
                word("lis.tile_persons", month=month),
                self._count(persons_of(self._scope, last.data_month)),
                "",
                self._to("personer", month=last.data_month),
            ),
        ]

    def points(self, last: LisRun) -> list[Point]:
        """List what needs attention in the last run."""
        found = [
            self._corrected(last),
            self._old(last),
            self._without_account(last),
            self._held(last),
            self._awaited(last),
            self._by_others(last),
        ]
        return [point for point in found if point is not None]

    def earlier_points(self) -> list[Point]:
        """List what earlier runs left open, and what of it a run has closed since."""
        points = []
        if self._counts("udgifter"):
            points += [
                self._earlier("udgifter", "point_account", point)
                for point in self._accounts.earlier
            ]
        if self._counts("fleksbidrag"):
            points += [
                self._earlier("fleksbidrag", "point_fleks", point, of_money=False)
                for point in self._wages.earlier
            ]
        return points

    def points_of_others(self) -> str:
        """Say for whom there are points that this visitor does not see; "" where there are none."""
        if not self._others:
            return ""
        nearby = self._others - OF_ALL if self._place else self._others
        roles = [role for role in Role if role in (nearby or self._others)]
        named = ", ".join(self._speaker.word(f"review.role_{role}") for role in roles)
        return self._speaker.word("lis.point_others_see", roles=named)

    def ahead(self) -> list[Tile]:
        """Show who falls within a month's weeks, and what that costs."""
        falls = falls_of(self._scope)
        word = self._speaker.word
        list_of = self._to("paa-vej-ned", weeks=MONTH_WEEKS)
        return [
            Tile(word("lis.tile_falls"), self._count(falls.citizens), "", list_of),
            Tile(word("lis.tile_last_step"), self._count(falls.to_last_step), "", list_of),
            Tile(word("lis.tile_cost"), self._kroner(falls.cost_ore), "", self._to("ugens-vaerdi")),
            Tile(
                word("lis.tile_near_start"),
                self._count(falls.near_start),
                "",
                self._to("genoptjening"),
            ),
            Tile(
                word("lis.tile_leaving"), self._count(falls.leaving), "", self._to("genoptjening")
            ),
        ]

    def groups(self) -> list[tuple[str, list[ViewEntry]]]:
        """List the views that the visitor may see."""
        groups = []
        for key, views in GROUPS:
            entries = [
                ViewEntry(
                    self._speaker.title(view),
                    self._speaker.word(f"lis_about.{view}"),
                    f"/lis/{view}",
                )
                for view in views
                if view in DEFINITIONS and self._may(view)
            ]
            if entries:
                groups.append((self._speaker.word(f"lis.{key}"), entries))
        return groups

    # --- points -----------------------------------------------------------------------------------

    def _corrected(self, last: LisRun) -> Point | None:
        found = corrected(self._scope, last.run)
        return self._of_run(last, "korrektioner", "point_corrections", found)

    def _old(self, last: LisRun) -> Point | None:
        found = old_weeks(self._scope, last.run)
        weeks = self._count(found.size)
        return self._of_run(last, "korrektioner", "point_old", found, weeks=weeks)

    def _held(self, last: LisRun) -> Point | None:
        found = held_lines(self._scope, last.run)
        held = self._count(found.size)
        return self._of_run(last, "fuldstaendighed", "point_held", found, of_money=False, held=held)

    def _without_account(self, last: LisRun) -> Point | None:
        return self._of_month(last, "udgifter", "point_account", self._accounts.now)

    def _awaited(self, last: LisRun) -> Point | None:
        found = self._wages.now
        citizens = self._count(found.size)
        return self._of_month(
            last, "fleksbidrag", "point_fleks", found, of_money=False, citizens=citizens
        )

    @cached_property
    def _accounts(self) -> LastingPoint:
        return self._lasting("accounts", without_account)

    @cached_property
    def _wages(self) -> LastingPoint:
        return self._lasting("wages", awaiting_wages)

    def _lasting(self, name: str, count: Callable[[ViewScope], LastingPoint]) -> LastingPoint:
        """Count points that last, once for all who see the same municipality.

        Those of the country are made of more rows than are kept, which takes 0.2 s.
        """
        key = "lasting", name, self._place
        return self._marts.kept(key, lambda: count(self._scope), lambda point: len(point.earlier))

    def _by_others(self, last: LisRun) -> Point | None:
        if self._place is None:
            return None
        found = paid_by_others(self._scope, last.data_month)
        return self._of_month(last, "mellemkommunalt", "point_others", found)

    def _earlier(self, view: str, key: str, point: EarlierPoint, *, of_money: bool = True) -> Point:
        """Say since which run points of earlier months are open, or which run closed them."""
        word = self._speaker.word
        is_open = point.closed is None
        said = {"run": point.raised if is_open else point.closed, "months": self._months(point)}
        return Point(
            word(f"lis.{key}_{'open' if is_open else 'closed'}", **said),
            self._kroner(point.found.ore) if of_money else "",
            self._concerned(point.found),
            word(f"lis.{key}_do" if is_open else "lis.point_closed_do"),
            self._to(view, month=point.months[0] if len(point.months) == 1 else None),
            word("lis.see", what=self._speaker.title(view)),
        )

    def _months(self, point: EarlierPoint) -> str:
        named = ", ".join(map(self._speaker.month, point.months[-NAMED:]))
        more = len(point.months) - NAMED
        if more <= 0:
            return named
        return self._speaker.word("lis.point_months_more", named=named, more=self._count(more))

    def _of_run(
        self, last: LisRun, view: str, key: str, found: Found, *, of_money: bool = True, **said: str
    ) -> Point | None:
        keys = {"as": "settled", "run": last.run}
        return self._point(view, keys, key, found, of_money=of_money, run=last.run, **said)

    def _of_month(
        self, last: LisRun, view: str, key: str, found: Found, *, of_money: bool = True, **said: str
    ) -> Point | None:
        month = self._speaker.month(last.data_month)
        keys = {"month": last.data_month}
        return self._point(view, keys, key, found, of_money=of_money, month=month, **said)

    def _point(
        self,
        view: str,
        keys: dict[str, Any],
        key: str,
        found: Found,
        *,
        of_money: bool,
        **said: object,
    ) -> Point | None:
        """Make a point, if there is something and the visitor may look at it."""
        if not found.size:
            return None
        if not self._counts(view):
            self._others |= view_right(view).roles
            return None
        word = self._speaker.word
        return Point(
            word(f"lis.{key}", **said),
            self._kroner(found.ore) if of_money else "",
            self._concerned(found),
            word(f"lis.{key}_do"),
            self._to(view, **keys),
            word("lis.see", what=self._speaker.title(view)),
        )

    def _concerned(self, found: Found) -> str:
        """Say which benefits a point concerns and, to who sees all, how many municipalities."""
        word, parts = self._speaker.word, list[str]()
        if found.benefits:
            named = ", ".join(map(self._speaker.benefit, found.benefits[:NAMED]))
            more = len(found.benefits) - NAMED
            key = "point_benefits" if more <= 0 else "point_benefits_more"
            parts.append(word(f"lis.{key}", named=named, more=self._count(more)))
        if found.places and self._place is None:
            parts.append(word("lis.point_places", places=self._count(found.places)))
        return " ".join(parts)

    # --- questions --------------------------------------------------------------------------------

    def _to(self, view: str, **values: Any) -> str:
        if not self._may(view):
            return ""
        return view_address(view, {"municipality": self._place} | values)

    def _count(self, number: int) -> str:
        return self._speaker.number("count", number)

    def _kroner(self, ore: int) -> str:
        return self._speaker.word("lis.kroner", amount=self._speaker.kroner(ore))
