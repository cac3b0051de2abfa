"""The audit's own record of each citizen: their reports, and the rows of theirs that stand."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from msgspec import Struct


class RowCell(NamedTuple):
    """The cell that a row is in. At most one row stands in a cell."""

    month: str
    week: str
    benefit: str
    paying: str | None
    financing: str | None


class RowTerms(NamedTuple):
    """The terms of a row, which many rows share."""

    mechanism: str
    rate: int
    account: str | None


class Figures(Struct, frozen=True, gc=False):
    """The figures of a row. `result_ore` is its refusion or its medfinansiering."""

    amount_ore: int
    atp_ore: int
    ordinal: int
    terms: RowTerms
    result_ore: int

    def negated(self) -> "Figures":
        """The figures of the row that reverses this one."""
        return Figures(-self.amount_ore, -self.atp_ore, self.ordinal, self.terms, -self.result_ore)

    def says_the_same(self, other: "Figures") -> bool:
        """Compare with another row; the ordinals, which are as of posting, may differ."""
        mine = self.amount_ore, self.atp_ore, self.terms, self.result_ore
        return mine == (other.amount_ore, other.atp_ore, other.terms, other.result_ore)


class StandingRow(Struct, frozen=True, gc=False):
    """A row that is not reversed, and the revision and position that its id is made of."""

    revision: int
    position: int
    figures: Figures


class SummedPayment(NamedTuple):
    """A payment that can be summed; `group` is its reporter and group, where it has one."""

    benefit: str
    base_ore: int
    group: tuple[str, str] | None


@dataclass(slots=True)
class Account:
    """All that the audit knows of one citizen.

    `standing`: the row that stands in each cell. `opened`: cells in which an earlier system's row
    stands. `payments`: those that can be summed, by their names; `unsummed` are the benefits that
    cannot. `known` are the names of all reports, `reversed` the names that a reversal gives (a
    group's is a pair), `freed` those whose id was freed. `reports` are kept for a deep audit alone.
    `is_moved` where the reports go to another citizen, `joined` are the merges whose copies count,
    `merges` the ids of all records of merges.
    """

    revision: int = 0
    offset: int = -1
    rules: str = ""
    counters: dict[str, Any] | None = None
    standing: dict[RowCell, StandingRow] = field(default_factory=dict)
    payments: dict[str, SummedPayment] = field(default_factory=dict)
    unsummed: set[str] = field(default_factory=set)
    known: set[str] = field(default_factory=set)
    opened: set[RowCell] = field(default_factory=set)
    reversed: set[str | tuple[str, str]] = field(default_factory=set)
    freed: set[str] = field(default_factory=set)
    reports: list[bytes] = field(default_factory=list)
    is_moved: bool = False
    joined: set[str] = field(default_factory=set)
    merges: set[str] = field(default_factory=set)

    def empty(self) -> None:
        """Forget all reports: none of those that came so far counts here any more."""
        self.payments.clear()
        for names in (self.unsummed, self.known, self.reversed, self.freed):
            names.clear()
        self.reports.clear()

    def is_reversed(self, name: str, payment: SummedPayment) -> bool:
        """Tell whether a reversal names a payment, or its group."""
        return name in self.reversed or payment.group in self.reversed
