"""The SQL of the tables by which municipalities are compared: persons by step and by seniority.

Like `statements.py` it is standard SQL, and reads the names that are told there. Beside them it
reads `steps`: which step of the staircase a benefit is on at a rate.
"""

from collections.abc import Sequence

from projections.lis.statements import among, ordered, run_sql, total
from projections.lis.tables import MARTS, OF_VISITORS


def step_persons(run: int | None, municipalities: Sequence[str] = ()) -> str:
    """Write the statement of `step_persons`, for some municipalities or for all.

    As in `persons`, those whom the run touched are counted as before it and as after it.
    """
    some = among(municipalities)
    counts = ", ".join(
        f"CASE WHEN sum(CASE WHEN {which} THEN amount_ore ELSE 0 END) > 0 THEN 1 ELSE 0 END"
        f" AS {name}"
        for which, name in (
            ("of_run = 0", "before"),
            ("of_run >= 0", "after"),
            ("booked = 1", "by_run"),
        )
    )
    return f"""
WITH touched AS (
    SELECT DISTINCT municipality, month, citizen FROM run_months WHERE benefit <> 'FB'{some}
), moved AS (
    SELECT 0 AS of_run, 0 AS booked, earlier.municipality AS municipality,
        earlier.month AS month, earlier.citizen AS citizen, earlier.benefit AS benefit,
        earlier.rate AS rate, earlier.amount_ore AS amount_ore
    FROM earlier_months AS earlier
    JOIN touched ON touched.citizen = earlier.citizen AND touched.month = earlier.month
        AND touched.municipality = earlier.municipality
    WHERE earlier.benefit <> 'FB'{among(municipalities, "earlier.")}
    UNION ALL
    SELECT 1 AS of_run, booked, municipality, month, citizen, benefit, rate, amount_ore
    FROM run_months WHERE benefit <> 'FB'{some}
), counted AS (
    SELECT municipality, month, citizen, step, {counts}
    FROM moved JOIN steps ON steps.benefit = moved.benefit AND steps.rate = moved.rate
    GROUP BY municipality, month, citizen, step
), differences AS (
    SELECT municipality, month, step, {total("after - before", "persons")},
        {total("by_run", "booked_persons")}
    FROM counted GROUP BY municipality, month, step
)
SELECT {run_sql(run)} AS run, municipality, month, step, persons, booked_persons
FROM differences
WHERE persons <> 0 OR booked_persons <> 0
ORDER BY {ordered(MARTS["step_persons"])}"""


def seniorities(run: int | None) -> str:
    """Write the statement of `seniorities`: the citizens of the data month by seniority.

    The open run tells of all citizens: those without messages since the last run are as they were.
    """
    return f"""
WITH {_counters(run, ("seniority",))}
SELECT {run_sql(run)} AS run, citizens.municipality AS municipality, seniority,
    {total("present", "persons")}, {total("booked", "booked_persons")}
FROM citizens JOIN counters ON counters.citizen = citizens.citizen
GROUP BY citizens.municipality, seniority
HAVING sum(present) <> 0 OR sum(booked) <> 0
ORDER BY {ordered(MARTS["seniorities"])}"""


def visitors(run: int | None) -> str:
    """Write the statement of `visitors`: the data month's citizens with their latest row elsewhere.

    The open run tells of all citizens, as in `seniorities`.
    """
    columns = ", ".join(OF_VISITORS)
    return f"""
WITH {_counters(run, OF_VISITORS)}
SELECT {run_sql(run)} AS run, citizens.municipality AS municipality,
    citizens.citizen AS citizen, {columns}, present, booked
FROM citizens JOIN counters ON counters.citizen = citizens.citizen
WHERE home IS DISTINCT FROM citizens.municipality
ORDER BY {ordered(MARTS["visitors"])}"""


def _counters(run: int | None, columns: Sequence[str]) -> str:
    """Write the table of all citizens' counters: `counters`; `home` has their latest row.

    It reads `standing_made`, the rows of `standing` that were made for the run.
    """
    named = ", ".join(("citizen", "municipality AS home", *columns))
    others = f"""
    UNION ALL
    SELECT {named} FROM earlier_standing AS earlier
    WHERE NOT EXISTS (SELECT 1 FROM standing_made AS made WHERE made.citizen = earlier.citizen)"""
    return f"""counters AS (
    SELECT {named} FROM standing_made{others if run is None else ""}
)"""
