"""Payments as the books keep them, and those whose money may be there already."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from domain.citizen.rereports import are_alike
from projections.runs.open_rows import CitizenPeriod


class PaidReport(NamedTuple):
    """A payment as it is kept while its partition is read: some 350 bytes in all."""

    reporter: str
    benefit: str
    start: int
    end: int
    amount_ore: int
    atp_ore: int
    channel: str
    outside_act: bool
    group: str
    offset: int

    def says_the_same(self, other: "PaidReport") -> bool:
        """Compare with another delivery of the report, whose offset is another."""
        return self._replace(offset=0) == other._replace(offset=0)

    def period_of(self, citizen: str) -> CitizenPeriod:
        """The period, with the citizen it is of."""
        return citizen, self.start, self.end

    def may_replace(self, other: "PaidReport") -> bool:
        """Tell if it may be the other, reported anew (`domain.citizen.rereports`)."""
        same_benefit = self.benefit == other.benefit
        says_all = same_benefit and (self.start, self.end) == (other.start, other.end)
        return (
            self.start <= other.end
            and other.start <= self.end
            and self.channel == other.channel
            and not (self.group and self.group == other.group)
            and not (says_all and self.amount_ore == other.amount_ore)
            and are_alike(self.amount_ore, other.amount_ore, same_benefit=same_benefit)
        )


def likeness(citizen: str, paid: PaidReport) -> tuple[str | int, ...]:
    """Give the fields in which a payment and its duplicate are equal."""
    return citizen, paid.benefit, paid.start, paid.end, paid.amount_ore


def still_awaiting(
    standing: Sequence[tuple[str, PaidReport]], cut: int, counting_from: int
) -> Iterator[PaidReport]:
    """Yield payments of the open run that may replace an earlier one, which stands.

    `standing` are payments with their citizens, as they came; the open run begins at offset `cut`.
    Only what may overlap a payment of the run is kept beside it.
    """
    spans: dict[int, tuple[int, int]] = {}
    for citizen, paid in standing:
        if paid.offset >= cut and paid.end >= counting_from:
            key = hash((citizen, paid.reporter))
            start, end = spans.get(key, (paid.start, paid.end))
            spans[key] = min(start, paid.start), max(end, paid.end)
    earlier: dict[tuple[str, str], list[PaidReport]] = {}
    for citizen, paid in standing:
        span = spans.get(hash((citizen, paid.reporter)))
        if span is None or paid.end < max(span[0], counting_from) or paid.start > span[1]:
            continue
        others = earlier.setdefault((citizen, paid.reporter), [])
        if paid.offset >= cut and any(map(paid.may_replace, others)):
            yield paid
        others.append(paid)
