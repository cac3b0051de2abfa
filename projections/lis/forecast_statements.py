"""Writes the SQL of the forecast: how citizens went on so far, and where they go from here.

`docs/forecast.md` explains the model on one page. DuckDB runs these statements. Counts of persons
that are expected are whole millionths, and chances whole millionths too, so that the same ledger
gives the same rows whatever the order of the sums.

They read, beside the marts of LIS as of a run:

* `here_before` and `here_now`: where each citizen stood at the run before and at this one;
* `learned`: the table `flows` of the last runs;
* `state`: how many citizens are expected in each state;
* `ladder`: what the law gives in a month that ends at a week of seniority;
* `known`: the table `forecast`, of the runs before and of this one as far as it is made.
"""

from collections.abc import Sequence
from typing import Final

from domain.basics.weeks import month_text
from projections.lis.statements import WEEK_COLUMNS, month_sql

LEARNS_FROM: Final = 36
"""The runs that chances are learned from: three times each month of the year."""
LIKE_PERSONS: Final = 100
"""The weight of the country's experience beside a municipality's own, as so many persons."""
MOST_AWAY: Final = 36
"""Months without benefits that are told apart; more count as so many. The longer, the rarer
somebody comes back: with twelve, forecasts were too high by 3 to 7 % after a year."""
MOST_WEEKS: Final = 60
"""Weeks of seniority that are told apart: more than the last step needs (lov 994/2015 § 5)."""
MONTHS_TO_RESTART: Final = 12
"""Months of self-support that make a new start: 52 weeks (lov 994/2015 § 6)."""
MONTHS_OF_AMOUNTS: Final = 3
"""Months whose amounts say what a day costs, as far as they lie in the same year."""
MILLION: Final = 1_000_000
FEW: Final = 10_000
"""The part of a person, in millionths, up to which states are put together."""
NO_STEP: Final = 0
"""The step of benefits that are not on the staircase."""


def here(run: int, month: int) -> str:
    """Write where each citizen stands at the end of a month, by what a run knew.

    `away` are the months since the latest month with a row, this one at the latest, and `needed`
    the months of self-support to a new start. A run knows rows of the month after its own too: who
    has those alone was where the run before left him, or is not counted yet.
    """
    text = month_text(month)
    last = " ".join(
        f"WHEN sum({ore}) > 0 THEN {number}"
        for number, ore in reversed(list(enumerate(WEEK_COLUMNS, 1)))
    )
    place, benefit, latest = (
        f"CASE WHEN stands.month <= '{text}' THEN stands.{name} ELSE former.{name} END"
        for name in ("municipality", "benefit", "month")
    )
    since = f"{month} - {month_sql(f'({latest})')}"
    return f"""
WITH paid AS (
    SELECT citizen, municipality, benefit, row_number() OVER (PARTITION BY citizen
        ORDER BY last_week DESC, benefit, municipality) AS place
    FROM (
        SELECT citizen, municipality, benefit, CASE {last} ELSE 0 END AS last_week
        FROM person_months
        WHERE month = '{text}' AND run <= {run} AND benefit <> 'FB' AND municipality IS NOT NULL
        GROUP BY citizen, municipality, benefit HAVING sum(amount_ore) > 0
    ) AS rows_of_month
)
SELECT stands.citizen, COALESCE(paid.municipality, {place}) AS municipality,
    COALESCE(paid.benefit, {benefit}) AS benefit, stands.step AS step,
    LEAST(stands.seniority, {MOST_WEEKS}) AS weeks,
    CASE WHEN paid.citizen IS NOT NULL THEN 0 ELSE LEAST({MOST_AWAY}, {since}) END AS away,
    COALESCE(LEAST({MONTHS_TO_RESTART}, (stands.missing * {MONTHS_TO_RESTART} + 51) // 52),
        {MONTHS_TO_RESTART}) AS needed
FROM standing AS stands
LEFT JOIN paid ON paid.citizen = stands.citizen AND paid.place = 1
LEFT JOIN standing AS former ON former.citizen = stands.citizen AND former.run = {run - 1}
WHERE stands.run = {run} AND stands.municipality IS NOT NULL AND stands.seniority IS NOT NULL
    AND (paid.citizen IS NOT NULL OR stands.month < '{text}'
        OR stands.month > '{text}' AND former.month < '{text}')"""


def flows(run: int, month: str, weeks: int) -> str:
    """Write the statement of `flows`: how each citizen went on from one data month to the next.

    `weeks` are the weeks from the end of the one to the end of the other. Who appears without a row
    in the month was late, and is not counted. Nothing is where the run before is of another month.
    """
    both = "earlier.citizen IS NOT NULL AND later.citizen IS NOT NULL"
    counts = f"{both} AND later.away = 0 AND earlier.weeks + {weeks} <= {MOST_WEEKS}"
    stayed_on = f"{counts} AND later.weeks >= earlier.weeks"
    return f"""
SELECT CAST({run} AS INTEGER) AS run, municipality, '{month}' AS month,
    benefit_before, step_before, away_before, state, benefit, weeks_at_entry,
    count(*) AS persons,
    CAST(sum(CASE WHEN has_restarted THEN 1 ELSE 0 END) AS BIGINT) AS restarts,
    CAST(sum(gained) AS BIGINT) AS weeks_gained, CAST(sum(possible) AS BIGINT) AS weeks_possible
FROM (
    SELECT COALESCE(earlier.municipality, later.municipality) AS municipality,
        earlier.benefit AS benefit_before,
        CAST(CASE WHEN earlier.away = 0 THEN earlier.step END AS INTEGER) AS step_before,
        CAST(earlier.away AS INTEGER) AS away_before,
        CASE WHEN later.citizen IS NULL THEN 'moved' WHEN later.away = 0 THEN 'present'
            ELSE 'away' END AS state,
        CASE WHEN later.away = 0 THEN later.benefit END AS benefit,
        CAST(CASE WHEN earlier.citizen IS NULL THEN later.weeks END AS INTEGER) AS weeks_at_entry,
        {both} AND later.weeks < earlier.weeks AS has_restarted,
        CASE WHEN {stayed_on} THEN later.weeks - earlier.weeks ELSE 0 END AS gained,
        CASE WHEN {stayed_on} THEN {weeks} ELSE 0 END AS possible
    FROM here_before AS earlier
    FULL JOIN here_now AS later
        ON later.citizen = earlier.citizen AND later.municipality = earlier.municipality
    WHERE (earlier.citizen IS NOT NULL OR later.away = 0)
        AND EXISTS (SELECT 1 FROM here_before)
) AS went
GROUP BY ALL"""


MONTHS_OF_YEAR: Final = "(SELECT unnest(range(1, 13)) AS of_year)"
CELL: Final = "municipality, benefit_before, step, away_before"
"""The state that citizens are in, as far as it decides how they go on."""

CHANCES: Final = f"""
WITH own AS (
    SELECT {CELL}, state, benefit, sum(persons) AS persons
    FROM learned WHERE benefit_before IS NOT NULL GROUP BY ALL
), country AS (
    SELECT *, sum(persons) OVER (PARTITION BY benefit_before, step, away_before) AS all_persons
    FROM (
        SELECT benefit_before, step, away_before, state, benefit, sum(persons) AS persons
        FROM own GROUP BY ALL
    )
), of_season AS (
    SELECT *, sum(persons) OVER (PARTITION BY of_year, benefit_before, step, away_before)
        AS all_persons
    FROM (
        SELECT of_year, benefit_before, step, away_before, state, benefit,
            sum(persons) AS persons
        FROM learned WHERE benefit_before IS NOT NULL GROUP BY ALL
    )
), year AS (
    SELECT of_year, benefit_before, step, away_before, state, benefit,
        persons / all_persons AS share
    FROM country, {MONTHS_OF_YEAR} AS months
), told AS (
    SELECT year.*, COALESCE(of_season.persons, 0) AS persons,
        COALESCE(whole.all_persons, 0) AS all_persons,
        CAST(round({MILLION} * COALESCE(whole.all_persons, 0) * share) AS BIGINT) AS expected
    FROM year
    LEFT JOIN of_season ON of_season.of_year = year.of_year
        AND of_season.benefit_before = year.benefit_before AND of_season.step = year.step
        AND of_season.away_before = year.away_before AND of_season.state = year.state
        AND of_season.benefit IS NOT DISTINCT FROM year.benefit
    LEFT JOIN (SELECT DISTINCT of_year, benefit_before, step, away_before, all_persons
            FROM of_season) AS whole
        ON whole.of_year = year.of_year AND whole.benefit_before = year.benefit_before
        AND whole.step = year.step AND whole.away_before = year.away_before
), season AS (
    SELECT of_year, benefit_before, step, away_before, state, benefit, share,
        (persons + {LIKE_PERSONS} * share * of_all) / (all_persons + {LIKE_PERSONS})
            AS share_of_season
    FROM (
        SELECT *, (sum(persons) OVER everyone + {LIKE_PERSONS})
            / (sum(expected) OVER everyone / {MILLION} + {LIKE_PERSONS}) AS of_all
        FROM told WINDOW everyone AS (PARTITION BY of_year, away_before > 0, state)
    )
), counted AS (
    SELECT {CELL}, sum(persons) AS persons FROM own GROUP BY ALL
), wanted AS (
    SELECT DISTINCT own.municipality, cells.* FROM own,
        (SELECT DISTINCT benefit_before, step, away_before FROM own) AS cells
), weighed AS (
    SELECT season.of_year, wanted.municipality, season.benefit_before, season.step,
        season.away_before, season.state, season.benefit,
        CAST(round({MILLION} * share_of_season / share
            * (COALESCE(own.persons, 0) + {LIKE_PERSONS} * share)
            / (COALESCE(counted.persons, 0) + {LIKE_PERSONS})) AS BIGINT) AS weight
    FROM wanted
    JOIN season USING (benefit_before, step, away_before)
    LEFT JOIN counted USING ({CELL})
    LEFT JOIN own ON own.municipality = wanted.municipality
        AND own.benefit_before = season.benefit_before AND own.step = season.step
        AND own.away_before = season.away_before AND own.state = season.state
        AND own.benefit IS NOT DISTINCT FROM season.benefit
)
SELECT of_year, {CELL}, state, benefit, CAST(round({MILLION} * weight
        / sum(weight) OVER (PARTITION BY of_year, {CELL})) AS BIGINT) AS chance
FROM weighed WHERE weight > 0"""
"""Gives how citizens of each municipality and state go on, by the month of the year.

The level is the municipality's own, weighed with the country's. The season is the country's,
weighed with that of everyone who has benefits, or of everyone who has none (`of_all`): few have
the same benefit, step and months away in the same month of the year.
"""

LEAVES: Final = """
SELECT of_year, municipality, benefit_before AS benefit, step,
    CAST(sum(chance) AS BIGINT) AS chance
FROM chances WHERE away_before = 0 AND state <> 'present' GROUP BY ALL"""
"""Gives the chance that who has benefits has none there in a month."""

PACE: Final = f"""
SELECT benefit, CAST(CASE WHEN sum(weeks_possible) = 0 THEN {MILLION} ELSE
    LEAST({MILLION}, {MILLION} * sum(weeks_gained) / sum(weeks_possible)) END AS BIGINT) AS pace
FROM learned WHERE benefit IS NOT NULL GROUP BY benefit"""
"""The part of a month's weeks that count, by benefit."""

ENTRANTS: Final = f"""
WITH span AS (
    SELECT count(DISTINCT run) AS runs,
        count(DISTINCT CASE WHEN is_of_last_year THEN run END) AS of_last_year,
        count(DISTINCT CASE WHEN is_of_year_before THEN run END) AS of_year_before
    FROM learned
), came AS (
    SELECT municipality, benefit, weeks_at_entry, persons, of_year, is_of_last_year,
        is_of_year_before
    FROM learned WHERE weeks_at_entry IS NOT NULL
), of_benefit AS (
    SELECT months.of_year, benefit,
        sum(CASE WHEN came.of_year = months.of_year THEN persons ELSE 0 END) AS persons,
        sum(persons) * any_value(known.runs) / any_value(span.runs) AS expected
    FROM came, span, {MONTHS_OF_YEAR} AS months
    JOIN (SELECT months.of_year, count(DISTINCT run) AS runs FROM {MONTHS_OF_YEAR} AS months
        LEFT JOIN learned USING (of_year) GROUP BY months.of_year) AS known USING (of_year)
    GROUP BY months.of_year, benefit
), of_season AS (
    SELECT of_benefit.of_year, benefit,
        (persons + {LIKE_PERSONS} * everyone.factor) / (expected + {LIKE_PERSONS}) AS factor
    FROM of_benefit JOIN (
        SELECT of_year, (sum(persons) + {LIKE_PERSONS}) / (sum(expected) + {LIKE_PERSONS})
            AS factor
        FROM of_benefit GROUP BY of_year
    ) AS everyone USING (of_year)
), change AS (
    SELECT CASE WHEN any_value(LEAST(span.of_last_year, span.of_year_before)) < 12 THEN 1
        ELSE 0.5 + 0.5 * (sum(CASE WHEN is_of_last_year THEN persons ELSE 0 END) + {LIKE_PERSONS})
        / (sum(CASE WHEN is_of_year_before THEN persons ELSE 0 END) + {LIKE_PERSONS}) END AS half
    FROM came, span
), level AS (
    SELECT municipality, benefit, sum(persons) / any_value(span.of_last_year) AS monthly
    FROM came, span WHERE is_of_last_year GROUP BY municipality, benefit
), spread AS (
    SELECT benefit, weeks_at_entry, sum(persons) / sum(sum(persons)) OVER (PARTITION BY benefit)
        AS share
    FROM came GROUP BY benefit, weeks_at_entry
)
SELECT of_year, municipality, benefit, weeks_at_entry AS weeks,
    CAST(round({MILLION} * monthly * half * factor * share) AS BIGINT) AS persons
FROM level JOIN of_season USING (benefit) JOIN spread USING (benefit), change"""
"""Gives the citizens who come in a month and were not there before, or lived elsewhere.

`half`: their number goes on changing as in the last year, half as fast. Where a run of the last
two years is missing it is not known to change: years of unlike months are not compared.
"""


def next_state(of_year: int, weeks: int, bands: Sequence[int]) -> str:
    """Write the state after a month of the year that has so many weeks.

    `restarts` are those who made a new start in it, `coming` those who had no benefits before it.
    `bands` are the first weeks of the steps.
    States of less than FEW persons are put together, by band, at their mean weeks: without that,
    parts of persons spread over as many states as there are, 2.6 million for 6,000 citizens.
    """
    band = " ".join(
        f"WHEN weeks >= {first} THEN {place}" for place, first in reversed([*enumerate(bands)])
    )
    gains = f"{weeks} * COALESCE(pace, {MILLION})"
    return f"""
WITH went AS (
    SELECT state.municipality, COALESCE(chances.benefit, state.benefit) AS benefit, weeks, away,
        needed, COALESCE(chances.state, CASE away WHEN 0 THEN 'present' ELSE 'away' END) AS goes,
        persons * COALESCE(chance, {MILLION}) // {MILLION} AS persons
    FROM state LEFT JOIN chances ON chances.of_year = {of_year}
        AND chances.municipality = state.municipality
        AND chances.benefit_before = state.benefit AND chances.step = state.step
        AND chances.away_before = state.away
), moved AS (
    SELECT municipality, went.benefit, LEAST({MOST_WEEKS}, weeks + {gains} // {MILLION} + more)
            AS weeks,
        0 AS away, needed, 0 AS restarts,
        CASE more WHEN 1 THEN persons * ({gains} % {MILLION}) // {MILLION}
            ELSE persons - persons * ({gains} % {MILLION}) // {MILLION} END AS persons,
        away > 0 AS comes
    FROM went LEFT JOIN pace ON pace.benefit = went.benefit, (VALUES (0), (1)) AS extra (more)
    WHERE goes = 'present'
    UNION ALL
    SELECT municipality, benefit, CASE WHEN needed > 1 THEN weeks ELSE 0 END,
        LEAST({MOST_AWAY}, away + 1),
        CASE WHEN needed > 1 THEN needed - 1 ELSE {MONTHS_TO_RESTART} END,
        CASE WHEN needed > 1 OR weeks = 0 THEN 0 ELSE persons END, persons, FALSE
    FROM went WHERE goes = 'away'
    UNION ALL
    SELECT municipality, benefit, weeks, 0, {MONTHS_TO_RESTART}, 0, persons, TRUE
    FROM entrants WHERE of_year = {of_year}
), cells AS (
    SELECT municipality, benefit, CAST(weeks AS INTEGER) AS weeks, CAST(away AS INTEGER) AS away,
        CAST(needed AS INTEGER) AS needed, CAST(sum(persons) AS BIGINT) AS persons,
        CAST(sum(restarts) AS BIGINT) AS restarts,
        CAST(sum(CASE WHEN comes THEN persons ELSE 0 END) AS BIGINT) AS coming
    FROM moved GROUP BY municipality, benefit, weeks, away, needed HAVING sum(persons) > 0
)
SELECT * FROM cells WHERE persons >= {FEW}
UNION ALL
SELECT municipality, benefit, CAST({_mean("weeks")} AS INTEGER), away,
    CAST({_mean("needed")} AS INTEGER), CAST(sum(persons) AS BIGINT),
    CAST(sum(restarts) AS BIGINT), CAST(sum(coming) AS BIGINT)
FROM (SELECT *, CASE {band} ELSE 0 END AS band FROM cells WHERE persons < {FEW}) AS few
GROUP BY municipality, benefit, away, band"""


def _mean(name: str) -> str:
    """Write the mean of a column over persons, rounded half up."""
    return f"(2 * sum({name} * persons) + sum(persons)) // (2 * sum(persons))"


STATE: Final = f"""
SELECT municipality, benefit, weeks, CAST(away AS INTEGER) AS away,
    CAST(needed AS INTEGER) AS needed, count(*) * {MILLION} AS persons,
    CAST(0 AS BIGINT) AS restarts, CAST(0 AS BIGINT) AS coming
FROM here_now WHERE benefit IS NOT NULL GROUP BY ALL"""
"""Gives where the citizens stand: the start of the forecast."""


def present(of_year: int) -> str:
    """Write the persons with benefits, and who begins anew: money is made of them.

    `leaving` are those of them who are expected to have none in the next month, which is this one
    of the year.
    """
    return f"""
SELECT state.municipality, state.benefit, state.step, weeks,
    CAST(sum(CASE away WHEN 0 THEN persons ELSE 0 END) AS BIGINT) AS persons,
    CAST(sum(restarts) AS BIGINT) AS restarts, CAST(sum(coming) AS BIGINT) AS coming,
    CAST(sum(CASE away WHEN 0 THEN persons * COALESCE(chance, 0) // {MILLION} ELSE 0 END)
        AS BIGINT) AS leaving
FROM state LEFT JOIN leaves ON leaves.of_year = {of_year} AND state.away = 0
    AND leaves.municipality = state.municipality AND leaves.benefit = state.benefit
    AND leaves.step = state.step
WHERE away = 0 OR restarts > 0
GROUP BY state.municipality, state.benefit, state.step, weeks"""
