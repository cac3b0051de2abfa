"""Folds one partition of the journal into books, record by record."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain
from typing import Final, NamedTuple

from domain.citizen.merges import Standing
from domain.citizen.reports import (
    CitizenRecord,
    ControlRecord,
    Copy,
    Freeing,
    Join,
    KeysRecord,
    Move,
    Opening,
    Payment,
    Recalculation,
    Report,
    Reversal,
    RulesRecord,
    RunMarker,
)
from domain.law.staircase import Law
from projections.runs.books import Books
from projections.runs.expected_payments import ExpectedPayments
from projections.runs.late_copies import NOTHING, LateCopies, Place
from projections.runs.open_rows import CitizenPeriod, UnansweredRows
from projections.runs.paid_reports import PaidReport, likeness, still_awaiting
from projections.runs.payment_months import MonthShare, PaymentMonths

_CONTROLS: Final = (RulesRecord, Recalculation, KeysRecord)


class CitizenNames(NamedTuple):
    """The names by which a citizen's payments and groups of payments are kept."""

    payments: set[str]
    groups: set[str]


def _no_names() -> CitizenNames:
    return CitizenNames(set(), set())


class ClosedBooks(NamedTuple):
    """Holds what a partition leaves, and what it tells of others.

    `passed_over` are offsets of what came for a citizen whose reports go on to another, `copies`
    the late reports whose copies were met (see `late_copies.py`), and `received` what was received
    of the expected payments.
    """

    books: Books
    passed_over: frozenset[int]
    copies: Mapping[int, Mapping[int, str]]
    received: ExpectedPayments


class PartitionBooks:
    """One partition's records in their order, folded into books.

    `settled_to` is the offset up to which the citizens stage has settled, `refused` are the offsets
    that it refused. `first_month` is the first month whose control sums are kept: every record of
    it must be taken. `expected` is held against the payments that stand. `late` tells of merges
    from before the books begin, None where they begin with the journal; `partition` is this one.
    """

    def __init__(
        self,
        law: Law,
        settled_to: int,
        refused: Collection[int],
        first_month: int,
        expected: ExpectedPayments | None = None,
        late: LateCopies | None = None,
        partition: int = 0,
    ) -> None:
        self._months = PaymentMonths(law)
        self._counting_from = law.counting_from
        self._settled_to = settled_to
        self._refused = refused
        self._first_month = first_month
        self._expected = expected
        self._paid: dict[str, PaidReport | None] = {}
        """Payments by citizen, reporter and report id; None for a report that a reversal names."""
        self._grouped: dict[str, list[str] | None] = {}
        """The payments of each group, as they are named above; None for a group that a reversal
        names."""
        self._unanswered: UnansweredRows | None = None
        """Kept from the first opening row on."""
        self._reversed: list[CitizenPeriod] = []
        """Periods of payments that were reversed."""
        self._late = late
        self._gone_on = {} if late is None else late.of(partition)
        """Offsets of what went on to others by merges that were not seen."""
        self._passed_over: set[int] = set()
        """Offsets of what came for a citizen whose reports go on to another."""
        self._merged: dict[str, Standing] = {}
        """Citizens of whom the journal has a record of a merge."""
        self._names_of: defaultdict[str, CitizenNames] | None = None
        """The names of payments and groups by citizen; kept from the first merge on."""
        self._cut = 0
        self._books = Books()
        self.last_run = 0

    def take(
        self,
        offset: int,
        citizen: str,
        report: CitizenRecord | ControlRecord,
        source: Place | None = None,
    ) -> None:
        """Take the next record; `source` is the place of what a copy is of."""
        if self._gone_on and offset in self._gone_on:
            self._standing(citizen).was_moved(self._gone_on[offset])
        if isinstance(report, Move | Join | Copy) or citizen in self._merged:
            self._take_merged(offset, citizen, report, source)
            return
        self._take(offset, citizen, report)

    def _standing(self, citizen: str) -> Standing:
        if citizen not in self._merged:
            self._merged[citizen] = Standing(is_from_start=self._late is None)
        return self._merged[citizen]

    def _take_merged(
        self,
        offset: int,
        citizen: str,
        record: CitizenRecord | ControlRecord,
        source: Place | None,
    ) -> None:
        """Take a record of a merge, or of a citizen who was merged."""
        standing = self._standing(citizen)
        if isinstance(record, Join):
            standing.joins(record)
        elif isinstance(record, Move):
            if standing.empties(record):
                self._empty(offset, citizen)
        elif isinstance(record, Report | Opening | Copy):
            report = standing.counting(record)
            if isinstance(record, Copy) and self._late and not standing.knows(record.move):
                report = report if self._late.take(source, citizen) else None
            if report is not None:
                self._take(offset, citizen, report)
            elif standing.to:
                self._passed_over.add(offset)
                self._books.waiting += offset >= self._settled_to

    def _empty(self, offset: int, citizen: str) -> None:
        """Take all payments of a citizen out: what counts of them comes again, as a copy."""
        if self._names_of is None:
            self._names_of = defaultdict(_no_names)
            for key in self._paid:
                self._name(key)
            for group in self._grouped:
                self._names_of[_citizen_of(group)].groups.add(group)
        payments, groups = self._names_of.pop(citizen, _no_names())
        for key in sorted(payments):
            self._free(offset, key)
        for group in groups:
            del self._grouped[group]
        if self._unanswered is not None:
            self._unanswered.leave(citizen)

    def _take(self, offset: int, citizen: str, report: Report | Opening | ControlRecord) -> None:
        if isinstance(report, RunMarker):
            self._begin_run(offset, report)
            return
        if isinstance(report, Freeing):
            self._free(offset, f"{report.citizen}/{report.name}")
            return
        if isinstance(report, _CONTROLS):
            return
        self._books.kinds[type(report).__name__] += 1
        self._books.waiting += offset >= self._settled_to
        if isinstance(report, Payment):
            self._pay(offset, f"{citizen}/{report.reporter}/{report.report_id}", report)
        elif isinstance(report, Opening):
            self._open(offset, citizen, report)
        elif isinstance(report, Reversal) and offset not in self._refused:
            place = f"{citizen}/{report.reporter}"
            if report.reverses_group:
                self._reverse_group(offset, f"{place}/{report.reverses_group}")
            else:
                self._reverse(offset, f"{place}/{report.reverses}")

    def _begin_run(self, offset: int, marker: RunMarker) -> None:
        """Begin new books: the records before belong to a closed run.

        A marker that comes again, or late, is a copy.
        """
        if marker.run <= self.last_run:
            return
        self._books = Books(received=self._books.received)
        self._cut = offset
        self.last_run = marker.run

    def _pay(self, offset: int, key: str, report: Payment) -> None:
        paid = PaidReport(
            report.reporter,
            report.benefit,
            report.start,
            report.end,
            report.amount_ore,
            report.atp_ore,
            report.channel,
            report.outside_act,
            report.group,
            offset,
        )
        if offset in self._refused:
            self._control(paid, self._shares(paid, 1), offset, 1, refused=True)
            return
        if key not in self._paid:
            self._paid[key] = paid
            self._name(key)
            if report.group and self._is_reversed(key, report):
                self._paid[key] = None
                self._reversed.append(paid.period_of(_citizen_of(key)))
            else:
                self._count(paid, 1, offset)
        elif (before := self._paid[key]) is None:
            self._reversed.append(paid.period_of(_citizen_of(key)))
        elif not before.says_the_same(paid):
            self._control(paid, self._shares(paid, 1), offset, 1)  # it should have been refused
        if self._unanswered is not None:
            self._answer(offset, _citizen_of(key), paid)

    def _name(self, key: str) -> None:
        if self._names_of is not None:
            self._names_of[_citizen_of(key)].payments.add(key)

    def _name_group(self, group: str) -> None:
        if self._names_of is not None:
            self._names_of[_citizen_of(group)].groups.add(group)

    def _answer(self, offset: int, citizen: str, paid: PaidReport) -> None:
        """Count an opening row's money as settled: only the difference to it was posted."""
        assert self._unanswered is not None
        for benefit, month, amount_ore in self._unanswered.answer(citizen, paid.start, paid.end):
            if offset < self._settled_to and month >= self._first_month:
                control_sum = self._books.control[paid.reporter, benefit, month]
                control_sum.settled += amount_ore
                control_sum.opened += amount_ore

    def _open(self, offset: int, citizen: str, opening: Opening) -> None:
        if offset in self._refused:
            return
        if self._unanswered is None:
            standing = (
                paid.period_of(_citizen_of(key)) for key, paid in self._paid.items() if paid
            )
            self._unanswered = UnansweredRows(chain(standing, self._reversed))
        self._unanswered.enter(citizen, opening)

    def _is_reversed(self, key: str, report: Payment) -> bool:
        """Note a payment as one of its group, and tell whether that was reversed before."""
        group = f"{_citizen_of(key)}/{report.reporter}/{report.group}"
        self._name_group(group)
        if (members := self._grouped.setdefault(group, [])) is None:
            return True
        members.append(key)
        return False

    def _reverse_group(self, offset: int, group: str) -> None:
        name = group.split("/", 2)[2]
        for key in self._grouped.get(group) or ():
            if (paid := self._paid.get(key)) is not None and paid.group == name:
                self._reverse(offset, key)
        self._name_group(group)
        self._grouped[group] = None

    def _reverse(self, offset: int, key: str) -> None:
        paid = self._paid.get(key)
        self._paid[key] = None
        self._name(key)
        if paid is not None:
            self._reversed.append(paid.period_of(_citizen_of(key)))
            self._count(paid, -1, offset)

    def _free(self, offset: int, key: str) -> None:
        """Take a payment out whose id is freed: the next report counts under it.

        What it moves is nobody's report, as with a recalculation, so that no control sum has it.
        """
        if (paid := self._paid.pop(key, None)) is not None and offset not in self._refused:
            self._reversed.append(paid.period_of(_citizen_of(key)))
            self._books.enter((paid.reporter, paid.benefit), self._shares(paid, -1), -1)

    def _count(self, paid: PaidReport, sign: int, offset: int) -> None:
        """Enter a payment that counts from now on (`sign` 1), or no longer (-1)."""
        shares = self._shares(paid, sign)
        self._books.enter((paid.reporter, paid.benefit), shares, sign)
        self._control(paid, shares, offset, sign)

    def _shares(self, paid: PaidReport, sign: int) -> Sequence[MonthShare]:
        return self._months.shares(
            paid.benefit,
            paid.start,
            paid.end,
            sign * paid.amount_ore,
            sign * paid.atp_ore,
            paid.outside_act,
        )

    def _control(
        self,
        paid: PaidReport,
        shares: Iterable[MonthShare],
        offset: int,
        sign: int,
        *,
        refused: bool = False,
    ) -> None:
        """Enter a payment, or its reversal, into the control sums, unless it is not settled yet."""
        if offset >= self._settled_to:
            return
        for month, ore, outside_ore in shares:
            if month >= self._first_month:
                control_sum = self._books.control[paid.reporter, paid.benefit, month]
                control_sum.reported += ore
                if sign > 0:
                    control_sum.lines += 1
                else:
                    control_sum.reversed += ore
                if refused:
                    control_sum.rejected += ore
                else:
                    control_sum.outside += outside_ore

    def closed(self) -> ClosedBooks:
        """Close the books of this partition."""
        books = Books()
        self.close(books)
        copies = self._late.sources if self._late else NOTHING
        received = self._expected or ExpectedPayments()
        return ClosedBooks(books, frozenset(self._passed_over), copies, received)

    def close(self, into: Books) -> None:
        """Add this partition to the whole."""
        self._find_doubled()
        if self._expected:
            self._hold_against(self._expected)
            self._expected.merged |= self.merged_with()
        into.add(self._books)

    def merged_with(self) -> dict[str, str]:
        """Name the citizen for whom the reports of each former citizen count."""
        return {citizen: standing.to for citizen, standing in self._merged.items() if standing.to}

    def _hold_against(self, expected: ExpectedPayments) -> None:
        """Tell the payments that stand to what is expected, in the amounts as they were paid."""
        for key, paid in self._paid.items():
            if paid is not None and expected.covers(paid.reporter, paid.benefit):
                shares = self._shares(paid._replace(atp_ore=0), 1)
                expected.receive(_citizen_of(key), paid.reporter, paid.benefit, shares)

    def _find_doubled(self) -> None:
        """Find payments of the open run whose money may be there already."""
        standing = [(_citizen_of(key), paid) for key, paid in self._paid.items() if paid]
        for paid in still_awaiting(standing, self._cut, self._counting_from):
            awaiting = self._books.awaiting[paid.reporter]
            awaiting[0] += 1
            awaiting[1] += abs(paid.amount_ore)
        times = Counter(hash(likeness(citizen, paid)) for citizen, paid in standing)
        sources: dict[tuple[str | int, ...], list[tuple[str, str]]] = {}
        for citizen, paid in standing:
            in_run = paid.offset >= self._cut
            if in_run:
                self._books.sent[paid.reporter] += abs(paid.amount_ore)
            alike = likeness(citizen, paid)
            if times[hash(alike)] > 1:
                source = f"{paid.reporter} ({paid.channel})"
                before = sources.setdefault(alike, [])
                if in_run and (others := [other for other, _ in before if other != source]):
                    self._books.doubled[paid.reporter][others[0]] += abs(paid.amount_ore)
                elif in_run and any(not group or group != paid.group for _, group in before):
                    repeated = self._books.repeated[paid.reporter]
                    repeated[0] += 1
                    repeated[1] += abs(paid.amount_ore)
                before.append((source, paid.group))


def _citizen_of(key: str) -> str:
    return key.partition("/")[0]
