"""Tables of what came in and what came out, without lines and colours outside a terminal."""

from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

import orjson
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from demo.cluster import ByPartition
from demo.ledger import Ledger
from demo.population import JsonObject, Reports
from demo.sentences import explained, kroner
from streams.citizens.rule_sets import load_rule_set

EXPLAINED = 3


class Fates(NamedTuple):
    """The fates of the published records, each counted once."""

    accepted: int
    rejected: Counter[str]
    """The rejected records by reason."""
    again: int
    """Records of the journal that intake had delivered before a crash."""


def fates(reports: ByPartition, dead_letters: ByPartition) -> Fates:
    """Find the fate of each raw record, by its position."""
    raw = {
        (str(partition), str(record.offset)): headers["raw"].decode()
        for partition, records in reports.items()
        for record in records
        if "raw" in (headers := dict(record.headers))
    }
    reasons: dict[str, str] = {}
    for record in _all(dead_letters):
        headers = {name: value.decode() for name, value in record.headers}
        at = (headers["partition"], headers["offset"])
        reasons["/".join((headers["topic"], *at)) if headers["stage"] == "intake" else raw[at]] = (
            headers["reason"]
        )
    delivered = set(raw.values())
    return Fates(
        len(delivered - reasons.keys()), Counter(reasons.values()), len(raw) - len(delivered)
    )


def show(
    console: Console, outcome: Fates, notices: ByPartition, ledger: Ledger, of_citizen: Reports
) -> None:
    """Show the tables, and the largest corrections in words."""
    console.print(_reports_table(console, outcome, notices))
    console.print(_postings_table(console, ledger))
    console.print(_money_table(console, ledger))
    console.print("The largest corrections that moved a week to another rate, for three citizens")
    for sentence in largest_explained(ledger, of_citizen):
        console.print(f"  * {sentence}")


def table(console: Console, title: str, *columns: str) -> Table:
    """Make a table; all columns but the first hold numbers."""
    made = Table(title=title, title_justify="left", box=SIMPLE if console.is_terminal else None)
    for number, name in enumerate(columns):
        made.add_column(name, justify="right" if number else "left")
    return made


def _row(table: Table, name: str, *numbers: int) -> None:
    table.add_row(name, *(f"{number:,}" for number in numbers))


def _reports_table(console: Console, outcome: Fates, notices: ByPartition) -> Table:
    shown = table(console, "Reports in", "records", "number")
    _row(shown, "accepted", outcome.accepted)
    for reason, number in outcome.rejected.most_common():
        _row(shown, f"rejected: {reason}", number)
    _row(shown, "delivered twice to the journal by the crash, without effect", outcome.again)
    for code, number in _notice_codes(_all(notices)).most_common():
        _row(shown, f"noticed: {code}", number)
    return shown


def _all(records: ByPartition) -> Iterable[Any]:
    return (record for partition in records.values() for record in partition)


def _notice_codes(notices: Iterable[Any]) -> Counter[str]:
    return Counter(orjson.loads(notice.value)["code"] for notice in notices)


def _postings_table(console: Console, ledger: Ledger) -> Table:
    shown = table(console, "Postings out", "rows and messages", "number")
    _row(shown, "results", ledger.rows["result"])
    _row(shown, "corrections: rows reversed", ledger.rows["reversing"])
    _row(shown, "corrections: rows in their place", ledger.rows["correction"])
    for reason, number in ledger.messages.most_common():
        _row(shown, f"messages for reason {reason}", number)
    return shown


def _money_table(console: Console, ledger: Ledger) -> Table:
    """Show the money after all corrections."""
    shown = table(
        console, "Money, corrections included", "mechanism and rate", "amount, kr.", "of it, kr."
    )
    for (mechanism, rate), (amount_ore, share_ore) in sorted(ledger.by_rate.items()):
        shown.add_row(f"{mechanism} {rate} %", kroner(amount_ore), kroner(share_ore))
    return shown


def largest_explained(ledger: Ledger, of_citizen: Reports) -> list[str]:
    """Explain the largest corrections in a sentence each."""
    benefits = load_rule_set().benefits
    largest = sorted(
        ledger.largest.values(), key=lambda correction: correction.size_ore, reverse=True
    )[:EXPLAINED]
    return [
        explained(
            correction.message, _by_cause(of_citizen[correction.message["citizen"]]), benefits
        )
        for correction in largest
    ]


def _by_cause(reports: list[JsonObject]) -> dict[str, JsonObject]:
    return {f"{report['reporter']}/{report['report_id']}": report for report in reports}
