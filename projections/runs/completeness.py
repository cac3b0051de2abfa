"""Completeness: does a run hold all that there should be, and only once?

Two scandals, of 1.2 and 1 bn kroner, went through holes that nobody looked at: sickness benefit
that came both directly and through eIndkomst, and a subsidy that a system's set-up left out. So
before a cut

* each reporter's money for each benefit is held against its own months before: `missing`, `jump`;
* the same payment from another reporter or channel is added up: `duplicate`; one that comes the
  same way under another id is shown, and holds nothing;
* all that was reported must be settled, outside the Act, or rejected, to the øre: `control_sum`.

The books that this reads are made by `partition_books.py`, a partition at a time.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Literal, NamedTuple

from domain.basics.kroner import kroner
from domain.basics.weeks import month_number, month_text
from projections.runs.books import Books, Pair

Code = Literal["missing", "jump", "duplicate", "control_sum", "future_month"]


class Thresholds(NamedTuple):
    """The limits beyond which a run is held."""

    months_before: int = 3
    """Months before in each of which data came, for data of this month to be missing."""
    missing_ore: int = 0
    """The least that is expected, for it to be missing."""
    median_months: int = 6
    """The months before whose median is expected."""
    jump_percent: int = 50
    """A jump differs by more than this part of the expected amount …"""
    jump_ore: int = 1_000_000_00
    """… and by more than this."""
    duplicate_permille: int = 5
    """The largest part of a reporter's money that may have come before, another way."""


THRESHOLDS: Final = Thresholds()


class Finding(NamedTuple):
    """A reason to hold a run. `amount_ore` is at stake: missing, received, doubled, or off."""

    code: Code
    reporter: str
    benefit: str
    month: str
    amount_ore: int
    expected_ore: int = 0
    other: str = ""

    def sentence(self, name: str = "") -> str:
        """Say it for people: `missing: reporter 12345678, KTH, 2024-07: nothing came, ...`.

        `name` is the reporter's, where it is known.
        """
        who = f"{self.reporter} ({name})" if name else self.reporter
        place = f"reporter {who}, {self.benefit}, {self.month}"
        amount, expected = (f"{kroner(ore)} kr." for ore in (self.amount_ore, self.expected_ore))
        match self.code:
            case "missing":
                return f"missing: {place}: nothing came, about {amount} was expected"
            case "jump":
                return f"jump: {place}: {amount} came, about {expected} was expected"
            case "duplicate":
                part = f"{amount} of {expected}"
                return f"duplicate: reporter {who}: {part} came before from {self.other}"
            case "control_sum":
                unaccounted = "was reported that is neither settled, outside nor rejected"
                return f"control sum: {place}: {amount} {unaccounted}"
            case "future_month":
                return f"the month {self.month} has not begun"


def amounts_at_stake(found: Iterable[Finding]) -> dict[str, int]:
    """Sum the amounts of doubts, in øre, by their code, reporter, benefit and month.

    Of a jump it is how far it is from what was expected.
    """
    amounts: defaultdict[str, int] = defaultdict(int)
    for doubt in found:
        expected_ore = doubt.expected_ore if doubt.code == "jump" else 0
        amounts[" ".join(filter(None, doubt[:4]))] += abs(doubt.amount_ore - expected_ore)
    return dict(amounts)


def findings(books: Books, month: int, thresholds: Thresholds = THRESHOLDS) -> list[Finding]:
    """All that holds the run of a month, the largest amounts first."""
    unsorted = [
        *_missing_and_jumps(books.received, month, thresholds),
        *_duplicates(books, month, thresholds),
        *_control_sums(books),
    ]
    return sorted(unsorted, key=lambda finding: (-abs(finding.amount_ore), finding))


class Received(NamedTuple):
    """A reporter's benefit in a month: what came, what was expected, and what holds the run.

    `expected_ore` is None while too little is known. `hold` are the codes of the findings, joined
    by a space, None where there are none.
    """

    reporter: str
    benefit: str
    month: str
    received: int
    received_ore: int
    expected_ore: int | None
    hold: str | None


def lines(
    books: Books, month: int, held_by: Iterable[Finding], thresholds: Thresholds = THRESHOLDS
) -> list[Received]:
    """Tell each reporter's benefits in a month, and whatever else holds the run, in order."""
    holds: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for finding in held_by:
        holds[finding.reporter, finding.benefit, finding.month].append(finding.code)
    span = _months_before(books.received, month, thresholds)
    expected: dict[tuple[str, str, str], int | None] = {}
    for (reporter, benefit), months in books.received.items():
        usual = _doubled_median([months.get(at, (0, 0))[1] for at in span]) // 2 if span else None
        if usual or months.get(month, (0, 0))[0]:
            expected[reporter, benefit, month_text(month)] = usual
    found = []
    for place in sorted(expected.keys() | holds.keys()):
        reporter, benefit, text = place
        received = books.received.get((reporter, benefit), {})
        number, ore = received.get(month_number(text), (0, 0))
        hold = " ".join(sorted(set(holds[place]))) or None
        found.append(Received(reporter, benefit, text, number, ore, expected.get(place), hold))
    return found


def _months_before(
    received: Mapping[Pair, Mapping[int, list[int]]], month: int, thresholds: Thresholds
) -> range | None:
    """Give the months whose median is expected; None while too little is known."""
    began = min(
        (at for months in received.values() for at, (number, _) in months.items() if number),
        default=month,
    )
    span = range(max(began, month - thresholds.median_months), month)
    return None if len(span) < thresholds.months_before else span


def _missing_and_jumps(
    received: Mapping[Pair, Mapping[int, list[int]]], month: int, thresholds: Thresholds
) -> Iterator[Finding]:
    """Compare what came in a month with the months before, for each reporter and benefit."""
    span = _months_before(received, month, thresholds)
    if span is None:
        return  # nothing is expected while nothing is known yet
    for (reporter, benefit), months in received.items():
        number, ore = months.get(month, (0, 0))
        doubled_median = _doubled_median([months.get(at, (0, 0))[1] for at in span])
        was_there = all(months.get(at, (0, 0))[0] for at in span[-thresholds.months_before :])
        place = reporter, benefit, month_text(month)
        if not number and was_there and abs(doubled_median) >= 2 * thresholds.missing_ore:
            yield Finding("missing", *place, doubled_median // 2)
        elif _is_jump(2 * ore - doubled_median, doubled_median, thresholds):
            yield Finding("jump", *place, ore, doubled_median // 2)


def _doubled_median(amounts: list[int]) -> int:
    """Twice the median, which is a whole number."""
    ordered = sorted(amounts)
    return ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]


def _is_jump(doubled_change: int, doubled_median: int, thresholds: Thresholds) -> bool:
    return (
        abs(doubled_change) * 100 > thresholds.jump_percent * abs(doubled_median)
        and abs(doubled_change) > 2 * thresholds.jump_ore
    )


def _duplicates(books: Books, month: int, thresholds: Thresholds) -> Iterator[Finding]:
    """Reporters of whose money too much had come another way before."""
    for reporter, sources in books.doubled.items():
        ore, sent_ore = sources.total(), books.sent[reporter]
        if ore * 1000 > thresholds.duplicate_permille * sent_ore:
            others = ", ".join(sorted(sources))
            yield Finding("duplicate", reporter, "", month_text(month), ore, sent_ore, others)


def _control_sums(books: Books) -> Iterator[Finding]:
    """Money that is unaccounted for."""
    for (reporter, benefit, month), control_sum in books.control.items():
        if control_sum.difference:
            place = reporter, benefit, month_text(month)
            yield Finding("control_sum", *place, control_sum.difference)
