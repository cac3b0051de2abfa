"""Leads from a figure to what is behind it: other views, lines of money, the citizens.

A link goes only where the visitor may go; options that still hold are taken along.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from projections.lis.money_lines import LINES, NO_ACCOUNT
from streams.web.lis_options import LisOptions, query_of

RowValues = Mapping[str, Any]
Links = dict[str, str]
"""Addresses by column."""
FLEKSBIDRAG: Final = "FB"
"""The benefit that makes no person of its own."""
MONEY: Final = ("amount_ore", "refusion_ore", "medfinansiering_ore", "own_share_ore")


def view_address(view: str, values: Mapping[str, Any]) -> str:
    """Write the address of a view."""
    return f"/lis/{view}{query_of(dict(values))}"


class Paths:
    """The ways from one view's rows; `may` tells which views the visitor may see.

    `only` is the municipality whose rows alone the visitor may see, None for those of all.
    """

    def __init__(
        self,
        view: str,
        options: LisOptions,
        may: Callable[[str], bool],
        *,
        sees_citizens: bool,
        only: str | None = None,
    ) -> None:
        self._only = only
        self._view = view
        self._options = options
        self._may = may
        self._sees_citizens = sees_citizens

    def of_row(self, row: RowValues) -> Links:
        """Give the addresses behind the figures of a row."""
        if self._options.by:
            return {}
        if self._options.persons or self._view in ("paa-vej-ned", "fleksbidrag"):
            return self._of_citizen(row)
        return _OF_VIEW.get(self._view, _nowhere)(self, row)

    def to(self, view: str, **values: Any) -> Links:
        """Give the address of a view under a key, nothing where the visitor may not go there."""
        as_of = self._options.based_on
        pinned = {} if as_of == "known" else {"as": as_of, "run": self._options.run}
        return {"": view_address(view, pinned | values)} if self._may(view) else {}

    def behind(self, row: RowValues, names: tuple[str, ...] = MONEY, **more: Any) -> Links:
        """Give the address of the lines behind a row's money."""
        keys = {name: row.get(name) for name in ("municipality", "month", "benefit", "mechanism")}
        return _under(names, self.to(LINES, **(keys | {"rate": row.get("rate")} | more)))

    def of_place(self, view: str, place: str | None, **values: Any) -> Links:
        """Give the address of a view of a municipality whose rows the visitor may see."""
        if place is None or not self.may_see(place):
            return {}
        return self.to(view, municipality=place, **values)

    def may_see(self, place: str | None) -> bool:
        """Tell whether the visitor may see the rows of a municipality."""
        return self._only in (None, place)

    @property
    def place(self) -> str | None:
        """The municipality that is asked about, None: all of them."""
        return self._only or self._options.municipality

    def above(self) -> tuple[str, str]:
        """Give the view that this page lies behind, and its address; nothing for a view itself.

        It follows from the address alone, so that a link that was passed on leads there too.
        """
        found: Links = {}
        view, asked = self._view, self._options.given()
        keys = {name: asked[name] for name in ("municipality", "month", "benefit")}
        if self._view == LINES:
            is_of = {
                "korrektioner": asked["reason"],
                "udgifter": asked["account"],
                "mellemkommunalt": asked["financing"],
            }
            view = next((of for of, given in is_of.items() if given and self._may(of)), "beloeb")
            found = self.to(view, **keys)
        elif self._view == "borger":
            view = "paa-vej-ned"
            found = self.to(view, municipality=asked["municipality"])
        elif self._options.persons:
            found = self.to(view, **keys)
        return (view, found[""]) if found else ("", "")

    def citizens(self, view: str, **values: Any) -> Links:
        """Give the address of the citizens behind a count."""
        return self.to(view, **values, persons=1) if self._sees_citizens else {}

    def _of_citizen(self, row: RowValues) -> Links:
        if not row.get("citizen"):
            return {}
        return _under(
            ("citizen",),
            self.to("borger", municipality=row.get("municipality"), citizen=row["citizen"]),
        )


def _under(names: tuple[str, ...], found: Links) -> Links:
    return dict.fromkeys(names, found[""]) if found else {}


def _nowhere(_paths: Paths, _row: RowValues) -> Links:
    return {}


def _beloeb(paths: Paths, row: RowValues) -> Links:
    return paths.behind(row)


def _udgifter(paths: Paths, row: RowValues) -> Links:
    is_total = row["benefit"] is None
    account = None if is_total else row["account"] or NO_ACCOUNT
    return paths.behind(row, ("amount_ore",), account=account)


def _personer(paths: Paths, row: RowValues) -> Links:
    keys = {name: row[name] for name in ("municipality", "month", "benefit")}
    return _under(("persons",), paths.citizens("personer", **keys))


def _in_bands(view: str) -> Callable[[Paths, RowValues], Links]:
    def links(paths: Paths, row: RowValues) -> Links:
        return _under(("persons",), paths.citizens(view, municipality=row["municipality"]))

    return links


def _afregning(paths: Paths, row: RowValues) -> Links:
    place, run = row["municipality"], row["run"]
    if run is None:
        return {}
    settled = {"municipality": place, "as": "settled", "run": run}
    return (
        _under(("run", "finansieringsbeloeb_ore", "refusion_ore"), paths.to("beloeb", **settled))
        | _under(("corrections_ore",), paths.to("korrektioner", **settled))
        | _under(("medfinansiering_ore",), paths.to(LINES, **settled, mechanism="medfinansiering"))
    )


def _korrektioner(paths: Paths, row: RowValues) -> Links:
    keys = {name: row[name] for name in ("municipality", "month", "benefit", "reason")}
    if row["run"] is not None:
        keys |= {"as": "settled", "run": row["run"]}
    return _under(("net_ore", "up_ore", "down_ore"), paths.to(LINES, **keys))


def _udvikling(paths: Paths, row: RowValues) -> Links:
    keys = {"municipality": row["municipality"], "month": row["month"]}
    return _under(("amount_ore", "refusion_ore", "month"), paths.to("beloeb", **keys)) | _under(
        ("persons",), paths.to("personer", **keys)
    )


def _landet(paths: Paths, row: RowValues) -> Links:
    keys = {"municipality": row["municipality"], "month": row["month"]}
    return (
        _under(("amount_ore", "refusion_ore"), paths.to("beloeb", **keys))
        | _under(("finansieringsbeloeb_ore",), paths.to(LINES, **keys))
        | _under(("municipality",), paths.to("afregning", municipality=row["municipality"]))
    )


def _kontrol(paths: Paths, row: RowValues) -> Links:
    return paths.behind(row, ("amount_ore", "result_ore"))


def _ugens_vaerdi(paths: Paths, row: RowValues) -> Links:
    return _under(("persons",), paths.to("paa-vej-ned", municipality=row["municipality"]))


def _linjer(paths: Paths, row: RowValues) -> Links:
    """Lead from a line to the citizens who have money of its month and benefit."""
    if not paths.may_see(row["municipality"]):
        return {}
    keys = {name: row[name] for name in ("municipality", "month")}
    if row["benefit"] == FLEKSBIDRAG:
        return _under(("rows",), paths.to("fleksbidrag", **keys))
    return _under(("rows",), paths.citizens("personer", **keys, benefit=row["benefit"]))


def _mellemkommunalt(paths: Paths, row: RowValues) -> Links:
    keys = {"month": row["month"], "benefit": row["benefit"]}
    sides = {side: row[side] for side in ("paying", "financing")}
    return {
        side: link
        for side, place in sides.items()
        for link in paths.of_place("beloeb", place, **keys).values()
    } | paths.behind(row, municipality=paths.place, **sides)


def _overgange(paths: Paths, row: RowValues) -> Links:
    """Lead to those who had each of the benefits, in the month of which it is told."""
    links: Links = {}
    for side, month in (("from_benefit", _before(row["month"])), ("to_benefit", row["month"])):
        keys = {"municipality": row["municipality"], "month": month, "benefit": row[side]}
        links |= _under((side,), paths.to("personer", **keys))
    return links


def _before(month: str) -> str:
    year, number = map(int, month.split("-"))
    return f"{year - 1}-12" if number == 1 else f"{year}-{number - 1:02d}"


def _sammenligning(paths: Paths, row: RowValues) -> Links:
    place, month = row["municipality"], row["month"]
    return (
        _under(("municipality",), paths.of_place("udvikling", place))
        | _under(("persons",), paths.of_place("personer", place, month=month))
        | _under(("mean_refusion_percent",), paths.of_place("beloeb", place, month=month))
    )


def _fuldstaendighed(paths: Paths, row: RowValues) -> Links:
    keys = {"month": row["month"], "benefit": row["benefit"]}
    return _under(("received_ore",), paths.to("beloeb", **keys)) | _under(
        ("deviation_ore",), paths.to("forventet", **keys)
    )


def _forventet(paths: Paths, row: RowValues) -> Links:
    keys = {"month": row["month"], "benefit": row["benefit"]}
    return _under(("differing", "lacking"), paths.citizens("forventet", **keys))


def _afstemning(paths: Paths, row: RowValues) -> Links:
    keys = {"municipality": paths.place, "month": row["month"]}
    account = row["account"] or NO_ACCOUNT
    return _under(("sumpostering_ore",), paths.to(LINES, **keys, account=account))


def _borger(paths: Paths, row: RowValues) -> Links:
    return paths.behind(row, ("rate",))


_OF_VIEW: Final[Mapping[str, Callable[[Paths, RowValues], Links]]] = {
    "beloeb": _beloeb,
    "udgifter": _udgifter,
    "personer": _personer,
    "afregning": _afregning,
    "korrektioner": _korrektioner,
    "anciennitet": _in_bands("anciennitet"),
    "genoptjening": _in_bands("genoptjening"),
    "udvikling": _udvikling,
    "landet": _landet,
    "kontrol": _kontrol,
    "ugens-vaerdi": _ugens_vaerdi,
    "borger": _borger,
    "linjer": _linjer,
    "mellemkommunalt": _mellemkommunalt,
    "overgange": _overgange,
    "sammenligning": _sammenligning,
    "fuldstaendighed": _fuldstaendighed,
    "forventet": _forventet,
    "afstemning": _afstemning,
}
