"""A correction in a sentence: what came late or changed, and which weeks took other rates."""

from collections import Counter
from collections.abc import Mapping
from datetime import date
from typing import Any

from demo.ledger import corrections, share
from domain.basics.kroner import MINUS
from domain.basics.kroner import kroner as plain_kroner
from domain.ruledata.ruleset import Benefit

JsonObject = dict[str, Any]


def kroner(ore: int) -> str:
    """Write øre as kroner with two decimals, with a typographic minus."""
    return plain_kroner(ore, minus=MINUS)


def explained(
    message: JsonObject, reports: Mapping[str, JsonObject], benefits: Mapping[str, Benefit]
) -> str:
    """Explain why and by how much a message corrected.

    `reports` has the citizen's reports by `reporter/report_id`.
    """
    what = _what_came(reports[message["cause"]], reports, benefits)
    return f"Citizen {message['citizen'][:8]}…: {what}. {_what_moved(message)}"


def _what_came(
    report: JsonObject, reports: Mapping[str, JsonObject], benefits: Mapping[str, Benefit]
) -> str:
    came = report["reported_at"][:10]
    if report["type"] == "reversal":
        reversed_report = reports[f"{report['reporter']}/{report['reverses']}"]
        return f"{_payment(reversed_report, benefits)} was reversed on {came}"
    days = (date.fromisoformat(came) - date.fromisoformat(report["period_end"])).days
    when = f"{days} days after the period's end" if days > 0 else "before the period's end"
    return f"{_payment(report, benefits)} came on {came}, {when}"


def _payment(report: JsonObject, benefits: Mapping[str, Benefit]) -> str:
    name = benefits[report["benefit"]].name
    period = f"{report['period_start']} to {report['period_end']}"
    return f"{name} for {period} ({kroner(report['amount_ore'])} kr.)"


def _what_moved(message: JsonObject) -> str:
    changes = corrections(message)
    moved = [
        (before, after) for before, after in changes if after and before["rate"] != after["rate"]
    ]
    before, after = moved[0]
    weeks = (
        f"{len(moved)} weeks took other rates, the first"
        if len(moved) > 1
        else "One week took another rate, that"
    )
    rows = "rows" if len(changes) > 1 else "row"
    return (
        f"{weeks} of {before['week']} {before['rate']} % -> {after['rate']} %;"
        f" what had been posted was corrected in {len(changes)} {rows}, by {_change(changes)}."
    )


def _change(changes: list[tuple[JsonObject, JsonObject | None]]) -> str:
    by_mechanism: Counter[str] = Counter()
    for before, after in changes:
        by_mechanism[before["mechanism"]] += (share(after) if after else 0) - share(before)
    return " and ".join(
        f"{kroner(ore)} kr. of {mechanism}" for mechanism, ore in by_mechanism.items()
    )
