"""The tables about runs: what their closing kept, what was expected, and what they are.

Each run has its own rows, and nothing in them is added up over runs.
"""

from typing import Final

from projections.lis.columns import BENEFIT, RUN, Column, Mart

COMPLETENESS: Final = Mart(
    "completeness",
    "run, reporter, benefit, month: kept by `refusion run close`",
    (
        RUN,
        Column("reporter", "string", "CVR or SE number"),
        Column("benefit", "string", "code of the benefit; '' where it is about the reporter"),
        Column("month", "string", "the run's data month, or the month of a control sum"),
    ),
    (
        Column("received", "long", "payments received for the month"),
        Column("received_ore", "long", "øre: their amounts"),
        Column("expected_ore", "long", "øre: the median of the months before; null: unknown yet"),
        Column("deviation_ore", "long", "øre: received less expected; null: unknown yet"),
        Column(
            "hold",
            "string",
            "what held the run (missing, jump, duplicate, control_sum, future_month), joined by a"
            " space; null: nothing",
        ),
        Column("accepted", "string", "the reason for which it was closed all the same; else null"),
    ),
    ("reporter", "benefit", "month"),
)

CONTROLS: Final = Mart(
    "controls",
    "run, reporter, benefit, month: control sums, kept by `refusion run close`, and the ledger's",
    (
        RUN,
        Column("reporter", "string", "CVR or SE number"),
        BENEFIT,
        Column("month", "string", "the month of the money, YYYY-MM"),
    ),
    (
        Column("lines", "long", "payments that came, with money in the month; refused ones too"),
        Column("received_ore", "long", "øre: what came with them"),
        Column("reversed_ore", "long", "øre: what reversals took back; mostly below 0"),
        Column("rejected_ore", "long", "øre: what was refused when it was to be settled"),
        Column("outside_ore", "long", "øre: what the law gives no row for"),
        Column("opened_ore", "long", "øre: what an earlier system had settled (opening rows)"),
        Column("posted_ore", "long", "øre: what was posted for it, when the run was looked at"),
        Column("ledger_ore", "long", "øre: the ledger's rows of the run up to the same place"),
        Column("rows", "long", "the number of those rows"),
        Column(
            "later_ore",
            "long",
            "øre: the ledger's rows of the run from reports that came between the look and the cut",
        ),
    ),
    ("reporter", "benefit", "month"),
)

RUNS: Final = Mart(
    "runs",
    "run: the runs that the tables hold, and one of null for the open one",
    (RUN,),
    (
        Column("data_month", "string", "YYYY-MM; null: the open run"),
        Column("closed_at", "string", "UTC, as in the marker; null: the open run"),
        Column("rules", "string", "names of the rule sets of its messages, joined by a space"),
        Column("first_month", "string", "the first month that it has rows of; null: no rows"),
        Column("last_month", "string", "the last month that it has rows of; null: no rows"),
    ),
    ("run",),
)
