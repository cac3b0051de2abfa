"""The tables of the forecast: how citizens went on, and what is expected (`docs/forecast.md`).

Nothing in them is added up over runs: each run has its own rows. The open run has none.
"""

from typing import Final

from projections.lis.columns import MONTH, MUNICIPALITY, Column, Mart

_RUN: Final = Column("run", "integer", "the closed run that knew it")

FLOWS: Final = Mart(
    "flows",
    "run, municipality, where citizens were in the month before, and how they went on",
    (
        _RUN,
        MUNICIPALITY,
        Column("month", "string", "the run's data month, YYYY-MM"),
        Column("benefit_before", "string", "latest benefit by then; null: who came new"),
        Column("step_before", "integer", "step of who had benefits in the month before; else null"),
        Column("away_before", "integer", "months since the latest row, 36 and more are 36"),
        Column(
            "state",
            "string",
            "present: has benefits in the data month; away: has none; moved: is no longer the"
            " municipality's",
        ),
        Column("benefit", "string", "the benefit of who is present; else null"),
        Column("weeks_at_entry", "integer", "seniority of who came new, 60 and more are 60"),
    ),
    (
        Column("persons", "long", "citizens"),
        Column("restarts", "long", "those of them who began the staircase anew"),
        Column("weeks_gained", "long", "weeks of seniority that the others who are present gained"),
        Column("weeks_possible", "long", "weeks that they could gain"),
    ),
    ("municipality", "benefit_before", "step_before", "away_before", "state", "benefit"),
)

FORECAST: Final = Mart(
    "forecast",
    "run, municipality (null: the country), month, benefit (null: all), step (null: all)",
    (
        _RUN,
        MUNICIPALITY,
        MONTH,
        Column("months_ahead", "integer", "months after the data month; 0: the month as it was"),
        Column("benefit", "string", "latest benefit; null: all of them together"),
        Column(
            "step",
            "integer",
            "step of the staircase; 0: benefits that are not on it; null: all of them together",
        ),
    ),
    (
        Column("persons", "long", "expected persons, in millionths"),
        Column("restarts", "long", "of them, who begins the staircase anew, in millionths"),
        Column("base_ore", "long", "øre: what the results are calculated from"),
        Column("refusion_ore", "long", "øre: what the State owes the municipality"),
        Column("medfinansiering_ore", "long", "øre: what the municipality owes the State"),
        Column("net_ore", "long", "øre: what the municipality pays itself"),
        Column("persons_low", "long", "the lower bound of the middle 80 %; null: not known yet"),
        Column("persons_high", "long", "the upper bound; null: not known yet"),
        Column("net_low_ore", "long", "øre: the lower bound; null: not known yet"),
        Column("net_high_ore", "long", "øre: the upper bound; null: not known yet"),
    ),
    ("benefit", "step", "months_ahead", "municipality", "month"),
)
"""The rows of all benefits together lie side by side: `prognosefejl` reads those, a tenth of it."""
