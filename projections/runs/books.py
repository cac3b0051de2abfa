"""The books of a run: what the journal holds, added up by reporter, benefit and month.

Money is in øre, less deducted ATP, like a row's amount. A payment belongs to months as it is
settled: by its days.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from domain.law.old_cases import AT_OLD_RATE, TRANSITIONAL
from projections.runs.payment_months import MonthShare

Pair = tuple[str, str]
"""A reporter and a benefit."""

Item = tuple[str, str, int]
"""A reporter, a benefit and a month: the key of a control sum."""


def _nothing() -> list[int]:
    """Number of payments, øre of amounts."""
    return [0, 0]


BY_FACTS: Final = TRANSITIONAL - AT_OLD_RATE
"""Benefits whose money gives a row or not according to the facts of the case.

These may be reported before or after, and be older than the records that are read. So money of
these benefits that is not settled counts as outside, and no control sum checks it.
"""


@dataclass
class ControlSum:
    """The øre that were reported, and where they went.

    `lines` counts the payments that came, refused ones too; `reversed` are the øre of `reported`
    that reversals took back, and `opened` those of `settled` that an opening row had settled.
    """

    reported: int = 0
    outside: int = 0
    rejected: int = 0
    settled: int = 0
    lines: int = 0
    reversed: int = 0
    opened: int = 0

    @property
    def difference(self) -> int:
        """The øre that are unaccounted for."""
        return self.reported - self.outside - self.rejected - self.settled

    def add(self, other: "ControlSum") -> None:
        """Add the sum of another partition."""
        self.reported += other.reported
        self.outside += other.outside
        self.rejected += other.rejected
        self.settled += other.settled
        self.lines += other.lines
        self.reversed += other.reversed
        self.opened += other.opened


@dataclass
class Books:
    """The books, added up over partitions.

    `received` has the number of payments and their øre by pair and month. All else is of the open
    run alone: `control` sums, `months` with number of reports and øre, and by reporter the øre that
    came in all (`sent`) and those that had come another way before (`doubled`, by that way; amounts
    count whatever their sign). `repeated` has by reporter the number of payments and the øre that
    came before the same way under another id, `awaiting` those that may take the place of another,
    which was not reversed. `waiting` counts records that the citizens stage has
    not settled yet; no control sum has them.
    """

    received: dict[Pair, dict[int, list[int]]] = field(default_factory=lambda: defaultdict(dict))
    control: dict[Item, ControlSum] = field(default_factory=lambda: defaultdict(ControlSum))
    months: dict[int, list[int]] = field(default_factory=lambda: defaultdict(_nothing))
    kinds: Counter[str] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)
    doubled: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    repeated: dict[str, list[int]] = field(default_factory=lambda: defaultdict(_nothing))
    awaiting: dict[str, list[int]] = field(default_factory=lambda: defaultdict(_nothing))
    waiting: int = 0

    def enter(self, pair: Pair, shares: Sequence[MonthShare], sign: int) -> None:
        """Enter a payment that counts from now on (`sign` 1), or its reversal (-1)."""
        received = self.received[pair]
        for month, ore, _ in shares:
            _add(received.setdefault(month, [0, 0]), sign, ore)
            self.months[month][1] += ore
        self.months[shares[0].month][0] += 1

    def add(self, other: "Books") -> None:
        """Add the books of another partition."""
        for pair, months in other.received.items():
            received = self.received[pair]
            for month, numbers in months.items():
                _add(received.setdefault(month, [0, 0]), *numbers)
        for item, control_sum in other.control.items():
            self.control[item].add(control_sum)
        for month, numbers in other.months.items():
            _add(self.months[month], *numbers)
        for reporter, sources in other.doubled.items():
            self.doubled[reporter].update(sources)
        for reporter, numbers in other.repeated.items():
            _add(self.repeated[reporter], *numbers)
        for reporter, numbers in other.awaiting.items():
            _add(self.awaiting[reporter], *numbers)
        self.kinds.update(other.kinds)
        self.sent.update(other.sent)
        self.waiting += other.waiting

    def settle(self, settled: Mapping[Item, int], first_month: int) -> None:
        """Enter the øre that were posted, by the reporter whose report caused it."""
        for item, ore in settled.items():
            _, _, month = item
            if month >= first_month and ore:
                self.control[item].settled += ore
        for (_, benefit, _), control_sum in self.control.items():
            if benefit in BY_FACTS:
                control_sum.outside += control_sum.difference


def _add(numbers: list[int], number: int, ore: int) -> None:
    """Add to a number of payments and their øre."""
    numbers[0] += number
    numbers[1] += ore
