"""Converts answers of the Ydelsesindeks to expected payments, which are held and never settled.

A line has a pseudonym where the answer has a CPR number, so the file needs no more care than the
topics. A payment that comes again in a later answer takes the place of the earlier one: its lines
name the payment and the answer's time, and the reader of the file keeps the latest.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import IO, Any, Final

import orjson

from domain.basics.weeks import day, day_text
from streams.citizens.rule_sets import LawBook
from streams.privacy.cpr import is_cpr
from streams.settings import Settings
from streams.upstream.index_answers import IndexLine, IndexReader
from streams.upstream.refund_lines import JsonObject, Refused, content_letters, in_utc, ore_of
from streams.upstream.tables import UpstreamTables
from streams.upstream.xml_files import XmlFiles

TYPE: Final = "expected_payment"
EARLIEST: Final = day("2014-01-01")
"""The first day of a report that is accepted, so of what is expected."""
LONGEST_DAYS: Final = 40 * 366
_NUMBER: Final = re.compile("[0-9]{8}")


class IndexTotals:
    """The closing summary: what came in, and what became of each øre."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.rejects: Counter[str] = Counter()
        self.benefits: Counter[str] = Counter()
        self.money: Counter[str] = Counter()
        """Øre: `in`, and where they went: `out`, `rejected`, `not_paid`, `not_for_refusion`."""

    def as_object(self) -> dict[str, Any]:
        """Return the summary as JSON has it."""
        went = ("out", "rejected", "not_paid", "not_for_refusion")
        return {
            "messages": self.counts["messages"],
            "payments": self.counts["payments"],
            "lines": self.counts["lines"],
            "expected": dict(sorted(self.benefits.items())),
            "owners_as_reporters": self.counts["owners_as_reporters"],
            "unreadable_amounts": self.counts["unreadable_amounts"],
            "rejects": dict(sorted(self.rejects.items())),
            "in_ore": self.money["in"],
            **{f"{name}_ore": self.money[name] for name in went},
            "difference_ore": self.money["in"] - sum(self.money[name] for name in went),
        }

    def sentences(self) -> Iterator[str]:
        """Yield the summary in words."""
        found = self.as_object()
        yield (
            f"{found['messages']} answers, {found['payments']} payments, {found['lines']} lines:"
            f" {self.benefits.total()} expected, {self.rejects.total()} rejects"
        )
        yield (
            f"money in {found['in_ore']} øre, out {found['out_ore']}; rejected"
            f" {found['rejected_ore']}, not_paid {found['not_paid_ore']}, not_for_refusion"
            f" {found['not_for_refusion_ore']}; left {found['difference_ore']}"
        )
        for name in ("expected", "rejects"):
            if found[name]:
                yield f"{name}: " + ", ".join(f"{key} {n}" for key, n in found[name].items())


class IndexConversion(XmlFiles):
    """Converts files one after the other; expected payments go to `out`."""

    def __init__(
        self, settings: Settings, tables: UpstreamTables, out: IO[bytes], rejects: IO[bytes] | None
    ) -> None:
        self._benefits = LawBook(settings.rules).catalogue().benefits
        self._demo = settings.accepts_sixty
        self._identity = settings.identity()
        self._tables = tables
        self._out = out
        self.totals = IndexTotals()
        super().__init__(rejects, self.totals)

    def convert(self, names: Sequence[str]) -> None:
        """Convert all files. Raises UserError."""
        self._read_files(names)
        self._out.flush()

    def _reader(self) -> IndexReader:
        return IndexReader(self._take)

    def _take(self, lines: list[IndexLine]) -> None:
        """Convert the lines of a payment, which stand or fall by themselves."""
        for number, line in enumerate(lines, 1):
            self.totals.counts["lines"] += 1
            ore = self._amount(line)
            self.totals.money["in"] += ore
            try:
                became, expected = self._expected(line)
            except Refused as refused:
                became, expected = "rejected", None
                self._reject(line.line, refused.reason, refused.field, str(refused))
            self.totals.money[became] += ore
            if expected is not None:
                self.totals.benefits[expected["benefit"]] += 1
                self._out.write(orjson.dumps(expected | {"line": number}) + b"\n")

    def _amount(self, line: IndexLine) -> int:
        try:
            return ore_of(line.amount)
        except Refused:
            self.totals.counts["unreadable_amounts"] += 1
            return 0

    def _expected(self, line: IndexLine) -> tuple[str, JsonObject | None]:
        """Say what a line becomes, and give its expected payment. Raises Refused.

        A payment that was not made is expected to be nothing: it may take the place of what an
        earlier answer said of it.
        """
        is_paid = not (line.status and line.status in self._tables.index_not_paid)
        try:
            expected = self._payment(line)
        except Refused:
            if is_paid:
                raise
            expected = None
        if is_paid:
            return "not_for_refusion" if expected is None else "out", expected
        return "not_paid", expected and expected | {"amount_ore": 0}

    def _payment(self, line: IndexLine) -> JsonObject | None:
        """Give a line's payment; None for one outside Ydelsesrefusion. Raises Refused."""
        if not is_cpr(line.cpr, self._demo):
            raise Refused("no_cpr", "cpr", "the benefit was granted to nobody with a CPR number")
        if not line.answered_at:
            raise Refused("no_time", "answered_at", "the answer does not say when it was made")
        if not line.payment:
            raise Refused("no_payment_id", "payment", "the payment has no UUID")
        start, end = _days_of(line)
        code = self._benefit(line, end)
        if code is None:
            return None
        citizen, _ = self._identity.of(line.cpr)
        return {
            "schema": 1,
            "type": TYPE,
            "payment": content_letters(line.payment.lower()),
            "answered_at": in_utc(line.answered_at),
            "citizen": citizen,
            "reporter": self._reporter(line, end),
            "benefit": code,
            "period_start": day_text(start),
            "period_end": day_text(end),
            "amount_ore": ore_of(line.amount),
        }

    def _benefit(self, line: IndexLine, on: int) -> str | None:
        """Give the benefit of a line; None for one outside Ydelsesrefusion. Raises Refused."""
        row = self._tables.index_benefit(line.benefit_class.lower(), line.benefit_name, on)
        if row is None:
            raise Refused(
                "unknown_benefit_class", "benefit",
                "index_benefits.yaml has no row for the class or the name of the benefit",
            )  # fmt: skip
        if row.benefit is not None and row.benefit not in self._benefits:
            raise Refused("unknown_benefit", "benefit", "no rule set has the benefit of the table")
        return row.benefit

    def _reporter(self, line: IndexLine, on: int) -> str:
        """Give the reporter of a line: that of its owner, or the owner itself. Raises Refused."""
        if not _NUMBER.fullmatch(line.owner):
            raise Refused(
                "no_owner", "reporter",
                "the answer does not say who owns the grant; ask with MedtagBevilling",
            )  # fmt: skip
        row = self._tables.index_owner(line.owner, on)
        self.totals.counts["owners_as_reporters"] += row is None
        return line.owner if row is None else row.reporter


def _days_of(line: IndexLine) -> tuple[int, int]:
    """Give the period of a line. Raises Refused."""
    try:
        start, end = day(line.start[:10]), day(line.end[:10])
    except ValueError:
        raise Refused(
            "bad_period", "period_start", "the line has no period of two dates that exist"
        ) from None
    if start < EARLIEST:
        raise Refused("bad_period", "period_start", "the period starts before 2014-01-01")
    if not 0 <= end - start <= LONGEST_DAYS:
        raise Refused(
            "bad_period", "period_end", "the period ends before it starts, or lasts over 40 years"
        )
    return start, end
