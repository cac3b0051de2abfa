"""`make run`: a simulated population through a real Kafka, a killed worker, and the proof.

1. Simulate reports in the order of arrival: late, repeated, reversed; some lines are bad.
2. Publish and settle them with two workers; one gets SIGKILL half-way (`demo.passage`).
3. Read the postings as a ledger does, read committed, and show what came in and what came out.
4. Prove it: the postings are, byte for byte, those of `settle` on the same journal; a sample of
   the citizens, computed from scratch by the reference computation, has the same sums; and every
   cell has the same sums after another order of the reports.
5. Show what one municipality sees in LIS: its amounts, its citizens' seniority, its corrections.

All of it is temporary: the broker, the topics, the folders. CPR numbers are fictive.
"""

import asyncio
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from demo.cluster import cluster, read_committed
from demo.ledger import Ledger
from demo.overview import show_overview
from demo.passage import Passage, pass_through
from demo.population import MONTHS, SEED, reports_by_citizen, simulated, with_bad_lines
from demo.program import run_program
from demo.proofs import (
    check_another_order,
    check_exactly_once,
    check_from_scratch,
    check_nothing_lost,
)
from demo.tables import fates, show
from streams.kafka import topics
from streams.kit.tuning import tune_garbage_collection
from streams.settings import Settings

CITIZENS = 2_000
REFERENCE_SECONDS = 5.0
"""The time for the slow computation from scratch; it settles some hundreds of citizens in it."""


def main() -> int:
    """Run the whole demonstration. The exit status is 0 if every proof holds."""
    return run_program(lambda console: demonstrate(console, CITIZENS, REFERENCE_SECONDS))


def demonstrate(console: Console, citizens: int, reference_seconds: float) -> int:
    """Start what is needed, tell the story, and remove everything again."""
    started = time.monotonic()
    tune_garbage_collection()
    console.print(
        f"Simulating {citizens:,} citizens from {MONTHS[0]} to {MONTHS[1]} (seed {SEED}) …"
    )
    reports = simulated(citizens)
    with TemporaryDirectory(prefix="refusion-demo-") as folder, cluster(Path(folder)) as settings:
        console.print(
            f"Publishing and settling {len(reports):,} reports"
            f" through Kafka at {settings.bootstrap} …"
        )
        status = tell(console, settings, reports, reference_seconds)
    console.print(f"{time.monotonic() - started:.0f} seconds for everything.")
    console.print("To look at the pages of such a population in a browser: make site")
    return status


def tell(
    console: Console, settings: Settings, reports: list[bytes], reference_seconds: float
) -> int:
    """Tell the story and its proofs."""
    passage = asyncio.run(pass_through(console, settings, [*with_bad_lines(reports)]))
    console.print(_speed(passage))
    journal, postings, dead_letters, notices = (
        asyncio.run(read_committed(settings, topic))
        for topic in (topics.REPORTS, topics.POSTINGS, topics.DEAD_LETTERS, topics.NOTICES)
    )
    ledger = Ledger()
    ledger.post(record.value for records in postings.values() for record in records)
    of_citizen = reports_by_citizen(reports, settings.identity())
    outcome = fates(journal, dead_letters)
    show(console, outcome, notices, ledger, of_citizen)
    holds = [
        check_nothing_lost(console, passage.published, outcome),
        check_exactly_once(console, journal, postings, ledger, passage.killing),
        check_from_scratch(console, ledger, of_citizen, reference_seconds),
        check_another_order(console, settings, ledger, reports),
    ]
    show_overview(console, settings, postings)
    return 0 if all(holds) else 1


def _speed(passage: Passage) -> str:
    seconds = passage.ended - passage.began
    return (
        f"All {passage.published:,} records are settled after {seconds:.1f} s:"
        f" {passage.rate:,.0f} records/s with the takeover, {passage.rate_before:,.0f} before it.\n"
    )


if __name__ == "__main__":
    sys.exit(main())
