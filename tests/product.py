"""The product driven from published reports, in memory: what the tests compare with the reference."""

from collections import defaultdict
from collections.abc import Iterable
from functools import cache
from typing import Any, NamedTuple

import orjson

from domain.citizen import ConflictingDuplicateError
from domain.settlement import Law
from streams.citizens import Partition
from streams.identity import Identity
from streams.rulefiles import load_rule_set
from streams.validation import Accepted, Validator

JsonObject = dict[str, Any]
CELL = ("month", "week", "benefit", "paying", "financing")
MONEY = ("amount_ore", "atp_ore", "refusion_ore", "medfinansiering_ore")


class Books(NamedTuple):
    """What a ledger knows: the standing row of every cell, the last counters, and all messages."""

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
    """Reads reports as the program does in demo mode."""
    return Validator(load_rule_set(), demo=True)


IDENTITY = Identity(bytes(32), (bytes(range(32)),))


def settle_all(reports: Iterable[JsonObject], store: Any = None, batch: int = 1) -> Books:
    """Publish reports in their order; a conflicting duplicate is left out, as the program does."""
    store = {} if store is None else store
    partition = Partition(law(), store)
    messages, notices = [], []
    for number, report in enumerate(reports, 1):
        accepted = validator().parse(orjson.dumps(report))
        assert isinstance(accepted, Accepted), accepted
        assert accepted.cpr is not None
        citizen, sealed = IDENTITY.of(accepted.cpr)
        try:
            outcome = partition.settle(citizen, sealed, accepted.report)
        except ConflictingDuplicateError:
            continue
        messages += [orjson.loads(outcome.posting)] if outcome.posting else []
        notices += [orjson.loads(notice) for notice in outcome.notices]
        if number % batch == 0:
            write(partition, store)
    write(partition, store)
    nothing = {"week": None, "seniority": 0, "earned": []}
    return Books(standing_rows(messages), messages[-1]["counters"] if messages else nothing, messages, notices)


def write(partition: Partition, store: Any) -> None:
    """End a batch: its changes go to the store."""
    for key, value in partition.changes():
        store[key] = value


def standing_rows(messages: list[JsonObject]) -> list[JsonObject]:
    """The rows that no other row reverses; their money is also the sum over all rows of their cell."""
    rows = [row for message in messages for row in message["rows"]]
    reversed_ids = [row["reverses"] for row in rows if "reverses" in row]
    assert len(reversed_ids) == len(set(reversed_ids)), "a row was reversed twice"
    standing = [row for row in rows if "reverses" not in row and row["id"] not in set(reversed_ids)]
    sums: dict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0] * len(MONEY))
    for row in rows:
        cell = sums[tuple(row[name] for name in CELL)]
        for at, name in enumerate(MONEY):
            cell[at] += row.get(name, 0)
    for row in standing:
        assert sums.pop(tuple(row[name] for name in CELL)) == [row.get(name, 0) for name in MONEY]
    assert not any(any(cell) for cell in sums.values()), "money is left in a cell that has no row"
    return sorted(standing, key=lambda row: tuple(row[name] or "" for name in CELL))
