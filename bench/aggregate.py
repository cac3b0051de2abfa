"""The cost of one report in the aggregate, in microseconds: usual, late, and by part."""

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import mean
from typing import Any

import orjson

from bench.rig import Figure
from domain.basics.weeks import day_text, first_day, month_number
from domain.citizen.reports import Payment
from domain.law.staircase import Law
from streams.citizens.rule_sets import load_rule_set
from streams.citizens.settler import Partition
from streams.citizens.store_port import MemoryStore
from streams.privacy.identity import Identity
from streams.wire.outcomes import Accepted
from streams.wire.validator import Validator

CITIZENS = 300
FIRST_MONTH = month_number("2016-01")
MICROSECONDS = 1e6
SEALED = "k00000000." + "x" * 35


def payment(citizen: int, month: int, benefit: str = "KTH") -> Payment:
    """Make a month's payment; each citizen has another amount."""
    start, end = first_day(FIRST_MONTH + month), first_day(FIRST_MONTH + month + 1) - 1
    report_id = f"{benefit}-{month:04d}"
    amount_ore = 1_200_000 + 7 * citizen
    return Payment(
        "12345678",
        report_id,
        benefit,
        start,
        end,
        amount_ore,
        0,
        "730",
        "730",
        "eindkomst",
        False,
        end,
    )


class Lives:
    """Citizens with a payment in each month so far, kept in a dict instead of a store."""

    def __init__(self, citizens: int = CITIZENS) -> None:
        self.law = Law(load_rule_set())
        self.store = MemoryStore()
        self.names = [f"{citizen:032x}" for citizen in range(citizens)]

    def settle(self, reports: Iterable[Payment]) -> float:
        """Settle a report for each citizen as one batch; returns seconds of CPU for each."""
        partition = Partition(self.law, self.store)
        reports = list(reports)
        start = time.process_time()
        for name, report in zip(self.names, reports, strict=True):
            partition.settle((name, SEALED, report))
        self.store.write(partition.changes())
        return (time.process_time() - start) / len(self.names)

    def live(self, months: Iterable[int]) -> list[float]:
        """Settle a payment for each month and citizen; returns microseconds of a report."""
        citizens = range(len(self.names))
        return [MICROSECONDS * self.settle(payment(c, month) for c in citizens) for month in months]


def frontier() -> tuple[float, float]:
    """Measure a report at the frontier in month 37 (the window is full) and in month 120.

    They are means of the year around each: months have five weeks or six, and a report's cost
    follows their number.
    """
    usual = Lives().live(range(126))
    return mean(usual[31:43]), mean(usual[114:126])


def late(months_back: int) -> float:
    """Measure a late report that fills a month left out, after 120 months."""
    lives = Lives()
    missing = 119 - months_back
    lives.live(month for month in range(120) if month != missing)
    return MICROSECONDS * lives.settle(payment(c, missing) for c in range(CITIZENS))


def moving_reset() -> float:
    """Measure a late report that removes a new start: everything after it gets other rates."""
    lives = Lives()
    gap = range(30, 43)  # 56 whole weeks of self-support: a new start
    lives.live(month for month in range(120) if month not in gap)
    return MICROSECONDS * lives.settle(payment(c, 36) for c in range(CITIZENS))


def state_bytes_per_year() -> float:
    """Measure the bytes of state, keys included, of a citizen and year with monthly payments."""
    lives = Lives(50)
    lives.live(range(120))
    return sum(len(key) + len(value) for key, value in lives.store.items()) / 50 / 10


def line(citizen: int, month: int) -> bytes:
    """Write the payment as upstream publishes it."""
    report = payment(citizen, month)
    return orjson.dumps(
        {
            "schema": 1,
            "type": "benefit_payment",
            "report_id": report.report_id,
            "reporter": report.reporter,
            "reported_at": f"{day_text(report.end)}T08:00:00Z",
            "cpr": f"61{citizen % 12 + 1:02d}{citizen % 90 + 10:02d}{citizen:04d}",
            "benefit": report.benefit,
            "period_start": day_text(report.start),
            "period_end": day_text(report.end),
            "amount_ore": report.amount_ore,
            "paying_municipality": "730",
            "channel": "eindkomst",
        }
    )


def parts() -> dict[str, float]:
    """Measure a usual report by part; the aggregate does `fold, settle, post`."""
    validator = Validator(load_rule_set(), demo=True)
    identity = Identity(bytes(32), (bytes(range(32)),))
    lines = [line(citizen, 60) for citizen in range(CITIZENS)]
    accepted = [report for report in map(validator.parse, lines) if isinstance(report, Accepted)]
    assert len(accepted) == len(lines), "the benchmark's lines must be valid"
    lives = Lives()
    lives.live(range(60))
    heads = [lives.store[f"{name}/head".encode()] for name in lives.names]
    return {
        "decode (orjson alone, the peer)": _each(orjson.loads, lines),
        "validate": _each(validator.parse, lines),
        "pseudonym and seal": _each(lambda report: identity.of(report.cpr), accepted),
        "load a head": _each(orjson.loads, heads),
        "fold, settle, post, encode": MICROSECONDS
        * lives.settle(payment(c, 60) for c in range(CITIZENS)),
    }


def _each(work: Callable[[Any], object], items: list[Any]) -> float:
    start = time.process_time()
    for item in items:
        work(item)
    return MICROSECONDS * (time.process_time() - start) / len(items)


def figures(_folder: Path) -> list[Figure]:
    """Measure the aggregate alone, in memory: microseconds of CPU a report."""
    early, old = frontier()
    rows = [
        ("report at the frontier, month 37", f"{early:.0f} µs", "1.00"),
        ("report at the frontier, month 120", f"{old:.0f} µs", f"{old / early:.2f}"),
    ]
    for months_back in (1, 12, 100):
        cost = late(months_back)
        rows.append(
            (
                f"late report, {months_back} months back of 120",
                f"{cost:.0f} µs",
                f"{cost / early:.2f}",
            )
        )
    moving = moving_reset()
    rows.append(
        ("late report that takes a reset away", f"{moving:.0f} µs", f"{moving / early:.2f}")
    )
    costs = parts()
    decode = costs["decode (orjson alone, the peer)"]
    rows += [
        (f"part: {name}", f"{cost:.1f} µs", f"{cost / decode:.1f}") for name, cost in costs.items()
    ]
    return [
        *rows,
        ("state of a citizen and year", f"{state_bytes_per_year():.0f} bytes", ""),
    ]
