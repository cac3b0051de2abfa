"""Settles reports under two rule sets and shows the difference in money (`refusion compare`)."""

import sys
from collections.abc import Callable, Iterable
from itertools import tee
from typing import Any, NamedTuple

import orjson
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from domain.ruledata.ruleset import RuleSet
from projections.whatif.comparison import BREAKDOWNS, Comparison, Line, Money
from streams.offline.settle import numbered, settled_blocks
from streams.settings import Settings

TITLES = {
    "benefit": "By benefit",
    "municipality": "By municipality",
    "band": "By band",
    "month": "By month",
}


class Compared(NamedTuple):
    """Two rule sets and what they make of the same reports."""

    a: RuleSet
    b: RuleSet
    comparison: Comparison
    lines: int
    rejected: int


def compare_lines(
    lines: Iterable[bytes],
    settings: Settings,
    jobs: int,
    a: RuleSet,
    b: RuleSet,
    progress: Callable[[int], None] | None = None,
) -> Compared:
    """Settle reports under both rule sets, side by side, each with a state of its own."""
    comparison, read, rejected = Comparison(), 0, 0
    lines_a, lines_b = tee(numbered(lines))
    both = zip(
        settled_blocks(lines_a, settings, jobs, a),
        settled_blocks(lines_b, settings, jobs, b),
        strict=True,
    )
    for (size, outputs_a), (_, outputs_b) in both:
        for posted in (output.postings for output in outputs_a if output.postings):
            comparison.add("a", orjson.loads(posted))
        for posted in (output.postings for output in outputs_b if output.postings):
            comparison.add("b", orjson.loads(posted))
        read += size
        rejected += sum(1 for output in outputs_a if output.rejects)
        if progress:
            progress(read)
    return Compared(a, b, comparison, read, rejected)


def as_object(compared: Compared, citizens: int) -> dict[str, Any]:
    """The comparison for programs. Money is øre, B less A where it is a difference."""
    comparison = compared.comparison
    return {
        "a": compared.a.name,
        "b": compared.b.name,
        "lines": compared.lines,
        "rejected": compared.rejected,
        "total": _line_object(comparison.total()),
        **{
            f"by_{each}": [
                {each: line.name} | _line_object(line) for line in comparison.lines(each)
            ]
            for each in BREAKDOWNS
        },
        "citizens_affected": comparison.citizens(),
        "citizens": [
            {"citizen": citizen, "state_cost_difference_ore": ore}
            for citizen, ore in comparison.most_affected(citizens)
        ],
    }


def _line_object(line: Line) -> dict[str, Any]:
    return {
        "a": _money_object(line.a),
        "b": _money_object(line.b),
        "difference": _money_object(line.difference),
    }


def _money_object(money: Money) -> dict[str, int]:
    return money._asdict() | {"state_cost_ore": money.state_cost_ore}


# For people


def show(compared: Compared, citizens: int) -> None:
    """The comparison for people, in tables."""
    console = Console(
        width=None if sys.stdout.isatty() else 120,
        soft_wrap=not sys.stdout.isatty(),
        highlight=False,
    )
    comparison = compared.comparison
    console.print(
        f"A is {compared.a.name}, B is {compared.b.name}; kroner, all corrections included."
    )
    console.print("The cost to the State is its refusion less the municipalities' medfinansiering.")
    rejected = (
        f", {compared.rejected:,} of them rejected (`refusion settle --rejects FILE` tells why)"
    )
    console.print(f"{compared.lines:,} lines{rejected if compared.rejected else ''}.\n")
    for each in BREAKDOWNS:
        table = _money_table(TITLES[each], each)
        for line in comparison.lines(each):
            table.add_row(_label(each, line.name, compared.a), *_cells(line))
        table.add_section()
        table.add_row("all", *_cells(comparison.total()))
        console.print(table)
    console.print(_citizen_table(comparison, citizens))


def _label(breakdown: str, name: str, rules: RuleSet) -> str:
    """What people call a line."""
    if breakdown == "benefit":
        return f"{name}  {rules.benefits[name].name}"
    return f"{name} {rules.municipalities.get(name, '')}" if breakdown == "municipality" else name


def _money_table(title: str, first: str) -> Table:
    table = _table(title)
    table.add_column(first)
    for column in ("refusion A", "refusion B", "medfin. A", "medfin. B", "cost to State, B − A"):
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", box=SIMPLE if sys.stdout.isatty() else None)


def _cells(line: Line) -> list[str]:
    money = (
        line.a.refusion_ore,
        line.b.refusion_ore,
        line.a.medfinansiering_ore,
        line.b.medfinansiering_ore,
    )
    return [*(_kroner(ore) for ore in money), _kroner(line.difference.state_cost_ore, "+")]


def _kroner(ore: int, plus: str = "") -> str:
    whole, rest = divmod(abs(ore), 100)
    return f"{'−' if ore < 0 else plus if ore else ''}{whole:,}.{rest:02d}"


def _citizen_table(comparison: Comparison, number: int) -> Table:
    affected = comparison.citizens()
    table = _table(
        f"Citizens most affected, of {affected:,}" if affected else "No citizen is affected"
    )
    table.add_column("citizen")
    table.add_column("cost to State, B − A", justify="right")
    for citizen, ore in comparison.most_affected(number):
        table.add_row(citizen, _kroner(ore, "+"))
    return table
