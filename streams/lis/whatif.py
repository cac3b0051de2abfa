"""The answer of `hvad-hvis`: what another rule set means for the municipalities."""

from typing import Final

from projections.lis.answers import Answer, AnswerRow, Figure, money, text
from projections.whatif.comparison import Comparison, ComparisonLine

NAMES: Final = {"municipality": "kommune", "benefit": "ydelse", "band": "trin", "month": "måned"}
MONEY: Final = (
    *(money("refusion_a", "refusion A"), money("refusion_b", "refusion B")),
    *(money("medfinansiering_a", "medfinansiering A"), money("medfinansiering_b", "medfin. B")),
    money("difference", "finansieringsbeløb, B − A"),
)


def what_if_answer(comparison: Comparison, rules: str, by: str, municipality: str | None) -> Answer:
    """Make the answer of a comparison: a line for each municipality, benefit, band or month."""
    figures: tuple[Figure, ...] = (text(by, NAMES[by]), *MONEY)
    rows = [_row(line) for line in comparison.lines(by, municipality)]
    return Answer("hvad-hvis", "Hvad hvis", "known", None, rules, figures, rows)


def _row(line: ComparisonLine) -> AnswerRow:
    return (
        *(line.name, line.a.refusion_ore, line.b.refusion_ore),
        *(line.a.medfinansiering_ore, line.b.medfinansiering_ore),
        line.difference.state_cost_ore,
    )
