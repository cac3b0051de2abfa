"""The proofs of `make run`: nothing lost or doubled, order without effect, right sums."""

import io
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
from streams.kit.cores import cores
from streams.kit.progress import meter
from streams.offline.settle import settle
from streams.settings import Settings
from streams.wire import journal

JOBS = cores()


# --- nothing lost ---------------------------------------------------------------------------------


def check_nothing_lost(console: Console, published: int, fates: Fates) -> bool:
    """Prove that every published record is an accepted report or a dead letter."""
    rejected = fates.rejected.total()
    lost = published - fates.accepted - rejected
    outcome = f"{lost:,} ARE LOST" if lost else "none is lost"
    console.print(
        f"\nOf {published:,} records {fates.accepted:,} are accepted,"
        f" {rejected:,} rejected with a reason, {outcome}."
    )
    return not lost


# --- exactly once ---------------------------------------------------------------------------------


class Comparison(NamedTuple):
    """Committed postings, compared with those of `settle` on the journal."""

    equal: int
    """The number of partitions with the same bytes in the same order."""
    missing: int
    surplus: int


def check_exactly_once(
    console: Console, reports: ByPartition, postings: ByPartition, ledger: Ledger, killing: Killing
) -> bool:
    """Prove that the committed postings are, byte for byte, those of `settle` on the journal."""
    compared = compare(reports, postings)
    holds = compared == (len(reports), 0, 0) and not ledger.doubled and not ledger.gaps
    revisions = f"with {ledger.gaps:,} GAPS" if ledger.gaps else "without gaps"
    rows, messages = sum(ledger.rows.values()), sum(ledger.messages.values())
    duplicates = ledger.doubled + compared.surplus
    console.print(
        f"Exactly once: {rows:,} rows in {messages:,} messages;"
        f" duplicates {duplicates:,}, missing {compared.missing:,}, revisions {revisions};"
        f" {compared.equal} of {len(reports)} partitions are byte for byte what"
        f" `refusion settle` makes of their journal{'' if holds else ': THIS MUST NOT BE'}."
    )
    console.print(_takeover(postings, killing))
    return holds


def compare(reports: ByPartition, postings: ByPartition) -> Comparison:
    """Settle each partition of the journal again, in memory, and compare."""
    equal, missing, surplus = 0, 0, 0
    with meter("partitions settled again", len(reports)) as shown:
        for partition, records in reports.items():
            actual, expected = (
                [record.value for record in postings[partition]],
                settled_again(records),
            )
            equal += actual == expected
            missing += (Counter(expected) - Counter(actual)).total()
            surplus += (Counter(actual) - Counter(expected)).total()
            shown.show(partition + 1)
    return Comparison(equal, missing, surplus)


def settled_again(records: Sequence[Any]) -> list[bytes]:
    """Return the messages that follow from a partition's journal in its order."""
    entries = (journal.decode(record.key, record.value) for record in records)
    return postings_again(entries, LawBook())


def _takeover(postings: ByPartition, killing: Killing) -> str:
    """Say how long the killed worker's partitions paused, by the times of their postings."""
    killed_ms = killing.at * 1000
    after_ms = [
        record.timestamp - killed_ms
        for partition in killing.partitions
        for record in postings[partition]
        if record.timestamp > killed_ms
    ]
    if not after_ms:
        return "Takeover: nothing was left to settle in the killed worker's partitions."
    seconds = min(after_ms) / 1000
    return (
        "Takeover: the first posting from a partition of the killed worker"
        f" came {seconds:.1f} s later."
    )


# --- the sums -------------------------------------------------------------------------------------


def check_from_scratch(
    console: Console, ledger: Ledger, of_citizen: Reports, seconds: float
) -> bool:
    """Prove that the reference computation agrees, for citizens drawn until the time is up."""
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
        f"From scratch by the reference computation: {verdicts[True]:,} citizens"
        f" agree to the øre, {outcome}."
    )
    return not verdicts[False]


def _from_scratch(reports: list[JsonObject]) -> Sums:
    sums: Sums = {}
    add(sums, reference.settle(reports, load_rule_set()).rows, 1)
    return sums


def check_another_order(
    console: Console, settings: Settings, ledger: Ledger, reports: Sequence[bytes]
) -> bool:
    """Prove that the good reports in a random order give every cell the same sums.

    The ledger is empty afterwards.
    """
    cells, citizens = sum(map(len, ledger.sums.values())), sum(map(bool, ledger.sums.values()))
    shuffled = random.Random(SEED).sample(reports, len(reports))
    differing = ledger.subtract(settled(shuffled, settings))
    outcome = f"{differing:,} DIFFER" if differing else "all have the same sums to the øre"
    console.print(
        f"In another order, without Kafka: {cells:,} cells of {citizens:,} citizens, {outcome}."
    )
    return not differing


def settled(lines: Sequence[bytes], settings: Settings) -> list[bytes]:
    """Return the messages of `refusion settle --jobs` for lines."""
    postings = io.BytesIO()
    with meter("lines", len(lines)) as shown:
        settle(lines, settings, JOBS, postings, progress=shown.show)
    return postings.getvalue().splitlines()
