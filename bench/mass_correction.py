"""A mass correction: sickness benefit of 5,000 firms and 3,500 citizens, 30 months back, one night.

In March 2022 two return codes turned out to have been swapped since 2019. Each month of each
citizen gets a difference amount. The dry run says the amount before money moves: `refusion settle`
over all reports, less what stands. Then the corrections come to workers that have settled the rest.
"""

import asyncio
import io
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import orjson

from bench.rig import Bench, BenchError, Figure, bench, reached
from bench.throughput import settled
from domain.basics.weeks import day_text, first_day, month_number
from streams.devtools.local_kafka import LocalKafka
from streams.offline.settle import settle
from streams.settings import Settings

CITIZENS: Final = int(os.environ.get("MASS_CITIZENS", "3500"))
FIRMS: Final = 5_000
MONTHS: Final = 30
LAST: Final = month_number("2022-03")
NIGHT: Final = "2022-04-01"
PROCESSES: Final = 2
PERCENT: Final = 10
"""The part of each month's amount that is taken back."""


def figures(folder: Path) -> list[Figure]:
    """Measure the correction, and the dry run before it."""
    before, corrections = [*_reports(100, "")], [*_reports(-PERCENT, "-M")]
    began = time.monotonic()
    stood, first = _settled(before)
    due, messages = _settled([*before, *corrections])
    dry_s = time.monotonic() - began
    with LocalKafka() as kafka:
        seconds = asyncio.run(_corrected(kafka.bootstrap, folder, before, corrections))
    number = len(corrections)
    return [
        (f"mass correction: {number:,} reports, dry run of all, no Kafka", f"{dry_s:,.0f} s", ""),
        ("of it: refusion that moves", f"{(due - stood) / 100:,.2f} kr.", ""),
        ("corrections from raw to postings, two workers", f"{number / seconds:,.0f}/s", ""),
        ("posting messages", f"{messages - first:,}", f"{(messages - first) / number:.2f} each"),
        ("until the last correction stands", f"{seconds:,.0f} s", ""),
    ]


def _reports(percent: int, suffix: str) -> Iterator[bytes]:
    """Yield a report for each citizen and month, month by month, each by one of the firms."""
    for month in range(LAST + 1 - MONTHS, LAST + 1):
        start, end = first_day(month), first_day(month + 1) - 1
        for citizen in range(CITIZENS):
            number = citizen * MONTHS + month
            yield orjson.dumps(
                {
                    "schema": 1,
                    "type": "benefit_payment",
                    "report_id": f"{month}{suffix}",
                    "reporter": f"{20_000_000 + citizen % FIRMS}",
                    "reported_at": f"{NIGHT if suffix else day_text(end)}T20:00:00Z",
                    "cpr": f"{61 + citizen % 28}01{citizen // 28 % 90:02d}{1000 + citizen % 9000}",
                    "benefit": "SDP-A",
                    "period_start": day_text(start),
                    "period_end": day_text(end),
                    "amount_ore": (1_500_000 + number % 1_000 * 100) * percent // 100,
                    "paying_municipality": "730",
                    "channel": "eindkomst",
                }
            )


def _settled(lines: Sequence[bytes]) -> tuple[int, int]:
    """Settle reports without Kafka: the refusion that is true then, and the messages posted."""
    postings = io.BytesIO()
    settle(lines, Settings.load({"REFUSION_DEMO": "1"}), PROCESSES, postings)
    messages = [orjson.loads(line) for line in postings.getvalue().splitlines()]
    return sum(row["refusion_ore"] for each in messages for row in each["rows"]), len(messages)


async def _corrected(
    bootstrap: str, folder: Path, before: Sequence[bytes], corrections: Sequence[bytes]
) -> float:
    """Measure the seconds from the corrections' visibility until the last of them stands."""
    async with bench(bootstrap, folder) as run:
        await settled(run, before, PROCESSES)
        return await _until_they_stand(run, len(before), corrections)


async def _until_they_stand(run: Bench, stood: int, corrections: Sequence[bytes]) -> float:
    async with run.held_back(corrections):
        pass
    began = time.monotonic()
    ended, found = await reached(
        "the corrections", run.committed("citizens"), stood + len(corrections)
    )
    if found < stood + len(corrections):
        raise BenchError("corrections are missing")
    return ended - began
