"""Completeness: is what a run would hold all that there should be, and only once?

Two scandals, of 1.2 and 1 bn kroner, went through holes that nobody looked at: sickness benefit
that came both directly and through eIndkomst, and a subsidy that a system's set-up left out. So
before a cut

* each reporter's money for each benefit is held against its own months before: `missing`, `jump`;
* the same payment from another reporter or channel is added up: `duplicate`;
* what was reported must be what was settled, outside the Act, or rejected, to the øre: `control_sum`.

A payment belongs to months as it is settled: by its days. Money is in øre, less deducted ATP, like
a row's amount.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Final, Literal, NamedTuple

from domain.basics.kroner import kroner
from domain.basics.weeks import month_text, slices
from domain.citizen.reports import (
    ControlRecord,
    Opening,
    Payment,
    Recalculation,
    Report,
    Reversal,
    RulesRecord,
    RunMarker,
)
from domain.law.old_cases import AT_OLD_RATE, TRANSITIONAL
from domain.law.staircase import Count, Law, Reading, money_code
from projections.runs.open_rows import Period, Unanswered

Code = Literal["missing", "jump", "duplicate", "control_sum", "future_month"]

Pair = tuple[str, str]
"""A reporter and a benefit."""

Item = tuple[str, str, int]
"""A reporter, a benefit and a month: what control sums are kept by."""


Part = tuple[int, int, int]
"""What a payment has in a month: the month, øre, and øre of it that the law gives no row for."""


BY_FACTS: Final = TRANSITIONAL - AT_OLD_RATE
"""Whether money of these gives a row hangs on the facts of the case, which may be reported before or after and be older
than what is read: what is not settled of them counts as outside, and no control sum checks it."""


class Thresholds(NamedTuple):
    """What holds a run."""

    months_before: int = 3
    """Data in each of so many months before, and none now: missing."""
    missing_ore: int = 0
    """Where at least so much is expected."""
    median_months: int = 6
    """The months before whose median is what is expected."""
    jump_percent: int = 50
    """A jump differs by more than this part of what is expected …"""
    jump_ore: int = 1_000_000_00
    """… and by more than this."""
    duplicate_permille: int = 5
    """More than this part of a reporter's money came from somebody else, or another way, before."""


THRESHOLDS: Final = Thresholds()
NO_WEEKS: Final = Reading(Count(0, 0, ()))


class Finding(NamedTuple):
    """Why a run is held. `amount_ore` is what is at stake: missing, received, doubled, or off."""

    code: Code
    reporter: str
    benefit: str
    month: str
    amount_ore: int
    expected_ore: int = 0
    other: str = ""

    def sentence(self) -> str:
        """For people."""
        whose = f"reporter {self.reporter}, {self.benefit}, {self.month}"
        amount, expected = (f"{kroner(ore)} kr." for ore in (self.amount_ore, self.expected_ore))
        match self.code:
            case "missing":
                return f"missing: {whose}: nothing came, about {amount} was expected"
            case "jump":
                return f"jump: {whose}: {amount} came, about {expected} was expected"
            case "duplicate":
                return f"duplicate: reporter {self.reporter}: {amount} of {expected} came before from {self.other}"
            case "control_sum":
                return f"control sum: {whose}: {amount} was reported that is neither settled, outside nor rejected"
            case "future_month":
                return f"the month {self.month} has not begun"


# --- what the journal says
# --------------------------------------------------------------------------


class Paid(NamedTuple):
    """What is kept of a payment while its partition is read: some 350 bytes in all."""

    reporter: str
    benefit: str
    start: int
    end: int
    amount_ore: int
    atp_ore: int
    channel: str
    outside_act: bool
    offset: int

    def same(self, other: "Paid") -> bool:
        """Whether another delivery says the same."""
        return self[:-1] == other[:-1]


@dataclass
class Sum:
    """A control sum, in øre."""

    reported: int = 0
    outside: int = 0
    rejected: int = 0
    settled: int = 0

    @property
    def difference(self) -> int:
        """What is unaccounted for."""
        return self.reported - self.outside - self.rejected - self.settled


@dataclass
class Books:
    """What the journal holds, added up over partitions. `received` has payments and øre by pair and month.

    The rest is of the open run alone: `control` sums, `months` with reports and øre, and by
    reporter what came in all and what had come another way (`sent`, `doubled`; amounts count
    whatever their sign).
    """

    received: dict[Pair, dict[int, list[int]]] = field(default_factory=lambda: defaultdict(dict))
    control: dict[Item, Sum] = field(default_factory=lambda: defaultdict(Sum))
    months: dict[int, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    kinds: Counter[str] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)
    doubled: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    waiting: int = 0
    """Records that the citizens stage has not settled yet; no control sum has them."""

    def settle(self, settled: Mapping[Item, int], first_month: int) -> None:
        """Enter what was posted, by the reporter whose report caused it."""
        for item, ore in settled.items():
            if item[2] >= first_month and ore:
                self.control[item].settled += ore
        for (_, benefit, _), entry in self.control.items():
            if benefit in BY_FACTS:
                entry.outside += entry.difference


class PartitionBooks:
    """One partition's records in their order, folded into books. Only what is of one partition is kept apart.

    `settled_to` is the offset up to which the citizens stage has settled, `refused` are the offsets
    that it refused, `first_month` the first month whose control sums are kept: everything of it
    must have been taken.
    """

    def __init__(
        self, law: Law, settled_to: int, refused: Collection[int], first_month: int
    ) -> None:
        self._law = law
        self._settled_to = settled_to
        self._refused = refused
        self._first_month = first_month
        self._paid: dict[str, Paid | None] = {}
        """By citizen, reporter and report id; None for what was reversed, before or after."""
        self._within: dict[tuple[str, int, int], tuple[int, bool] | None] = {}
        self._unanswered: Unanswered | None = None
        """From the first opening row on."""
        self._gone: list[Period] = []
        """Payments that were reversed."""
        self._cut = 0
        self._books = Books()
        self.last_run = 0

    def take(self, offset: int, citizen: str, report: Report | Opening | ControlRecord) -> None:
        """The next record."""
        if isinstance(report, RunMarker):
            self._begin_run(offset, report)
            return
        if isinstance(report, RulesRecord | Recalculation):
            return
        self._books.kinds[type(report).__name__] += 1
        self._books.waiting += offset >= self._settled_to
        if isinstance(report, Payment):
            self._pay(offset, f"{citizen}/{report.reporter}/{report.report_id}", report)
        elif isinstance(report, Opening):
            self._open(offset, citizen, report)
        elif isinstance(report, Reversal) and offset not in self._refused:
            self._reverse(offset, f"{citizen}/{report.reporter}/{report.reverses}")

    def _begin_run(self, offset: int, marker: RunMarker) -> None:
        """What came before belongs to a closed run."""
        self._books = Books(received=self._books.received)
        self._cut = offset
        self.last_run = marker.run

    def _pay(self, offset: int, key: str, report: Payment) -> None:
        paid = Paid(
            report.reporter,
            report.benefit,
            report.start,
            report.end,
            report.amount_ore,
            report.atp_ore,
            report.channel,
            report.outside_act,
            offset,
        )
        if offset in self._refused:
            self._control(paid, self._parts(paid, 1), offset, refused=True)
            return
        if key not in self._paid:
            self._paid[key] = paid
            self._count(paid, 1, offset)
        elif (before := self._paid[key]) is None:
            self._gone.append((key.partition("/")[0], paid.start, paid.end))
        elif not before.same(paid):
            self._control(paid, self._parts(paid, 1), offset)  # it should have been refused
        if self._unanswered is not None:
            self._answer(offset, key.partition("/")[0], paid)

    def _answer(self, offset: int, citizen: str, paid: Paid) -> None:
        """What an opening row has is settled already: only the difference was posted."""
        assert self._unanswered is not None
        for benefit, month, amount_ore in self._unanswered.answer(citizen, paid.start, paid.end):
            if offset < self._settled_to and month >= self._first_month:
                self._books.control[paid.reporter, benefit, month].settled += amount_ore

    def _open(self, offset: int, citizen: str, opening: Opening) -> None:
        if offset in self._refused:
            return
        if self._unanswered is None:
            paid = (
                (key.partition("/")[0], paid.start, paid.end)
                for key, paid in self._paid.items()
                if paid
            )
            self._unanswered = Unanswered(chain(paid, self._gone))
        self._unanswered.enter(citizen, opening)

    def _reverse(self, offset: int, key: str) -> None:
        paid = self._paid.get(key)
        self._paid[key] = None
        if paid is not None:
            self._gone.append((key.partition("/")[0], paid.start, paid.end))
            self._count(paid, -1, offset)

    def _count(self, paid: Paid, sign: int, offset: int) -> None:
        """Enter a payment that counts from now on, or no longer."""
        parts = self._parts(paid, sign)
        months = self._books.received[paid.reporter, paid.benefit]
        for month, ore, _ in parts:
            _add(months.setdefault(month, [0, 0]), (sign, ore))
            self._books.months[month][1] += ore
        self._books.months[parts[0][0]][0] += 1
        self._control(paid, parts, offset)

    def _control(
        self, paid: Paid, parts: Iterable[Part], offset: int, *, refused: bool = False
    ) -> None:
        if offset >= self._settled_to:
            return
        for month, ore, outside_ore in parts:
            if month >= self._first_month:
                entry = self._books.control[paid.reporter, paid.benefit, month]
                entry.reported += ore
                if refused:
                    entry.rejected += ore
                else:
                    entry.outside += outside_ore

    def _parts(self, paid: Paid, sign: int) -> Sequence[Part]:
        """A payment's money by month; most lie in one month and need no splitting."""
        code = money_code(paid.benefit, paid.outside_act)
        base_ore, _ = self._law.base(code, sign * paid.amount_ore, sign * paid.atp_ore)
        kind = code, paid.start, paid.end
        within = self._within[kind] if kind in self._within else self._look_at(*kind)
        if within is not None:
            month, gives_row = within
            return ((month, base_ore, 0 if gives_row else base_ore),)
        of_month: dict[int, list[int]] = {}
        for month, week, ore in self._law.split(base_ore, paid.start, paid.end):
            outside_ore = 0 if self._gives_row(code, month, week) else ore
            _add(of_month.setdefault(month, [0, 0]), (ore, outside_ore))
        return [(month, ore, outside_ore) for month, (ore, outside_ore) in of_month.items()]

    def _look_at(self, code: str, start: int, end: int) -> tuple[int, bool] | None:
        """The month that a period lies in and whether its money gives rows; None where that differs within it."""
        kinds = {
            (month, self._gives_row(code, month, week)) for month, week, _ in slices(start, end)
        }
        self._within[code, start, end] = found = kinds.pop() if len(kinds) == 1 else None
        return found

    def _gives_row(self, code: str, month: int, week: int) -> bool:
        """Whether the law settles money of a code in a week, whoever the citizen is."""
        return self._law.due(NO_WEEKS, month, week, code, 1) is not None

    def close(self, into: Books) -> None:
        """Add this partition to the whole."""
        self._find_doubled()
        books = self._books
        for pair, months in books.received.items():
            for month, numbers in months.items():
                _add(into.received[pair].setdefault(month, [0, 0]), numbers)
        for item, entry in books.control.items():
            whole = into.control[item]
            whole.reported += entry.reported
            whole.outside += entry.outside
            whole.rejected += entry.rejected
            whole.settled += entry.settled
        for month, numbers in books.months.items():
            _add(into.months[month], numbers)
        for reporter, sources in books.doubled.items():
            into.doubled[reporter].update(sources)
        into.kinds.update(books.kinds)
        into.sent.update(books.sent)
        into.waiting += books.waiting

    def _find_doubled(self) -> None:
        """Payments of the open run that somebody else sent before, or that came before through another channel."""
        standing = [
            (key.partition("/")[0], paid) for key, paid in self._paid.items() if paid is not None
        ]
        times = Counter(hash(_likeness(citizen, paid)) for citizen, paid in standing)
        sources: dict[tuple[str | int, ...], list[str]] = {}
        for citizen, paid in standing:
            in_run = paid.offset >= self._cut
            if in_run:
                self._books.sent[paid.reporter] += abs(paid.amount_ore)
            likeness = _likeness(citizen, paid)
            if times[hash(likeness)] > 1:
                source = f"{paid.reporter} ({paid.channel})"
                before = sources.setdefault(likeness, [])
                if in_run and (others := [other for other in before if other != source]):
                    self._books.doubled[paid.reporter][others[0]] += abs(paid.amount_ore)
                before.append(source)


def _likeness(citizen: str, paid: Paid) -> tuple[str | int, ...]:
    return citizen, paid.benefit, paid.start, paid.end, paid.amount_ore


def _add(to: list[int], numbers: Sequence[int]) -> None:
    for at, number in enumerate(numbers):
        to[at] += number


# --- what is wrong with it
# --------------------------------------------------------------------------


def findings(books: Books, month: int, thresholds: Thresholds = THRESHOLDS) -> list[Finding]:
    """Everything that holds the run of a month, the largest amounts first."""
    found = [
        *_expected_against_received(books.received, month, thresholds),
        *_doubled(books, month, thresholds),
        *(
            Finding("control_sum", reporter, benefit, month_text(at), entry.difference)
            for (reporter, benefit, at), entry in books.control.items()
            if entry.difference
        ),
    ]
    return sorted(found, key=lambda each: (-abs(each.amount_ore), each))


def _expected_against_received(
    received: Mapping[Pair, Mapping[int, list[int]]], month: int, thresholds: Thresholds
) -> list[Finding]:
    began = min(
        (at for months in received.values() for at, (number, _) in months.items() if number),
        default=month,
    )
    span = range(max(began, month - thresholds.median_months), month)
    if len(span) < thresholds.months_before:
        return []  # nothing is expected where nothing is known yet
    found = []
    for (reporter, benefit), months in received.items():
        number, ore = months.get(month, (0, 0))
        doubled_median = _doubled_median([months.get(at, (0, 0))[1] for at in span])
        was_there = all(months.get(at, (0, 0))[0] for at in span[-thresholds.months_before :])
        if not number and was_there and abs(doubled_median) >= 2 * thresholds.missing_ore:
            found.append(
                Finding("missing", reporter, benefit, month_text(month), doubled_median // 2)
            )
        elif _is_jump(2 * ore - doubled_median, doubled_median, thresholds):
            found.append(
                Finding("jump", reporter, benefit, month_text(month), ore, doubled_median // 2)
            )
    return found


def _doubled_median(amounts: list[int]) -> int:
    """Twice the median, which is whole."""
    ordered = sorted(amounts)
    return ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]


def _is_jump(doubled_change: int, doubled_median: int, thresholds: Thresholds) -> bool:
    return (
        abs(doubled_change) * 100 > thresholds.jump_percent * abs(doubled_median)
        and abs(doubled_change) > 2 * thresholds.jump_ore
    )


def _doubled(books: Books, month: int, thresholds: Thresholds) -> list[Finding]:
    found = []
    for reporter, sources in books.doubled.items():
        ore, sent_ore = sources.total(), books.sent[reporter]
        if ore * 1000 > thresholds.duplicate_permille * sent_ore:
            others = ", ".join(sorted(sources))
            found.append(
                Finding("duplicate", reporter, "", month_text(month), ore, sent_ore, others)
            )
    return found
