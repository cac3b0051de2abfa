"""The state of one citizen: what stands in it, how it is kept, and the port it is kept through.

It is split so that a report reads and writes little:

* the **head**: sets of weeks as bitsets, resets, facts;
* a **part** for each month: the report lines that have days in the month and its cells;
* a **known** entry for each report id: whether it came, was reversed, and where its content is.

Heads and parts are JSON arrays (small, readable by an operator, no pickling). Inside a part:

    line    [reporter, report_id, money code, start, end, amount, atp, paying, financing, channel, reversed]
    income  [reporter, report_id, kind, start, end, amount, pension, reversed]
    group   [money code, paying, financing, cells]
    cell    [week, amount, atp] and, where a row stands for it,
            [..., revision, position, ordinal, mechanism (R or M), rate, result, account]
    opening [month, benefit, paying, financing, cell]: a row that the journal does not answer for
    (`domain.citizen.openings`);
            the list of them is left out where there are none

Days and weeks are numbers as in `domain.basics.weeks`, money is øre.
"""

from bisect import bisect_left
from collections.abc import Container, Iterator, Sequence
from operator import itemgetter
from typing import Any, NamedTuple, Protocol

import orjson

from domain.basics.cache import Memo
from domain.basics.compact_json import dumps
from domain.basics.weeks import monday, month_of, sunday
from domain.citizen.reports import made
from domain.law.old_cases import ORDINARY, Standing
from domain.law.staircase import ENGINE, OUTSIDE, Count, Law, Reading, entering

FORMAT = 2
"""Of heads and parts; every earlier one can be read. Parts are the same in 1; a head of 1 has no sealed CPR."""

REPORTER, REPORT_ID, CODE, START, END, AMOUNT, ATP, PAYING, FINANCING, CHANNEL, REVERSED = range(11)
KIND, INCOME_REVERSED = 2, 7

WEEK, CELL_AMOUNT, CELL_ATP = range(3)
CELL_ORDINAL, CELL_MECHANISM, CELL_RATE = 5, 6, 7
UNPOSTED = 3
"""The length of a cell for which no row stands."""

Line = list[Any]
Cell = list[Any]
Group = list[Any]


class Store(Protocol):
    """Where state is read from: a dict, RocksDB, or a batch's overlay on either.

    Nothing is written through it: `Citizen.changes` hands over what has changed, for the owner
    of the batch to write at once, together with whatever must not be apart from it.
    """

    def get(self, key: bytes, /) -> bytes | None:
        """The value of a key, or None."""


class Known(NamedTuple):
    """What is known of a report id.

    `type` is the report's (P, I, C, R; O: an opening row; or WAITING: its reversal came first),
    `place` finds its content: the month of its line, or the content itself where it has no line.
    """

    type: str
    reversed: bool
    place: str

    def encode(self) -> bytes:
        """Type, `x` if reversed, place."""
        return f"{self[0]}{'x' if self[1] else '-'}{self[2]}".encode()

    @classmethod
    def decode(cls, value: bytes) -> "Known":
        """The inverse of `encode`."""
        text = value.decode()
        return cls(text[0], text[1] == "x", text[2:])


WAITING = Known("?", True, "")


class Part:
    """One month of a citizen: report lines, incomes, and cells by money code and municipalities."""

    __slots__ = ("groups", "incomes", "lines", "month", "openings")

    def __init__(
        self,
        month: int,
        lines: list[Line],
        incomes: list[Line],
        groups: list[Group],
        openings: Sequence[Line] = (),
    ) -> None:
        self.month, self.lines, self.incomes, self.groups, self.openings = (
            month,
            lines,
            incomes,
            groups,
            openings,
        )

    def encode(self) -> bytes:
        """As JSON."""
        if self.openings:
            return dumps((FORMAT, self.lines, self.incomes, self.groups, self.openings))
        return dumps((FORMAT, self.lines, self.incomes, self.groups))

    @classmethod
    def decode(cls, month: int, value: bytes) -> "Part":
        """The inverse of `encode`."""
        format_, lines, incomes, groups, *openings = orjson.loads(value)
        check_format(format_)
        return cls(month, lines, incomes, groups, *openings)

    def group(self, code: str, paying: str | None, financing: str | None) -> Group:
        """The group of a money code and its municipalities; made when there is none."""
        for group in self.groups:
            if group[0] == code and group[1] == paying and group[2] == financing:
                return group
        self.groups.append(group := [code, paying, financing, []])
        return group

    def cells_of(self, code: str) -> Iterator[Cell]:
        """All cells of a money code, whatever municipalities."""
        for group in self.groups:
            if group[0] == code:
                yield from group[3]

    def line(self, reporter: str, report_id: str) -> Line | None:
        """The payment line of a report id."""
        return _find(self.lines, reporter, report_id)

    def income(self, reporter: str, report_id: str) -> Line | None:
        """The income line of a report id."""
        return _find(self.incomes, reporter, report_id)


def cell_of(cells: list[Cell], week: int) -> Cell:
    """The cell of a week among those of a group, which are in order; made where there is none."""
    if not cells or cells[-1][WEEK] < week:
        cells.append(new := [week, 0, 0])
        return new
    at = bisect_left(cells, week, key=itemgetter(WEEK))
    if cells[at][WEEK] != week:
        cells.insert(at, [week, 0, 0])
    return cells[at]


def _find(lines: list[Line], reporter: str, report_id: str) -> Line | None:
    for line in lines:
        if line[REPORT_ID] == report_id and line[REPORTER] == reporter:
            return line
    return None


class Head:
    """What is known of a citizen without opening a month.

    `law` is the one that settled all of it, or None where that was another than the citizen was
    opened with: `rules` and `engine` say which. `cpr_sealed` is as the latest report had it.
    `touched` and `overpaid` are the weeks with a positive and with a negative net, by money code
    (where the switch TOUCH is ANY_REPORT: the weeks in which a standing report has days, and none);
    `months` the months (from the first that counts) that have a part; `horizon` the last week that
    ever had money; `count` the states of the weeks and the resets before the horizon; `standing`
    follows from the facts, and `second` is the other count of `Reading`, or None.
    """

    __slots__ = ("count", "cpr_sealed", "engine", "facts", "horizon", "law", "months", "overpaid", "revision",
                 "rules", "second", "standing", "touched")  # fmt: skip

    def __init__(self, law: Law) -> None:
        self.settled_by(law)
        self.cpr_sealed = ""
        self.revision = 0
        self.horizon = -1
        self.months = 0
        self.touched: dict[str, int] = {}
        self.overpaid: dict[str, int] = {}
        self.facts: dict[str, dict[int, int]] = {}
        self.count = Count(0, 0, ())
        self.standing: Standing = ORDINARY
        self.second: Count | None = None

    def settled_by(self, law: Law) -> None:
        """All of the citizen is settled by this law."""
        self.law: Law | None = law
        self.rules, self.engine = law.rules.name, ENGINE

    def reading(self) -> Reading:
        """The citizen's weeks as the law reads them."""
        return made(Reading, (self.count, self.standing, self.second))

    def read_by(self, law: Law) -> Reading:
        """The citizen's weeks as a law reads them that has settled them; their resets stand."""
        standing = law.standing(self.facts) if self.facts else ORDINARY
        count = Count(*law.states(self.touched, standing), self.count.resets)
        if self.second is None:
            return Reading(count, standing)
        benefit = count.benefit | entering(self.touched, standing)
        return Reading(count, standing, Count(benefit, count.busy, self.second.resets))

    def encode(self) -> bytes:
        """As JSON, bitsets in hexadecimal."""
        return dumps(
            (
                FORMAT,
                self.rules,
                self.engine,
                self.revision,
                self.horizon,
                f"{self.months:x}",
                self.count.resets,
                _hexadecimal(self.touched),
                _hexadecimal(self.overpaid) if self.overpaid else {},
                []
                if not self.facts
                else [
                    (fact, at, times)
                    for fact, dates in self.facts.items()
                    for at, times in dates.items()
                ],
                self.second and self.second.resets,
                self.cpr_sealed,
            )
        )

    @classmethod
    def decode(cls, law: Law, value: bytes) -> "Head":
        """The inverse of `encode`."""
        fields = orjson.loads(value)
        if fields[0] != FORMAT:
            fields = _upcast_head(fields)
        head = cls.__new__(cls)
        (
            _format, head.rules, head.engine, head.revision, head.horizon, months, resets, touched, overpaid, facts,
            second, head.cpr_sealed,
        ) = fields  # fmt: skip
        head.law = law if head.rules == law.rules.name and head.engine == ENGINE else None
        head.months = int(months, 16)
        head.touched = {code: int(weeks, 16) for code, weeks in touched.items()}
        head.overpaid = (
            {code: int(weeks, 16) for code, weeks in overpaid.items()} if overpaid else {}
        )
        head.facts = {}
        for fact, date, times in facts:
            head.facts.setdefault(fact, {})[date] = times
        if not facts and second is None:  # most
            head.count, head.standing, head.second = (
                made(Count, (*law.states(head.touched), resets)),
                ORDINARY,
                None,
            )
            return head
        head.count, head.second = (
            Count(0, 0, resets),
            None if second is None else Count(0, 0, second),
        )
        head.count, head.standing, head.second = head.read_by(law)
        return head


def _upcast_head(fields: list[Any]) -> list[Any]:
    """A stored head in today's format."""
    check_format(fields[0])
    return [*fields, ""] if fields[0] == 1 else fields


def check_format(number: int) -> None:
    """Raises NewerStateError for a format of state that this version does not know."""
    if number > FORMAT:
        raise NewerStateError(
            f"the state has format {number}, this program knows formats up to {FORMAT}: a newer version has written it;"
            " run that version, or make the state anew from the journal"
        )


def _hexadecimal(weeks_by_code: dict[str, int]) -> dict[str, str]:
    if len(weeks_by_code) == 1:  # most
        ((code, weeks),) = weeks_by_code.items()
        return {code: f"{weeks:x}"} if weeks else {}
    return {code: f"{weeks:x}" for code in sorted(weeks_by_code) if (weeks := weeks_by_code[code])}


_MONTHS: Memo[int, bytes] = Memo(lambda month: str(month).encode(), 1 << 13)


class Citizen:
    """A citizen's state opened for a batch: read as needed, changed in memory, written once."""

    __slots__ = ("_changed_known", "_changed_months", "_first_month", "_head_changed", "_parts", "_prefix", "_store",
                 "head", "id")  # fmt: skip

    def __init__(self, citizen: str, store: Store, law: Law) -> None:
        self.id = citizen
        self._store = store
        self._prefix = citizen.encode() + b"/"
        self._first_month = law.counting_from_month
        value = store.get(self._prefix + b"head")
        self.head = Head(law) if value is None else Head.decode(law, value)
        self._head_changed = False
        self._parts: dict[int, Part] = {}
        self._changed_months: set[int] = set()
        self._changed_known: dict[str, Known] = {}

    def part(self, month: int) -> Part | None:
        """The part of a month, or None where the citizen has none."""
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
        """The part of a month, one that counts, made where there is none, to be changed."""
        part = self._parts.get(month)
        if part is None:
            bit = 1 << (month - self._first_month)
            if self.head.months & bit:
                part = self._read(month)
            else:
                part = self._parts[month] = Part(month, [], [], [])
                self.change_head().months |= bit
        self._changed_months.add(month)
        return part

    def parts_between(self, first_week: int, last_week: int) -> Iterator[Part]:
        """The parts of all months that have days in the weeks."""
        for month in range(month_of(monday(first_week)), month_of(sunday(last_week)) + 1):
            if part := self.part(month):
                yield part

    def all_parts(self, first_month: int = 0) -> Iterator[Part]:
        """Every part from a month on."""
        first = max(first_month, self._first_month)
        for month in range(first, self._first_month + self.head.months.bit_length()):
            if part := self.part(month):
                yield part

    def net(self, code: str, week: int) -> int:
        """The net in øre of a money code in a week: over its months, reporters and municipalities."""
        parts = self.parts_between(week, week)
        return sum(
            cell[CELL_AMOUNT]
            for part in parts
            for cell in part.cells_of(code)
            if cell[WEEK] == week
        )

    def concerns(self, municipality: str) -> bool:
        """Whether a payment of the citizen, reversed or not, was paid or is financed by a municipality."""
        return any(
            municipality in (line[PAYING], line[FINANCING])
            for part in self.all_parts()
            for line in part.lines
        )

    def has_money_of(self, benefits: Container[str]) -> bool:
        """True where money of one of the benefits was ever settled for the citizen."""
        return any(
            group[0].removesuffix(OUTSIDE) in benefits
            for part in self.all_parts()
            for group in part.groups
        )

    def known(self, name: str) -> Known | None:
        """What is known of a report, by `domain.citizen.reports.cause`."""
        known = self._changed_known.get(name)
        if known is None and (value := self._store.get(self._prefix + name.encode())) is not None:
            return Known.decode(value)
        return known

    def know(self, name: str, known: Known) -> None:
        """Remember a report."""
        self._changed_known[name] = known

    def change_head(self) -> Head:
        """The head, to be changed."""
        self._head_changed = True
        return self.head

    def changes(self) -> list[tuple[bytes, bytes]]:
        """Every changed entry, encoded, once; then only the head is kept in memory."""
        prefix, parts = self._prefix, self._parts
        changes: list[tuple[bytes, bytes]] = []
        for month in self._changed_months:
            changes.append((prefix + _MONTHS[month], parts[month].encode()))  # noqa: PERF401 - two of a batch's loops
        for name, known in self._changed_known.items():
            changes.append((prefix + name.encode(), known.encode()))
        if self._head_changed:
            changes.append((prefix + b"head", self.head.encode()))
        self._head_changed = False
        parts.clear()
        self._changed_months.clear()
        self._changed_known.clear()
        return changes


class StateError(Exception):
    """The stored state contradicts itself: it has to be restored from the journal."""


class NewerStateError(StateError):
    """The stored state is of a version newer than this one; the text says what to do."""
