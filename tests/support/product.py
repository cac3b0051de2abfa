"""The product driven from published reports, in memory: what the tests compare with the
reference.
"""

from collections import defaultdict
from collections.abc import Iterable
from functools import cache
from typing import Any, NamedTuple

import orjson

from domain.citizen.reports import RunMarker
from domain.citizen.state import Citizen
from domain.law.staircase import Law
from streams.citizens.outcomes import Outcome
from streams.citizens.rule_sets import LawBook, load_rule_set
from streams.citizens.settler import Partition, Settleable
from streams.citizens.store_port import MemoryStore
from streams.privacy.identity import Identity
from streams.wire.outcomes import Accepted, AcceptedOpening
from streams.wire.validator import Validator

JsonObject = dict[str, Any]
CELL = ("month", "week", "benefit", "paying", "financing")
MONEY = ("amount_ore", "atp_ore", "refusion_ore", "medfinansiering_ore")
OF_A_POSTING = ("id", "kind", "reverses", "ordinal")
"""Fields of a row that say how it was posted, not what is true; the ordinal is as of posting."""

NOTHING: JsonObject = {"week": None, "seniority": 0, "earned": []}
"""The counters of a citizen without a message."""


class Books(NamedTuple):
    """The knowledge of a ledger: the standing row of every cell, the last counters, and all
    messages."""

    rows: list[JsonObject]
    counters: JsonObject
    messages: list[JsonObject]
    notices: list[JsonObject]


@cache
def law() -> Law:
    """The default rule set, ready to settle with."""
    return Law(load_rule_set())


@cache
def validator() -> Validator:
    """Reads reports and run markers as `refusion settle` does in demo mode."""
    return Validator(LawBook().catalogue(), demo=True, markers=True)


IDENTITY = Identity(bytes(32), (bytes(range(32)),))


def settle_all(
    reports: Iterable[JsonObject], store: Any = None, batch: int = 1, settled_by: Law | None = None
) -> Books:
    """Publish reports in their order; a conflicting duplicate is left out, as the program does."""
    return books(outcomes(reports, store, batch, settled_by=settled_by))


def outcomes(
    reports: Iterable[JsonObject],
    store: Any = None,
    batch: int = 1,
    *,
    restarts: bool = False,
    settled_by: Law | None = None,
) -> list[Outcome]:
    """Settle reports and run markers. After every `batch` of them the state is written.

    With `restarts` a new worker, which knows only what is written, then goes on.
    """
    store = MemoryStore() if store is None else store
    settled_by = settled_by or law()
    partition = Partition(settled_by, store)
    found = []
    for report in reports:
        found.append(partition.settle(record_of(report)))
        if len(found) % batch == 0:
            write(partition, store)
            if restarts:
                partition = Partition(settled_by, store, partition.closed_month)
    write(partition, store)
    return found


def books(found: Iterable[Outcome]) -> Books:
    """Book the outcomes as a ledger does."""
    records = [orjson.loads(outcome.posting) for outcome in found if outcome.posting]
    messages = [record for record in records if record["type"] == "postings"]
    notices = [orjson.loads(notice) for outcome in found for notice in outcome.notices]
    counters = messages[-1]["counters"] if messages else NOTHING
    return Books(standing_rows(messages), counters, messages, notices)


def record_of(report: JsonObject) -> Settleable:
    """A valid report as the citizens stage takes it."""
    result = validator().parse(orjson.dumps(report))
    if isinstance(result, RunMarker):
        return result
    assert isinstance(result, Accepted | AcceptedOpening), (result, report)
    return (*IDENTITY.of(result.cpr), result.report)


def write(partition: Partition, store: Any) -> None:
    """End a batch: its changes go to the store."""
    store.write(partition.changes())


def state_of(store: Any, cpr: str) -> Citizen:
    """A citizen's state as a store has it."""
    citizen, _ = IDENTITY.of(cpr)
    return Citizen(citizen, store, law())


def true_now(rows: Iterable[JsonObject]) -> list[JsonObject]:
    """Rows without what only a posting has: what the reference and every other order must agree
    on.
    """
    return [
        {name: value for name, value in row.items() if name not in OF_A_POSTING} for row in rows
    ]


def standing_rows(messages: list[JsonObject]) -> list[JsonObject]:
    """The rows that no other row reverses; their money is also the sum over all rows of their
    cell.
    """
    rows = [row for message in messages for row in message["rows"]]
    reversed_ids = [row["reverses"] for row in rows if "reverses" in row]
    assert len(reversed_ids) == len(set(reversed_ids)), "a row was reversed twice"
    gone = set(reversed_ids)
    standing = [row for row in rows if "reverses" not in row and row["id"] not in gone]
    sums: dict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0] * len(MONEY))
    for row in rows:
        cell = sums[tuple(row[name] for name in CELL)]
        for at, name in enumerate(MONEY):
            cell[at] += row.get(name, 0)
    for row in standing:
        assert sums.pop(tuple(row[name] for name in CELL)) == [row.get(name, 0) for name in MONEY]
    assert not any(any(cell) for cell in sums.values()), "money is left in a cell that has no row"
    return sorted(standing, key=lambda row: tuple(row[name] or "" for name in CELL))
