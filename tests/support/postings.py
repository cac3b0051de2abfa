"""Posting messages made by hand, and a ledger of them."""

from projections.ledger.entries import LedgerProgress, Posted, advance, read_page
from streams.ledger.table import Append, LedgerTable, entries_batch
from streams.settings import Settings

IDENTITY = Settings.load({"REFUSION_DEMO": "1"}).identity()
TOPIC = "refusion.postings"
MONEY = {"amount_ore": 0, "refusion_ore": 0, "medfinansiering_ore": 0}
ROW = {
    "kind": "result", "month": "2024-01", "week": "2024-01-01", "benefit": "KTH",
    "paying": "730", "financing": "730",
    "ordinal": 1, "mechanism": "refusion", "rate": 80, "account": None,
} | MONEY  # fmt: skip
COUNTERS = {"week": "2024-01-01", "seniority": 1, "earned": []}


def posting(cpr, revision, *rows, cause="12345678/1", reason="report", counters=None):
    """A message as the citizens stage writes it; rows are changes to ROW."""
    citizen, sealed = IDENTITY.of(cpr)
    whole = [
        ROW | {"id": f"{citizen[:4]}-{revision}-{number}"} | row for number, row in enumerate(rows)
    ]
    common = {"schema": 1, "type": "postings", "citizen": citizen, "revision": revision}
    return common | {
        "cause": cause,
        "reason": reason,
        "rules": "R-1",
        "cpr_sealed": sealed,
        "counters": counters or COUNTERS,
        "rows": whole,
    }


def marker(run, data_month="2024-01", closed_at="2024-02-10T23:30:00Z"):
    return {
        "schema": 1,
        "type": "run",
        "run": run,
        "closed_at": closed_at,
        "data_month": data_month,
    }


def posted(messages, start=0):
    """Messages as records.

    Offsets grow by two, because a transaction marker takes one; journal offsets by twenty."""
    return [
        Posted(start + 2 * number, message, 10 * (start + 2 * number))
        for number, message in enumerate(messages)
    ]


def new_ledger(folder, partitions=1, identity="cluster/topic"):
    return LedgerTable.make(str(folder), TOPIC, identity, partitions)


def append(ledger, progress, messages):
    """Messages into a partition of a ledger, as the stage does it."""
    page = read_page(progress, posted(messages, progress.position))
    end = progress.position + 2 * len(messages)
    ledger.append([Append(progress.partition, progress.position, end, entries_batch(page.entries))])
    advance(progress, page, end)


def ledger_of(folder, *partitions):
    """A ledger with these messages, one list for each partition."""
    ledger = new_ledger(folder, len(partitions))
    for number, messages in enumerate(partitions):
        append(ledger, LedgerProgress(number), messages)
    return ledger
