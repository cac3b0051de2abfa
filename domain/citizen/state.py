"""The state of one citizen: its head, its months, and the reports that have been seen.

It is split so that a report reads and writes little:

* the **head**: sets of weeks as bitsets, resets, facts;
* a **part** for each month: the report lines that have days in the month, and its cells;
* a **seen** entry for each report id: that it came, or was reversed, and where its content is.

Heads and parts are JSON arrays (small, readable by an operator, no pickling); the parts and their
records are in `domain.citizen.records`.
"""

from collections.abc import Container, Iterator, Sequence
from typing import Protocol

from msgspec import Struct
from msgspec.json import Decoder

from domain.basics.cache import Memo
from domain.basics.named import made
from domain.basics.weeks import monday, month_of, sunday
from domain.citizen.records import (
    FORMAT,
    TIED_FORMAT,
    EarlyReversal,
    Part,
    SeenReport,
    StateError,
    check_format,
    decode,
    encode,
)
from domain.citizen.room import TooManyError
from domain.law.old_cases import ORDINARY
from domain.law.staircase import ENGINE, OUTSIDE, Law, entering
from domain.law.week_counts import NO_WEEKS, WeekCounts, WeekSets


class StateReader(Protocol):
    """A source of state: a dict, RocksDB, or a batch's overlay on either.

    Nothing is written through it: `Citizen.changes` hands over all changes, for the owner of the
    batch to write at once, together with all that belongs to them.
    """

    def get(self, key: bytes, /) -> bytes | None:
        """Give the value of a key, or None."""


class Ties(Struct, array_like=True, gc=False):
    """The merges of a citizen with others (`domain.citizen.merges`).

    `to` is the citizen that the reports go to from now on, or "", with the sealed CPR number and
    the id of the merge. `joined` are the merges whose copies count here. `carried_out` are the
    records of merges that came, each of which counts once.
    """

    to: str = ""
    to_sealed: str = ""
    move: str = ""
    joined: list[str] = []
    carried_out: list[str] = []


class _StoredHead(Struct, array_like=True, gc=False):
    """A head as it is written: bitsets in hexadecimal, facts as (fact, date, times).

    Format 1 has no sealed CPR. `waiting` is left out where no reversal waits, `ties` where nobody
    was merged.
    """

    format: int
    rules: str
    engine: int
    revision: int
    last_week_with_money: int
    months: str
    resets: list[int]
    touched: dict[str, str]
    overpaid: dict[str, str]
    facts: list[tuple[str, int, int]]
    second_resets: list[int] | None
    cpr_sealed: str = ""
    waiting: list[EarlyReversal] = []
    ties: Ties | None = None


_HEADS = Decoder(_StoredHead)


class Head:
    """The part of a citizen's state that every report needs; no month is opened for it.

    `law` has settled all of the citizen, or is None where that was another law than the citizen was
    opened with: `rules` and `engine` name it. `cpr_sealed` is from the latest report. `touched` and
    `overpaid` are the weeks with a positive and with a negative net, by money code (where the
    switch TOUCH is ANY_REPORT: the weeks in which a report that stands has days, and none).
    `months` are the months, from the first that counts, that have a part. `last_week_with_money` is
    the last week that ever had any. `weeks` has the states of the weeks, and the resets before that
    last week.
    """

    __slots__ = ("cpr_sealed", "engine", "facts", "last_week_with_money", "law", "months",
                 "overpaid", "revision", "rules", "ties", "touched", "waiting",
                 "weeks")  # fmt: skip

    def __init__(self, law: Law) -> None:
        self.settled_by(law)
        self.cpr_sealed = ""
        self.revision = 0
        self.last_week_with_money = -1
        self.months = 0
        self.touched: dict[str, int] = {}
        self.overpaid: dict[str, int] = {}
        self.facts: dict[str, dict[int, int]] = {}
        self.weeks = NO_WEEKS
        self.waiting: list[EarlyReversal] = []
        self.ties: Ties | None = None

    def settled_by(self, law: Law) -> None:
        """Note that a law has settled all of the citizen."""
        self.law: Law | None = law
        self.rules, self.engine = law.rules.name, ENGINE

    def counted_by(
        self, law: Law, resets: Sequence[int], second: Sequence[int] | None
    ) -> WeekCounts:
        """Give the citizen's weeks under a law that has settled them and found these resets."""
        if not self.facts and second is None:  # most
            sets = made(WeekSets, (*law.states(self.touched), resets))
            return made(WeekCounts, (sets, ORDINARY, None))
        status = law.status(self.facts)
        benefit, busy = law.states(self.touched, status)
        first = WeekSets(benefit, busy, resets)
        if second is None:
            return WeekCounts(first, status)
        return WeekCounts(
            first, status, WeekSets(benefit | entering(self.touched, status), busy, second)
        )

    def counted_again_by(self, law: Law) -> WeekCounts:
        """Give the citizen's weeks under a law that has settled them, with the resets of today."""
        first, _, second = self.weeks
        return self.counted_by(law, first.resets, second and second.resets)

    def encode(self) -> bytes:
        """Write the head as JSON."""
        first, _, second = self.weeks
        value = (
            FORMAT,
            self.rules,
            self.engine,
            self.revision,
            self.last_week_with_money,
            f"{self.months:x}",
            first.resets,
            _hexadecimal(self.touched),
            _hexadecimal(self.overpaid) if self.overpaid else {},
            _listed(self.facts) if self.facts else [],
            second and second.resets,
            self.cpr_sealed,
        )
        if self.ties is not None:
            return encode((TIED_FORMAT, *value[1:], self.waiting, self.ties))
        return encode((*value, self.waiting) if self.waiting else value)

    @classmethod
    def decode(cls, law: Law, value: bytes) -> "Head":
        """Read what `encode` has written. Raises StateError."""
        stored = decode(_HEADS, value)
        if stored.format != FORMAT and not (stored.ties and stored.format == TIED_FORMAT):
            check_format(stored.format)
        try:
            return cls._of(law, stored)
        except ValueError:
            raise StateError("the weeks of a head have another form than ours") from None

    @classmethod
    def _of(cls, law: Law, stored: _StoredHead) -> "Head":
        head = cls.__new__(cls)
        head.rules, head.engine = stored.rules, stored.engine
        head.law = law if head.rules == law.rules.name and head.engine == ENGINE else None
        head.cpr_sealed = stored.cpr_sealed
        head.revision = stored.revision
        head.last_week_with_money = stored.last_week_with_money
        head.months = int(stored.months, 16)
        head.touched = {code: int(weeks, 16) for code, weeks in stored.touched.items()}
        head.overpaid = {code: int(weeks, 16) for code, weeks in stored.overpaid.items()}
        head.facts = {}
        for fact, date, times in stored.facts:
            head.facts.setdefault(fact, {})[date] = times
        head.weeks = head.counted_by(law, stored.resets, stored.second_resets)
        head.waiting = stored.waiting
        head.ties = stored.ties
        return head


def _hexadecimal(weeks_by_code: dict[str, int]) -> dict[str, str]:
    if len(weeks_by_code) == 1:  # most
        ((code, weeks),) = weeks_by_code.items()
        return {code: f"{weeks:x}"} if weeks else {}
    return {code: f"{weeks:x}" for code in sorted(weeks_by_code) if (weeks := weeks_by_code[code])}


def _listed(facts: dict[str, dict[int, int]]) -> list[tuple[str, int, int]]:
    return [(fact, date, times) for fact, dates in facts.items() for date, times in dates.items()]


_MONTHS: Memo[int, bytes] = Memo(lambda month: str(month).encode(), 1 << 13)


def _months_of(period: tuple[int, int]) -> tuple[int, int]:
    start, end = period
    return month_of(start), month_of(end)


_MONTHS_OF: Memo[tuple[int, int], tuple[int, int]] = Memo(_months_of, 1 << 15)
"""The first and the last month of a period of days."""


class Citizen:
    """A citizen's state opened for a batch: read as needed, changed in memory, written once."""

    __slots__ = ("_changed_months", "_changed_seen", "_first_month", "_head_changed", "_parts",
                 "_prefix", "_store", "head", "id")  # fmt: skip

    def __init__(self, citizen: str, store: StateReader, law: Law) -> None:
        self.id = citizen
        self._store = store
        self._prefix = citizen.encode() + b"/"
        self._first_month = law.counting_from_month
        value = store.get(self._prefix + b"head")
        self.head = Head(law) if value is None else Head.decode(law, value)
        self._head_changed = False
        self._parts: dict[int, Part] = {}
        self._changed_months: set[int] = set()
        self._changed_seen: dict[str, SeenReport] = {}

    def part(self, month: int) -> Part | None:
        """Give the part of a month, or None where the citizen has none."""
        part = self._parts.get(month)
        if (
            part is None
            and month >= self._first_month
            and self.head.months >> (month - self._first_month) & 1
        ):
            return self._read(month)
        return part

    def _read(self, month: int) -> Part:
        value = self._store.get(self._prefix + _MONTHS[month])
        if value is None:
            raise StateError(
                f"the state of citizen {self.id} lacks month {month}, which its head names"
            )
        part = self._parts[month] = Part.decode(month, value)
        return part

    def open_part(self, month: int) -> Part:
        """Give the part of a month, to be changed; it is made where there is none.

        The month must be one that counts.
        """
        part = self._parts.get(month)
        if part is None:
            bit = 1 << (month - self._first_month)
            if self.head.months & bit:
                part = self._read(month)
            else:
                part = self._parts[month] = Part(month, [], [], [])
                self._head_changed = True
                self.head.months |= bit
        self._changed_months.add(month)
        return part

    def open_period(self, start: int, end: int, most: int | None = None) -> list[Part]:
        """Give the parts of a period's months, to be changed; days before counting have none.

        Raises TooManyError, and opens none, where one has `most` payments and incomes already.
        """
        first, last = _MONTHS_OF[start, end]
        if first < self._first_month:
            first = self._first_month
        if most is not None and self.head.months >> (first - self._first_month):
            for month in range(first, last + 1):
                part = self.part(month)
                if part is not None and len(part.lines) + len(part.incomes) >= most:
                    raise TooManyError(month)
        if first == last:
            return [self.open_part(first)]
        return [self.open_part(month) for month in range(first, last + 1)]

    def parts_between(self, first_week: int, last_week: int) -> Iterator[Part]:
        """Give the parts of all months that have days in the weeks."""
        for month in range(month_of(monday(first_week)), month_of(sunday(last_week)) + 1):
            if part := self.part(month):
                yield part

    def all_parts(self, first_month: int = 0) -> Iterator[Part]:
        """Give every part from a month on."""
        first = max(first_month, self._first_month)
        for month in range(first, self._first_month + self.head.months.bit_length()):
            if part := self.part(month):
                yield part

    def net(self, code: str, week: int) -> int:
        """Sum a money code's øre in a week: over its months, reporters and municipalities."""
        parts = self.parts_between(week, week)
        return sum(
            cell.amount_ore for part in parts for cell in part.cells_of(code) if cell.week == week
        )

    def concerns(self, municipality: str) -> bool:
        """Tell if a municipality paid or finances any payment of the citizen, reversed or not."""
        return any(
            municipality in (line.paying, line.financing)
            for part in self.all_parts()
            for line in part.lines
        )

    def has_money_of(self, benefits: Container[str]) -> bool:
        """Tell if money of one of the benefits was ever settled for the citizen."""
        return any(
            group.code.removesuffix(OUTSIDE) in benefits
            for part in self.all_parts()
            for group in part.groups
        )

    def seen(self, name: str) -> SeenReport | None:
        """Give the memory of a report, by its name (`domain.citizen.reports.cause`), or None."""
        seen = self._changed_seen.get(name)
        if seen is None and (value := self._store.get(self._prefix + name.encode())) is not None:
            return SeenReport.decode(value)
        return seen

    def remember(self, name: str, seen: SeenReport) -> None:
        """Remember a report."""
        self._changed_seen[name] = seen

    def change_head(self) -> Head:
        """Give the head, to be changed."""
        self._head_changed = True
        return self.head

    def changes(self) -> list[tuple[bytes, bytes]]:
        """Give every changed entry, encoded, once; then only the head is kept in memory."""
        prefix, parts = self._prefix, self._parts
        changes: list[tuple[bytes, bytes]] = []
        for month in self._changed_months:
            changes.append((prefix + _MONTHS[month], parts[month].encode()))  # noqa: PERF401 - two of a batch's loops
        for name, seen in self._changed_seen.items():
            changes.append((prefix + name.encode(), seen.encode()))
        if self._head_changed:
            changes.append((prefix + b"head", self.head.encode()))
        self._head_changed = False
        parts.clear()
        self._changed_months.clear()
        self._changed_seen.clear()
        return changes
