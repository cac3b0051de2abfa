"""Reports settled under two rule sets, and the difference in money (`refusion compare`)."""

from collections.abc import Callable, Iterable
from itertools import tee
from typing import Any, NamedTuple

import orjson

from domain.ruledata.ruleset import RuleSet
from projections.whatif.comparison import BREAKDOWNS, Comparison, ComparisonLine, Money
from streams.kit.errors import UserError
from streams.offline.settle import numbered, settled_blocks
from streams.settings import Settings


class NothingComparedError(UserError):
    """No line counts under either rule set, so that a difference of zero would say nothing."""


class Compared(NamedTuple):
    """Two rule sets, and the comparison of their results for the same reports."""

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
    """Settle reports under both rule sets, side by side, each with its own state.

    Raises:
        NothingComparedError: there are lines, and both rule sets reject all of them.
    """
    comparison, read, rejected, rejected_by_b = Comparison(), 0, 0, 0
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
        rejected_by_b += sum(1 for output in outputs_b if output.rejects)
        if progress:
            progress(read)
    if 0 < read == rejected == rejected_by_b:
        raise NothingComparedError(
            f"nothing was compared: both rule sets reject all lines ({read:,});"
            " `refusion settle --rejects FILE` tells why"
        )
    return Compared(a, b, comparison, read, rejected)


def as_object(compared: Compared, citizens: int) -> dict[str, Any]:
    """Return the comparison for programs; money in øre, a difference is B less A."""
    comparison = compared.comparison
    return {
        "a": compared.a.name,
        "b": compared.b.name,
        "lines": compared.lines,
        "rejected": compared.rejected,
        "total": _line_object(comparison.total()),
        "state_cost_difference_before_rounding_ore_hundredths": comparison.exact_difference(),
        **{
            f"by_{breakdown}": [
                {breakdown: line.name} | _line_object(line) for line in comparison.lines(breakdown)
            ]
            for breakdown in BREAKDOWNS
        },
        "citizens_affected": comparison.citizens(),
        "citizens": [
            {"citizen": citizen, "state_cost_difference_ore": ore}
            for citizen, ore in comparison.most_affected(citizens)
        ],
    }


def _line_object(line: ComparisonLine) -> dict[str, Any]:
    return {
        "a": _money_object(line.a),
        "b": _money_object(line.b),
        "difference": _money_object(line.difference),
    }


def _money_object(money: Money) -> dict[str, int]:
    return money._asdict() | {"state_cost_ore": money.state_cost_ore}
