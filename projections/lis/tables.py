"""The tables of LIS: every column with its type, unit and meaning.

Each table is partitioned by `run`: the run that was closed next after an entry in its partition of
the ledger, **null for entries that no run has closed yet**. That holds for opening rows too: theirs
is the run that was closed next, though no run's files have them (`kind` `opening`, `booked` 0).

Three questions are one choice everywhere (`Asked`), and `rows_of` writes it as SQL:

* `settled`, run N: what run N booked, `run = N` without opening rows;
* `of`, run N: what was true when run N was closed, the sum over `run <= N`;
* `known`: all that is posted, the sum over everything, the open run included.

So measures are **differences**: what a run changed. They are added up over runs, and nothing is
ever edited. Where a sum over runs is not what is meant, the column says so (`persons.booked_…`,
the whole table `standing`, the counts of `corrections`).
"""

from collections.abc import Mapping
from typing import Final, Literal

from projections.lis.columns import (
    BENEFIT,
    CITIZEN,
    MONTH,
    MUNICIPALITY,
    RATE,
    REASON,
    RUN,
    Column,
    Mart,
)
from projections.lis.forecast_tables import FLOWS, FORECAST
from projections.lis.run_tables import COMPLETENESS, CONTROLS, RUNS

Asked = Literal["settled", "of", "known"]
"""The three ways to ask: see above."""

WEEKS_OF_A_MONTH: Final = 6
"""The most ISO weeks that a month has days in: a month of 31 days that begins on a Sunday."""


MONEY: Final = Mart(
    "money",
    "run, municipality, parties, benefit, mechanism, rate, account, month, kind, reason",
    (
        RUN,
        MUNICIPALITY,
        Column("paying", "string", "municipality that paid; null for a-kasse and UDK"),
        Column("financing", "string", "municipality that finances"),
        BENEFIT,
        Column("mechanism", "string", "refusion or medfinansiering"),
        RATE,
        Column("account", "string", "the State's account; null where none is known"),
        MONTH,
        Column("kind", "string", "result, correction, opening"),
        REASON,
    ),
    (
        Column("amount_ore", "long", "øre: what the results are calculated from"),
        Column("atp_ore", "long", "øre: the ATP that was deducted from it"),
        Column("refusion_ore", "long", "øre: what the State owes the municipality"),
        Column("medfinansiering_ore", "long", "øre: what the municipality owes the State"),
        Column("rows", "long", "posting rows, reversing ones included"),
        Column(
            "weeks",
            "long",
            "rows that stand: 1 for a row, -1 for one that reverses, summed",
        ),
    ),
    ("municipality", "month", "benefit", "mechanism", "rate"),
)

BOOKED_PERSONS: Final = Column(
    "booked_persons",
    "long",
    "no difference: the same count over the rows alone that the run booked, for `settled`; never"
    " added up over runs",
)

PERSONS: Final = Mart(
    "persons",
    "run, municipality, month, benefit (null: all but FB together), rate (null: all)",
    (
        RUN,
        MUNICIPALITY,
        MONTH,
        Column("benefit", "string", "code of the benefit, never FB; null: all of them together"),
        Column("rate", "integer", "percent of the amount; null: all of them together"),
    ),
    (
        Column(
            "persons",
            "long",
            "difference: citizens whose rows with these keys sum to an amount over 0; its sum over"
            " runs is the number as of a run",
        ),
        Column(
            "weeks",
            "long",
            "difference: different Mondays, a counted citizen each, whose rows with these keys sum"
            " to an amount over 0",
        ),
        BOOKED_PERSONS,
        Column("booked_weeks", "long", "likewise the weeks; never added up over runs"),
    ),
    ("municipality", "month", "benefit", "rate"),
)

STEP_PERSONS: Final = Mart(
    "step_persons",
    "run, municipality, month, step",
    (RUN, MUNICIPALITY, MONTH, Column("step", "integer", "step of the staircase, the first is 1")),
    (
        Column(
            "persons",
            "long",
            "difference: citizens whose rows on that step, of all benefits on the staircase, sum to"
            " an amount over 0",
        ),
        BOOKED_PERSONS,
    ),
    ("municipality", "month", "step"),
)

SENIORITIES: Final = Mart(
    "seniorities",
    "run, municipality, seniority: citizens of the data month. Nothing is added up over runs",
    (
        Column("run", "integer", "the run as of which it is true; null: as known now"),
        MUNICIPALITY,
        Column(
            "seniority",
            "integer",
            "weeks with benefits since the last new start; null where nobody knows them",
        ),
    ),
    (
        Column("persons", "long", "citizens with a row that stands in the data month, never FB"),
        Column("booked_persons", "long", "those with a row there that the run booked"),
    ),
    ("municipality", "seniority"),
)

PERSON_MONTHS: Final = Mart(
    "person_months",
    "run, municipality, month, citizen, benefit, rate, booked",
    (
        RUN,
        MUNICIPALITY,
        MONTH,
        CITIZEN,
        BENEFIT,
        RATE,
        Column("booked", "integer", "1: rows that a run books; 0: opening rows"),
    ),
    (
        Column("amount_ore", "long", "øre: what the results are calculated from"),
        Column("refusion_ore", "long", "øre: what the State owes the municipality"),
        Column("medfinansiering_ore", "long", "øre: what the municipality owes the State"),
        Column(
            "weeks",
            "long",
            "rows that stand: 1 for a row, -1 for one that reverses, summed",
        ),
        *(
            Column(
                f"week_{number}_ore",
                "long",
                f"øre: the part of amount_ore in the month's ISO week number {number}; a week"
                " counts where these sum to more than 0",
            )
            for number in range(1, WEEKS_OF_A_MONTH + 1)
        ),
    ),
    ("municipality", "month", "citizen", "benefit", "rate"),
)

IN_DATA_MONTH: Final = (
    Column(
        "present",
        "integer",
        "1: has a row of that municipality in the data month that stands, never FB; else 0",
    ),
    Column("booked", "integer", "1: has one there that the run booked; else 0"),
)
OF_VISITORS: Final = ("at_week", "seniority", "rate", "weeks_to_next", "next_rate")
"""The counters of a citizen that its latest row's municipality is not alone in seeing."""

STANDING: Final = Mart(
    "standing",
    "run, citizen: every citizen that had a message by then. Nothing is added up over runs",
    (
        Column(
            "run",
            "integer",
            "the run as of which it is true; null: citizens with messages since the last run, who"
            " take the place of their row of the last closed run",
        ),
        CITIZEN,
    ),
    (
        Column(
            "at_week",
            "string",
            "Monday of the week at whose end the counters are told: the one that holds the data"
            " month's last day, or counters_week where that is later; null where neither is known",
        ),
        Column("municipality", "string", "municipality of the latest row that stands; null: none"),
        Column("month", "string", "month of the latest row that stands; null: none"),
        Column("benefit", "string", "benefit of the latest row that stands, never FB; null: none"),
        Column(
            "week_ore",
            "long",
            "øre: the largest amount of a week among the rows of that municipality, month and"
            " benefit: what a whole week costs; null: none",
        ),
        Column("rules", "string", "the rule set of the last message"),
        Column("counters_week", "string", "Monday of the last week with benefits or other support"),
        Column(
            "posted_seniority",
            "integer",
            "the counters as the last message has them, at the end of counters_week: weeks with"
            " benefits; null where the ledger was written before it had counters",
        ),
        Column("posted_earned", "string", "likewise the earned weeks, as JSON"),
        Column(
            "after_transfer", "string", "likewise what holds after a transfer, as JSON; else null"
        ),
        Column("seniority", "integer", "weeks with benefits since the last new start"),
        Column("step", "integer", "step of the staircase of max(seniority, 1), the first is 1"),
        Column("rate", "integer", "percent of refusion on that step"),
        Column(
            "weeks_to_next",
            "integer",
            "weeks with benefits until the first at a lower rate, that one counted; null on the"
            " last step",
        ),
        Column("next_rate", "integer", "percent of refusion from there; null on the last step"),
        Column("earned", "integer", "self-support weeks earned and inside the window"),
        Column("missing", "integer", "weeks missing to a new start; null where nothing is earned"),
        Column(
            "leaving_week",
            "string",
            "Monday of the week in which earned weeks next leave the window, if no more are earned"
            " until then; null: none is earned",
        ),
        Column("leaving", "integer", "how many leave it then"),
        *IN_DATA_MONTH,
    ),
    ("municipality", "month", "citizen"),
)

VISITORS: Final = Mart(
    "visitors",
    "run, municipality, citizen: citizens with a row of the municipality in the data month, whose"
    " latest row is another's. Nothing is added up over runs",
    (
        Column("run", "integer", "the run as of which it is true; null: as known now"),
        MUNICIPALITY,
        CITIZEN,
    ),
    (*(column for column in STANDING.measures if column.name in OF_VISITORS), *IN_DATA_MONTH),
    ("municipality", "citizen"),
)

CORRECTIONS: Final = Mart(
    "corrections",
    "run, municipality, month, reason, benefit, kind and reporter (null: all together)",
    (
        RUN,
        MUNICIPALITY,
        Column("month", "string", "the month that is corrected, YYYY-MM"),
        Column(
            "age_months",
            "integer",
            "months from it to the run's data month (the open run: to the month after the last"
            " run's); null where no run was closed yet",
        ),
        REASON,
        BENEFIT,
        Column(
            "kind",
            "string",
            "correction: rows of that kind; result: rows that nothing stood before, of a month"
            " before the run's data month; null: both together, then the reporter is null too",
        ),
        Column(
            "reporter",
            "string",
            "the report's reporter; '' where no report was the cause; null: all together",
        ),
    ),
    (
        Column("citizens", "long", "different citizens; never added up"),
        Column("weeks", "long", "different Mondays, a citizen each; never added up over reporters"),
        Column("amount_up_ore", "long", "øre: amounts of the cells whose amount rose"),
        Column("amount_down_ore", "long", "øre: of those whose amount fell; 0 or less"),
        Column(
            "up_ore",
            "long",
            "øre: refusion less medfinansiering, of the cells in which it rose for the"
            " municipality",
        ),
        Column("down_ore", "long", "øre: of those in which it fell; 0 or less"),
    ),
    ("municipality", "month", "reason", "benefit", "kind", "reporter"),
)

MARTS: Final[Mapping[str, Mart]] = {
    mart.name: mart
    for mart in (
        *(MONEY, PERSONS, STEP_PERSONS, PERSON_MONTHS, STANDING, VISITORS, SENIORITIES),
        *(CORRECTIONS, COMPLETENESS, CONTROLS, RUNS),
        *(FLOWS, FORECAST),
    )
}
"""All tables by name."""

OF_ROWS: Final = (MONEY, PERSONS, STEP_PERSONS, PERSON_MONTHS, CORRECTIONS)
"""Tables whose `month` is that of a run's rows: each between its `first_month` and `last_month`."""

WEEKS: Final = " + ".join(
    f"CASE WHEN sum(week_{number}_ore) > 0 THEN 1 ELSE 0 END"
    for number in range(1, WEEKS_OF_A_MONTH + 1)
)
"""SQL over grouped `person_months`: the number of weeks in which the group has money."""


def rows_of(mart: Mart, asked: Asked, run: int | None) -> str:
    """Write the SQL condition for the rows of a mart that a question adds up.

    Not for `standing`, of which a run's rows are asked, and not for the columns `persons.booked_…`.

    >>> rows_of(MONEY, "settled", 82)
    "run = 82 AND kind <> 'opening'"
    >>> rows_of(MONEY, "of", 82)
    'run <= 82'
    """
    if asked == "known":
        return "TRUE"
    if asked == "of":
        return f"run <= {run}"
    names = {column.name for column in mart.keys}
    if "booked" in names:
        return f"run = {run} AND booked = 1"
    return f"run = {run} AND kind <> 'opening'" if mart is MONEY else f"run = {run}"
