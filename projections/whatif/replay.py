"""The effect of a replay: a citizen settled from scratch, compared with the rows that stand.

A citizen's reports and posting messages, in their order, give the state that the citizens stage
would have, except for what that stage keeps only to be quick. So the rows that differ are those
that a recalculation posts.
"""

import heapq
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, NamedTuple

import orjson

from domain.basics.kroner import kroner
from domain.basics.municipalities import municipality_of_row
from domain.basics.weeks import day, month_number, month_of, sunday, week_of
from domain.citizen.posting import post
from domain.citizen.recalculation import fold_lines, settle_anew
from domain.citizen.records import Cell
from domain.citizen.reports import Freeing, Report, Scope
from domain.citizen.state import Citizen
from domain.law.rates import LETTER
from domain.law.staircase import Law
from projections.postings.messages import counters_text, row_texts

LARGEST: Final = 10
NO_COUNTERS: Final[dict[str, Any]] = {"week": None, "seniority": 0, "earned": []}
OPENING: Final = "opening"
"""The kind of a row that an earlier system settled; it stands until a payment covers its week."""

Row = dict[str, Any]


class PostingsError(Exception):
    """The posting messages of a citizen contradict each other; the text says where."""


class MoneyPlace(NamedTuple):
    """The place of a row in the breakdown of a replay's money.

    `municipality` paid the refusion or finances the medfinansiering.
    """

    month: str
    municipality: str
    benefit: str
    reason: str


class CitizenChange(NamedTuple):
    """A change of a citizen's benefit in a municipality, in a sentence.

    `cost_ore` is the State's cost.
    """

    cost_ore: int
    sentence: str


@dataclass
class Difference:
    """The changes of a replay, summed over citizens.

    `money` has three numbers for each place: refusion and medfinansiering in øre, and rows.
    `standing` has, by municipality, what stands now for the citizens in scope.
    """

    citizens: int = 0
    in_scope: int = 0
    changed: int = 0
    messages: int = 0
    money: dict[MoneyPlace, list[int]] = field(default_factory=dict)
    standing: dict[str, list[int]] = field(default_factory=dict)
    largest: list[CitizenChange] = field(default_factory=list)

    def add(self, other: "Difference") -> None:
        """Add the changes of other citizens."""
        self.citizens += other.citizens
        self.in_scope += other.in_scope
        self.changed += other.changed
        self.messages += other.messages
        for place, ore in other.money.items():
            self._add(place, ore)
        for municipality, (refusion, medfinansiering) in other.standing.items():
            self.stand(municipality, refusion, medfinansiering)
        self.largest = heapq.nlargest(
            LARGEST, self.largest + other.largest, key=lambda change: abs(change.cost_ore)
        )

    def amounts(self) -> dict[str, int]:
        """Sum what would move by municipality, in øre: both kinds of money and both signs apart.

        >>> place = MoneyPlace("2024-01", "730", "KTH", "rule_change")
        >>> later = place._replace(month="2024-02")
        >>> Difference(money={place: [100, 7, 2], later: [-30, 0, 1]}).amounts()
        {'less refusion in 730': 30, 'more medfinansiering in 730': 7, 'more refusion in 730': 100}
        """
        sums = Counter[str]()
        for place, (refusion, medfinansiering, _) in self.money.items():
            for kind, ore in (("refusion", refusion), ("medfinansiering", medfinansiering)):
                if ore:
                    name = f"{'more' if ore > 0 else 'less'} {kind} in {place.municipality}"
                    sums[name] += abs(ore)
        return dict(sorted(sums.items()))

    def stand(self, municipality: str, refusion_ore: int, medfinansiering_ore: int) -> None:
        """Add money of rows that stand."""
        sums = self.standing.setdefault(municipality, [0, 0])
        sums[0] += refusion_ore
        sums[1] += medfinansiering_ore

    def _add(self, place: MoneyPlace, ore: Sequence[int]) -> None:
        sums = self.money.setdefault(place, [0, 0, 0])
        for position, number in enumerate(ore):
            sums[position] += number

    def post(self, citizen: str, rows: Iterable[Row], reason: str) -> None:
        """Add the rows of a message that a replay would post."""
        parts: dict[tuple[str, str], list[Row]] = {}
        for row in rows:
            municipality = _whose(row)
            money = row["refusion_ore"], row["medfinansiering_ore"], 1
            self._add(MoneyPlace(row["month"], municipality, row["benefit"], reason), money)
            parts.setdefault((row["benefit"], municipality), []).append(row)
        for (benefit, municipality), of_it in parts.items():
            cost_ore = sum(row["refusion_ore"] - row["medfinansiering_ore"] for row in of_it)
            if len(self.largest) < LARGEST or abs(cost_ore) > abs(self.largest[-1].cost_ore):
                self.largest.append(
                    CitizenChange(
                        cost_ore, _sentence(citizen, benefit, municipality, of_it, cost_ore)
                    )
                )
                self.largest.sort(key=lambda change: -abs(change.cost_ore))
                del self.largest[LARGEST:]


def replay_citizen(
    law: Law,
    citizen_id: str,
    reports: Sequence[Report | Freeing],
    messages: Sequence[bytes],
    scope: Scope,
    into: Difference,
) -> None:
    """Settle a citizen from scratch and add the differences from the messages, within the scope."""
    into.citizens += 1
    citizen = Citizen(citizen_id, {}, law)
    fold_lines(law, citizen, reports)
    if scope.municipality and not citizen.concerns(scope.municipality):
        return
    into.in_scope += 1
    posted = _stand(law, citizen, messages, into)
    settling = settle_anew(law, citizen)
    assert settling.counters is not None
    revision = citizen.head.revision + 1
    rows = row_texts(citizen_id, revision, post(settling.changes, revision).rows)
    counters = posted.get("counters", NO_COUNTERS)
    if not rows and orjson.loads(counters_text(settling.counters)) == counters:
        return
    into.changed += bool(rows)
    into.messages += 1
    reason = (
        "recalculation" if posted.get("rules", law.rules.name) == law.rules.name else "rule_change"
    )
    into.post(citizen_id, map(orjson.loads, rows), reason)


def _whose(row: Row) -> str:
    """Return the municipality whose money a row is."""
    return municipality_of_row(row["mechanism"], row["paying"], row["financing"]) or "-"


def _stand(
    law: Law, citizen: Citizen, messages: Sequence[bytes], into: Difference
) -> dict[str, Any]:
    """Put the rows that stand into the citizen's cells, sum them, and return the last message."""
    standing: dict[str, tuple[Row, int]] = {}
    message: dict[str, Any] = {}
    for value in messages:
        message = orjson.loads(value)
        for row in message["rows"]:
            if "reverses" not in row:
                standing[row["id"]] = row, message["revision"]
            elif standing.pop(row["reverses"], None) is None:
                raise PostingsError(
                    f"row {row['id']} of citizen {citizen.id} reverses a row that does not stand:"
                    " the postings are damaged; `refusion verify` says where"
                )
    for row, revision in standing.values():
        into.stand(_whose(row), row["refusion_ore"], row["medfinansiering_ore"])
        number = _week_number(row["week"])
        if row["kind"] == OPENING and not _is_answered(law, citizen, number):
            continue
        part = citizen.open_part(_month_number(row["month"]))
        group = part.group(row["benefit"], row["paying"], row["financing"])
        result_ore = row["refusion_ore"] or row["medfinansiering_ore"]
        figures = row["ordinal"], LETTER[row["mechanism"]], row["rate"], result_ore, row["account"]
        amounts = row["amount_ore"], row.get("atp_ore", 0)
        group.put(Cell(number, *amounts, revision, int(row["id"][24:]), *figures))
    citizen.head.revision = message.get("revision", 0)
    return message


def _is_answered(law: Law, citizen: Citizen, week: int) -> bool:
    """Return True if a payment, reversed or not, has days in a week."""
    first, last = max(sunday(week) - 6, law.counting_from), sunday(week)
    parts = filter(None, (citizen.part(month) for month in {month_of(first), month_of(last)}))
    return any(line.start <= last and line.end >= first for part in parts for line in part.lines)


@lru_cache(maxsize=1 << 12)
def _week_number(text: str) -> int:
    return week_of(day(text))


@lru_cache(maxsize=1 << 12)
def _month_number(text: str) -> int:
    return month_number(text)


def _sentence(
    citizen: str, benefit: str, municipality: str, rows: Sequence[Row], cost_ore: int
) -> str:
    """Write a change in words."""
    old = [row for row in rows if "reverses" in row]
    new = [row for row in rows if "reverses" not in row]
    months = sorted({row["month"] for row in rows})
    when = months[0] if len(months) == 1 else f"{months[0]} to {months[-1]}"
    weeks = len({row["week"] for row in rows})
    amount_ore = sum(row["amount_ore"] for row in rows)
    moved = f", and the amount by {kroner(amount_ore)} kr." if amount_ore else ""
    cost = (
        f"the State pays {kroner(abs(cost_ore))} kr. {'more' if cost_ore > 0 else 'less'}"
        if cost_ore
        else "no cost"
    )
    return (
        f"citizen {citizen}, {benefit} in {municipality}, {when}, {weeks} week{'s' * (weeks > 1)}:"
        f" {_rates(old)} becomes {_rates(new)}{moved}; {cost}"
    )


def _rates(rows: Iterable[Row]) -> str:
    rates = Counter(row["rate"] for row in rows)
    return (
        " and ".join(f"{number} × {rate} %" for rate, number in sorted(rates.items(), reverse=True))
        or "nothing"
    )
