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
MONEY: Final = ("amount_ore", "refusion_ore", "medfinansiering_ore", "own_share_ore")


def view_address(view: str, values: Mapping[str, Any]) -> str:
    """Write the address of a view."""
    return f"/lis/{view}{query_of(dict(values))}"


class Paths:
    """The ways from one view's rows; `may` tells which views the visitor may see."""

    def __init__(
        self, view: str, options: LisOptions, may: Callable[[str], bool], *, sees_citizens: bool
    ) -> None:
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
}
