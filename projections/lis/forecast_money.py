"""Writes the SQL that turns expected citizens into money, and past errors into intervals.

`forecast_statements.py` has the citizens; `docs/forecast.md` explains both.
"""

from typing import Final

from projections.lis.forecast_statements import MILLION, MONTHS_OF_AMOUNTS, NO_STEP

LIKE_DAYS: Final = 300
"""The weight of the country's amounts beside a municipality's own, as so many persons' days."""
PLACES: Final = 10_000
"""Spreads are told apart by their fourth place: the order of sums does not change it."""
DAYS_OF_A_MONTH: Final = 30
"""The days for which a benefit that is paid by the month is paid in any of them."""
LEAST_ERRORS: Final = 30
"""The errors from which an interval is told."""
ERRORS_OF: Final = 24
"""The runs whose errors make an interval."""
SIZES: Final = (10, 30, 100, 300, 1_000, 3_000, 10_000, 100_000)
"""The numbers of persons at which errors begin to be told apart."""

_SUMS: Final = ", ".join(
    f"CAST(sum({name}) AS BIGINT) AS {name}"
    for name in (
        "persons",
        "restarts",
        "base_ore",
        "refusion_ore",
        "medfinansiering_ore",
        "net_ore",
    )
)


def _grains(keys: str = "") -> str:
    """Write the groups: municipality or country, by benefit, step, both, or neither."""
    sets = (
        f"({f'{keys}{place}{what}'.rstrip(', ')})"
        for place in ("municipality, ", "")
        for what in ("benefit, step", "benefit", "step", "")
    )
    return f"GROUP BY GROUPING SETS ({', '.join(sets)})"


def as_it_was(run: int, month: str) -> str:
    """Write the rows of the data month itself: what the run knew of it, at the distance 0."""
    return f"""
SELECT municipality, '{month}' AS month, 0 AS months_ahead, benefit, step, {_SUMS}
FROM (
    SELECT municipality, benefit, {_shown_step("benefit", "step")} AS step,
        count(*) * {MILLION} AS persons, 0 AS restarts, 0 AS base_ore, 0 AS refusion_ore,
        0 AS medfinansiering_ore, 0 AS net_ore
    FROM here_now WHERE away = 0 GROUP BY ALL
    UNION ALL
    SELECT municipality, benefit, COALESCE(steps.step, {NO_STEP}) AS step, 0, 0,
        sum(amount_ore), sum(refusion_ore), sum(medfinansiering_ore),
        sum(CASE mechanism WHEN 'refusion' THEN amount_ore - refusion_ore
            ELSE medfinansiering_ore END)
    FROM money LEFT JOIN steps USING (benefit, rate)
    WHERE run <= {run} AND month = '{month}' AND benefit <> 'FB' GROUP BY ALL
) AS told
{_grains()}"""


def _shown_step(benefit: str, step: str) -> str:
    return (
        f"CASE WHEN {benefit} IN (SELECT benefit FROM steps) THEN CAST({step} AS INTEGER)"
        f" ELSE {NO_STEP} END"
    )


def _whole(persons: str, parts: str) -> str:
    """Write the persons of a month, those who come or go in it as halves; a tenth at least."""
    return f"GREATEST({persons} // 10, {persons} - ({parts}) // 2)"


def lately(month: int) -> str:
    """Write what each benefit cost in each month so far, and for how many persons.

    `whole` counts who comes in a month or goes after it as half a person. Who goes after the data
    month is expected, and not known yet.
    """
    return f"""
WITH parts AS (
    SELECT municipality, benefit, number, sum(persons) AS persons
    FROM (
        SELECT municipality, benefit, number, persons * {MILLION} AS persons
        FROM learned JOIN months USING (month)
        WHERE state = 'present' AND (benefit_before IS NULL OR away_before > 0)
        UNION ALL
        SELECT municipality, benefit_before, number - 1, persons * {MILLION}
        FROM learned JOIN months USING (month)
        WHERE state <> 'present' AND away_before = 0
        UNION ALL
        SELECT municipality, benefit, {month}, leaving FROM ahead WHERE months_ahead = 0
    ) AS parts_of_months
    GROUP BY GROUPING SETS ((municipality, benefit, number), (benefit, number))
)
SELECT known.municipality, known.benefit, months.month, months.number, days, base_ore,
    known.persons, {_whole("known.persons", "COALESCE(parts.persons, 0)")} AS whole
FROM known JOIN months USING (month)
LEFT JOIN parts ON parts.number = months.number AND parts.benefit = known.benefit
    AND parts.municipality IS NOT DISTINCT FROM known.municipality
WHERE known.months_ahead = 0 AND known.benefit IS NOT NULL AND known.step IS NULL"""


def paid_days(month: int) -> str:
    """Write for how many days each benefit is paid in each month, and to whom in part (`in_part`).

    Of four ways to count, each benefit has that by which the country's amounts varied least over
    the last year: by the days of the month or by the month, and with who comes or goes in a month
    as half a person or as a whole one.
    """
    return f"""
WITH ways AS (
    SELECT benefit, by_month, in_part, stddev_pop(amount) / avg(amount) AS spread
    FROM (
        SELECT benefit, by_month, in_part, CAST(base_ore AS DOUBLE)
            / CASE WHEN in_part THEN whole ELSE persons END
            / CASE WHEN by_month THEN {DAYS_OF_A_MONTH} ELSE days END AS amount
        FROM lately, (VALUES (FALSE), (TRUE)) AS months_or_days (by_month),
            (VALUES (FALSE), (TRUE)) AS halves (in_part)
        WHERE number > {month - 12} AND municipality IS NULL AND persons > 0
    ) AS counted
    GROUP BY benefit, by_month, in_part HAVING avg(amount) > 0
), best AS (
    SELECT *, row_number() OVER (PARTITION BY benefit
        ORDER BY round({PLACES} * spread), by_month, in_part) AS place
    FROM ways
)
SELECT benefit, month, number, CASE WHEN by_month THEN {DAYS_OF_A_MONTH} ELSE days END AS days,
    in_part
FROM best, months WHERE place = 1"""


_PERSON_DAYS: Final = (
    "CAST(sum(CASE WHEN in_part THEN whole ELSE persons END * paid_days.days) AS DOUBLE)"
)


def day_amounts(month: int, first_of_year: int) -> str:
    """Write what a day costs in each municipality and benefit, in øre.

    Of the last months, as far as they lie in the year of the data month, since amounts change with
    the year. A municipality that has not paid a benefit lately has the country's amount.
    """
    first = max(month - MONTHS_OF_AMOUNTS + 1, first_of_year)
    return f"""
WITH told AS (
    SELECT municipality, benefit, sum(base_ore) AS ore, {_PERSON_DAYS} / {MILLION} AS days
    FROM lately JOIN paid_days USING (benefit, month)
    WHERE lately.number BETWEEN {first} AND {month}
    GROUP BY ALL
), country AS (
    SELECT benefit, ore / days AS a_day FROM told WHERE municipality IS NULL AND days > 0
)
SELECT places.municipality, country.benefit,
    CAST(round((COALESCE(ore, 0) + {LIKE_DAYS} * a_day) / (COALESCE(days, 0) + {LIKE_DAYS}))
        AS BIGINT) AS day_ore
FROM (SELECT DISTINCT municipality FROM state) AS places
CROSS JOIN country
LEFT JOIN told ON told.municipality = places.municipality AND told.benefit = country.benefit"""


def growth(january: int) -> str:
    """Write how amounts changed with the last January, in millionths: the citizens' mix aside.

    Up to three months before it and after it are compared: one month is too few to tell a rise of
    some percent from chance.
    """
    first, last = january - MONTHS_OF_AMOUNTS, january + MONTHS_OF_AMOUNTS - 1
    return f"""
WITH told AS (
    SELECT benefit, lately.number >= {january} AS is_later, sum(base_ore) AS ore,
        {_PERSON_DAYS} AS days
    FROM lately JOIN paid_days USING (benefit, month)
    WHERE lately.number BETWEEN {first} AND {last} AND municipality IS NULL AND persons > 0
    GROUP BY benefit, lately.number >= {january}
)
SELECT CAST(round({MILLION} * sum(later.ore) / sum(later.days * earlier.ore / earlier.days))
    AS BIGINT)
FROM told AS later JOIN told AS earlier USING (benefit)
WHERE later.is_later AND NOT earlier.is_later AND earlier.ore > 0"""


CORRECTED: Final = f"""
WITH modelled AS (
    SELECT ahead.benefit, sum(persons * share) / sum(persons) AS share
    FROM ahead JOIN months ON months.distance = ahead.months_ahead
    JOIN ladder ON ladder.number = months.ladder AND ladder.benefit = ahead.benefit
        AND ladder.weeks = ahead.weeks
    WHERE months_ahead = 0 AND persons > 0 GROUP BY ahead.benefit
), told AS (
    SELECT benefit, (refusion_ore + medfinansiering_ore) * {MILLION} / base_ore AS share
    FROM known
    WHERE known.months_ahead = 0 AND month = $month AND municipality IS NULL AND step IS NULL
        AND benefit IS NOT NULL AND base_ore > 0
)
SELECT benefit, CAST(round({MILLION} * LEAST(1.5, GREATEST(0.5, told.share / modelled.share)))
    AS BIGINT) AS factor
FROM modelled JOIN told USING (benefit) WHERE modelled.share > 0"""
"""Gives how far the share of a benefit was from what the steps alone give.

Old cases, parts of months and corrections are in it.
"""


def expected(growth: int) -> str:
    """Write the rows of the months to come; `growth` is that of a year's amounts, in millionths."""
    amount = (
        f"CASE WHEN in_part THEN {_whole('persons', 'coming + leaving')} ELSE persons END"
        f" * day_ore * paid_days.days // {MILLION}"
        f" * CASE WHEN is_next_year THEN {growth} ELSE {MILLION} END // {MILLION}"
    )
    result = f"base_ore * share // {MILLION} * factor // {MILLION}"
    keys = "month, months_ahead, "
    return f"""
SELECT {keys}municipality, benefit, step, {_SUMS}
FROM (
    SELECT *, {_shown_step("benefit", "of_state")} AS step,
        CASE WHEN is_refusion THEN result_ore ELSE 0 END AS refusion_ore,
        CASE WHEN is_refusion THEN 0 ELSE result_ore END AS medfinansiering_ore,
        CASE WHEN is_refusion THEN base_ore - result_ore ELSE result_ore END AS net_ore
    FROM (
        SELECT *, {result} AS result_ore FROM (
            SELECT ahead.municipality, months.month, ahead.months_ahead, ahead.benefit,
                ahead.step AS of_state, persons, restarts, {amount} AS base_ore, share,
                is_refusion, COALESCE(factor, {MILLION}) AS factor
            FROM ahead
            JOIN months ON months.distance = ahead.months_ahead
            JOIN paid_days ON paid_days.month = months.month AND paid_days.benefit = ahead.benefit
            JOIN ladder ON ladder.number = months.ladder AND ladder.benefit = ahead.benefit
                AND ladder.weeks = ahead.weeks
            JOIN day_amounts ON day_amounts.municipality = ahead.municipality
                AND day_amounts.benefit = ahead.benefit
            LEFT JOIN corrected ON corrected.benefit = ahead.benefit
            WHERE ahead.months_ahead > 0
        ) AS amounts
    ) AS results
) AS summed
{_grains(keys)}"""


def _size(persons: str) -> str:
    cases = " ".join(
        f"WHEN {persons} < {size * MILLION} THEN {place}" for place, size in enumerate(SIZES)
    )
    return f"CASE {cases} ELSE {len(SIZES)} END"


def errors(month: int) -> str:
    """Write the bounds of the middle 80 % of past errors, by distance and number of persons.

    Only months that were over by this run count, of the last runs. An error is what came less what
    was expected, in millionths of what was expected.
    """
    by = "months_ahead, size"
    error = (
        "CAST(round({m} * (COALESCE(was.{n}, 0) - said.{n}) / CAST(said.{n} AS DOUBLE)) AS BIGINT)"
    )
    of_persons = error.format(m=MILLION, n="persons")
    of_net = error.format(m=MILLION, n="net_ore")
    first = month - ERRORS_OF
    return f"""
WITH numbered AS (
    SELECT known.*, months.number FROM known JOIN months USING (month)
), held AS (
    SELECT said.months_ahead, {_size("said.persons")} AS size, {of_persons} AS of_persons,
        CASE WHEN said.net_ore > 0 THEN {of_net} ELSE 0 END AS of_net
    FROM numbered AS said LEFT JOIN numbered AS was
        ON was.months_ahead = 0 AND was.month = said.month
        AND was.municipality IS NOT DISTINCT FROM said.municipality
        AND was.benefit IS NOT DISTINCT FROM said.benefit
        AND was.step IS NOT DISTINCT FROM said.step
    WHERE said.months_ahead > 0 AND said.persons >= {MILLION // 2}
        AND said.number BETWEEN {first} + said.months_ahead AND {month}
        AND said.month IN (SELECT month FROM numbered WHERE months_ahead = 0)
), ranked AS (
    SELECT {by}, of_persons, of_net, count(*) OVER (PARTITION BY {by}) AS errors,
        row_number() OVER (PARTITION BY {by} ORDER BY of_persons) AS by_persons,
        row_number() OVER (PARTITION BY {by} ORDER BY of_net) AS by_net
    FROM held
)
SELECT {by},
    max(CASE WHEN by_persons <= (errors + 1) // 10 THEN of_persons END) AS persons_low,
    min(CASE WHEN by_persons >= errors + 1 - (errors + 1) // 10 THEN of_persons END)
        AS persons_high,
    max(CASE WHEN by_net <= (errors + 1) // 10 THEN of_net END) AS net_low,
    min(CASE WHEN by_net >= errors + 1 - (errors + 1) // 10 THEN of_net END) AS net_high
FROM ranked WHERE errors >= {LEAST_ERRORS} GROUP BY {by}"""


def forecast(run: int) -> str:
    """Write the statement of `forecast`: what was made, with its intervals."""
    bounds = ", ".join(
        f"CAST({name} + abs({name}) * errors.{of}_{bound} // {MILLION} AS BIGINT)"
        f" AS {of}_{bound}{unit}"
        for name, of, unit in (("persons", "persons", ""), ("net_ore", "net", "_ore"))
        for bound in ("low", "high")
    )
    return f"""
SELECT CAST({run} AS INTEGER) AS run, municipality, month,
    CAST(made.months_ahead AS INTEGER) AS months_ahead, benefit, CAST(step AS INTEGER) AS step,
    persons, restarts, base_ore, refusion_ore, medfinansiering_ore, net_ore, {bounds}
FROM foreseen AS made LEFT JOIN errors
    ON errors.months_ahead = made.months_ahead AND errors.size = {_size("made.persons")}
WHERE persons <> 0 OR restarts <> 0 OR base_ore <> 0"""
