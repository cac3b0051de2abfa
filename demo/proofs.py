"""What `make run` proves: nothing was lost or doubled on the way, the order is of no matter, the sums are right."""

import io
import os
import random
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from rich.console import Console

from demo.cluster import ByPartition
from demo.ledger import Ledger, Sums, add
from demo.passage import Killing
from demo.population import SEED, JsonObject, Reports
from demo.tables import Fates
from domain.oracle import reference
from streams.citizens.refold import postings_again
from streams.citizens.rule_sets import LawBook, load_rule_set
from streams.kit.progress import meter
from streams.offline.settle import settle
from streams.settings import Settings
from streams.wire import journal

JOBS = os.cpu_count() or 1


# --- nothing lost
# -----------------------------------------------------------------------------------


def check_nothing_lost(console: Console, published: int, found: Fates) -> bool:
    """Whether every published record is an accepted report or a dead letter."""
    rejected = found.rejected.total()
    lost = published - found.accepted - rejected
    outcome = f"{lost:,} ARE LOST" if lost else "none is lost"
    console.print(
        f"\nOf {published:,} records {found.accepted:,} are accepted, {rejected:,} rejected with a reason, {outcome}."
    )
    return not lost


# --- exactly once
# -----------------------------------------------------------------------------------


class Comparison(NamedTuple):
    """Committed postings beside those that `settle` makes of the journal's order."""

    equal: int
    """Partitions with the same bytes in the same order."""
    missing: int
    surplus: int


def check_exactly_once(
    console: Console, reports: ByPartition, postings: ByPartition, ledger: Ledger, killing: Killing
) -> bool:
    """Whether the committed postings are, byte for byte, what `settle` makes of the journal's order."""
    compared = compare(reports, postings)
    holds = compared == (len(reports), 0, 0) and not ledger.doubled and not ledger.gaps
    revisions = f"with {ledger.gaps:,} GAPS" if ledger.gaps else "without gaps"
    console.print(
        f"Exactly once: {sum(ledger.rows.values()):,} rows in {sum(ledger.messages.values()):,} messages;"
        f" duplicates {ledger.doubled + compared.surplus:,}, missing {compared.missing:,}, revisions {revisions};"
        f" {compared.equal} of {len(reports)} partitions are byte for byte what `refusion settle` makes of their"
        f" journal{'' if holds else ': THIS MUST NOT BE'}."
    )
    console.print(_takeover(postings, killing))
    return holds


def compare(reports: ByPartition, postings: ByPartition) -> Comparison:
    """Settle each partition of the journal again, in memory, and compare."""
    equal, missing, surplus = 0, 0, 0
    with meter("partitions settled again", len(reports)) as shown:
        for partition, records in reports.items():
            found, expected = (
                [record.value for record in postings[partition]],
                settled_again(records),
            )
            equal += found == expected
            missing += (Counter(expected) - Counter(found)).total()
            surplus += (Counter(found) - Counter(expected)).total()
            shown.show(partition + 1)
    return Comparison(equal, missing, surplus)


def settled_again(records: Sequence[Any]) -> list[bytes]:
    """The messages that follow from a partition's journal in its order."""
    entries = (journal.decode(record.key, record.value) for record in records)
    return postings_again(entries, LawBook())


def _takeover(postings: ByPartition, killing: Killing) -> str:
    """How long the killed worker's partitions stood still, by the times at which postings were written."""
    killed_ms = killing.at * 1000
    after_ms = [
        record.timestamp - killed_ms
        for partition in killing.partitions
        for record in postings[partition]
        if record.timestamp > killed_ms
    ]
    if not after_ms:
        return "Takeover: nothing was left to settle in the killed worker's partitions."
    return f"Takeover: the first posting from a partition of the killed worker came {min(after_ms) / 1000:.1f} s later."


# --- the sums
# ---------------------------------------------------------------------------------------


def check_from_scratch(
    console: Console, ledger: Ledger, of_citizen: Reports, seconds: float
) -> bool:
    """Whether the reference computation agrees on every citizen drawn, by the seed, until the time is up."""
    drawn = random.Random(SEED).sample(sorted(of_citizen), len(of_citizen))
    until = time.monotonic() + seconds
    verdicts: Counter[bool] = Counter()
    with meter("citizens from scratch", len(drawn)) as shown:
        for number, citizen in enumerate(drawn):
            if time.monotonic() > until:
                break
            verdicts[_from_scratch(of_citizen[citizen]) == ledger.sums.get(citizen, {})] += 1
            shown.show(number)
    outcome = f"{verdicts[False]} DO NOT" if verdicts[False] else "none differs"
    console.print(
        f"From scratch by the reference computation: {verdicts[True]:,} citizens agree to the øre, {outcome}."
    )
    return not verdicts[False]


def _from_scratch(reports: list[JsonObject]) -> Sums:
    sums: Sums = {}
    add(sums, reference.settle(reports, load_rule_set()).rows, 1)
    return sums


def check_another_order(
    console: Console, settings: Settings, ledger: Ledger, reports: Sequence[bytes]
) -> bool:
    """Whether the good reports, shuffled by the seed, give every cell the same sums. Uses the ledger up."""
    cells, citizens = sum(map(len, ledger.sums.values())), sum(map(bool, ledger.sums.values()))
    shuffled = random.Random(SEED).sample(reports, len(reports))
    differing = ledger.subtract(settled(shuffled, settings))
    outcome = f"{differing:,} DIFFER" if differing else "all have the same sums to the øre"
    console.print(
        f"In another order, without Kafka: {cells:,} cells of {citizens:,} citizens, {outcome}."
    )
    return not differing


def settled(lines: Sequence[bytes], settings: Settings) -> list[bytes]:
    """The messages that `refusion settle --jobs` makes of lines."""
    postings = io.BytesIO()
    with meter("lines", len(lines)) as shown:
        settle(lines, settings, JOBS, postings, progress=shown.show)
    return postings.getvalue().splitlines()
