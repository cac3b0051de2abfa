"""The SQL that makes the tables of LIS from the ledger's entries, one run at a time.

It is standard SQL, the same for every engine: the tests run it on DuckDB, which the program uses,
and on DataFusion. A statement reads these names, which whoever runs it has to give:

* `entries`: the ledger's entries of the run, markers aside (`docs/ledger.md`);
* `month_weeks`: the ISO weeks of each month, numbered (`MONTH_WEEKS`);
* `run_months`: what `person_months` makes of the run;
* `earlier_months`: the table `person_months` of all runs before.

Sums of 64 bits are cast back to 64 bits: the SQL standard makes them wider, and DuckDB would write
the wider ones as floating point.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Final, NamedTuple

from domain.basics.weeks import first_day, month_text, slices, week_text
from projections.lis.columns import Mart
from projections.lis.tables import MARTS, WEEKS_OF_A_MONTH

FIRST_MONTH: Final = 2014 * 12
LAST_MONTH: Final = 2099 * 12 + 11
"""The months in which periods may lie (contract section 2)."""

CHECKED: Final = ("amount_ore", "refusion_ore", "medfinansiering_ore")
"""Sums that every table of money has in common with the ledger."""
MUNICIPALITY: Final = "CASE mechanism WHEN 'refusion' THEN paying ELSE financing END"
STANDS: Final = "CASE WHEN reverses IS NULL THEN 1 ELSE -1 END"
REPORTER: Final = "CASE WHEN substr(cause, 9, 1) = '/' THEN substr(cause, 1, 8) ELSE '' END"
"""A report's cause is its reporter, of eight digits, and its id."""
WEEK_COLUMNS: Final = tuple(f"week_{number}_ore" for number in range(1, WEEKS_OF_A_MONTH + 1))


class NumberedWeek(NamedTuple):
    """A week that has days in a month; `number` is 1 for the month's first."""

    month: str
    week: str
    number: int


@cache
def month_weeks() -> tuple[NumberedWeek, ...]:
    """Number the weeks of every month: the table `month_weeks`."""
    return tuple(_month_weeks())


def _month_weeks() -> Iterator[NumberedWeek]:
    for month in range(FIRST_MONTH, LAST_MONTH + 1):
        weeks = sorted({piece.week for piece in slices(first_day(month), first_day(month + 1) - 1)})
        for number, week in enumerate(weeks, 1):
            yield NumberedWeek(month_text(month), week_text(week), number)


def run_sql(run: int | None) -> str:
    """Write a run's number; the open run is null."""
    return f"CAST({'NULL' if run is None else run} AS INTEGER)"


def total(measure: str, name: str = "") -> str:
    """Write a sum as 64 bits."""
    return f"CAST(sum({measure}) AS BIGINT) AS {name or measure}"


def ordered(mart: Mart) -> str:
    """Write the order of a mart's rows: for readers first, then by all keys, so that it is one."""
    names = [column.name for column in mart.keys if column.name != "run"]
    return ", ".join([*mart.sorted_by, *(name for name in names if name not in mart.sorted_by)])


def money(run: int | None) -> str:
    """Write the statement of `money`."""
    keys = "paying, financing, benefit, mechanism, rate, account, month, kind, reason"
    return f"""
SELECT {run_sql(run)} AS run, {MUNICIPALITY} AS municipality, {keys},
    {total("amount_ore")}, {total("atp_ore")}, {total("refusion_ore")},
    {total("medfinansiering_ore")}, CAST(count(*) AS BIGINT) AS rows, {total(STANDS, "weeks")}
FROM entries
WHERE id IS NOT NULL
GROUP BY {MUNICIPALITY}, {keys}
ORDER BY {ordered(MARTS["money"])}"""


def person_months(run: int | None) -> str:
    """Write the statement of `person_months`."""
    keys = "municipality, month, citizen, benefit, rate, booked"
    weeks = ", ".join(
        total(f"CASE WHEN number = {number} THEN amount_ore ELSE 0 END", name)
        for number, name in enumerate(WEEK_COLUMNS, 1)
    )
    return f"""
SELECT {run_sql(run)} AS run, {keys}, {total("amount_ore")}, {total("refusion_ore")},
    {total("medfinansiering_ore")}, {total("stands", "weeks")}, {weeks}
FROM (
    SELECT {MUNICIPALITY} AS municipality, entry.month AS month, citizen, benefit, rate,
        CASE WHEN kind = 'opening' THEN 0 ELSE 1 END AS booked, amount_ore, refusion_ore,
        medfinansiering_ore, {STANDS} AS stands, COALESCE(month_week.number, 1) AS number
    FROM entries AS entry
    LEFT JOIN month_weeks AS month_week
        ON month_week.month = entry.month AND month_week.week = entry.week
    WHERE id IS NOT NULL
) AS numbered
GROUP BY {keys}
ORDER BY {ordered(MARTS["person_months"])}"""


def persons(run: int | None, municipalities: Sequence[str] = ()) -> str:
    """Write the statement of `persons`, for some municipalities or for all.

    Each citizen's month is counted as it was before the run and as it is after it. What is counted
    before needs only those whom the run touched.
    """
    some = among(municipalities)
    columns = ", ".join(("municipality", "month", "citizen", "benefit", "rate"))
    measures = ", ".join(("amount_ore", *WEEK_COLUMNS))
    keys = "municipality, month, benefit, rate"
    return f"""
WITH touched AS (
    SELECT DISTINCT municipality, month, citizen FROM run_months WHERE benefit <> 'FB'{some}
), moved AS (
    SELECT 0 AS of_run, 0 AS booked, {_of("earlier", columns)}, {_of("earlier", measures)}
    FROM earlier_months AS earlier
    JOIN touched ON touched.citizen = earlier.citizen AND touched.month = earlier.month
        AND touched.municipality = earlier.municipality
    WHERE earlier.benefit <> 'FB'{among(municipalities, "earlier.")}
    UNION ALL
    SELECT 1 AS of_run, booked, {columns}, {measures}
    FROM run_months WHERE benefit <> 'FB'{some}
), counted AS (
    SELECT municipality, month, citizen, benefit, rate,
        {_count("of_run = 0", "before")},
        {_count("of_run >= 0", "after")},
        {_count("booked = 1", "booked")}
    FROM moved
    GROUP BY GROUPING SETS (
        (municipality, month, citizen, benefit, rate), (municipality, month, citizen, benefit),
        (municipality, month, citizen, rate), (municipality, month, citizen)
    )
), differences AS (
    SELECT {keys},
        {total("after_person - before_person", "persons")},
        {total("after_person * after_weeks - before_person * before_weeks", "weeks")},
        {total("booked_person", "booked_persons")},
        {total("booked_person * booked_weeks", "booked_weeks")}
    FROM counted GROUP BY {keys}
)
SELECT {run_sql(run)} AS run, {keys}, persons, weeks, booked_persons, booked_weeks
FROM differences
WHERE persons <> 0 OR weeks <> 0 OR booked_persons <> 0 OR booked_weeks <> 0
ORDER BY {ordered(MARTS["persons"])}"""


def _count(which: str, name: str) -> str:
    """Write whether a citizen counts (1 or 0), and in how many weeks there is money."""
    weeks = " + ".join(
        f"CASE WHEN sum(CASE WHEN {which} THEN {column} ELSE 0 END) > 0 THEN 1 ELSE 0 END"
        for column in WEEK_COLUMNS
    )
    return (
        f"CASE WHEN sum(CASE WHEN {which} THEN amount_ore ELSE 0 END) > 0 THEN 1 ELSE 0 END"
        f" AS {name}_person, {weeks} AS {name}_weeks"
    )


def _of(table: str, columns: str) -> str:
    return ", ".join(f"{table}.{name} AS {name}" for name in columns.split(", "))


def among(municipalities: Sequence[str], table: str = "") -> str:
    """Write a further condition for some municipalities; nothing for all."""
    if not municipalities:
        return ""
    codes = ", ".join(f"'{code}'" for code in municipalities)
    return f" AND {table}municipality IN ({codes})"


def corrections(run: int | None, data_month: str | None) -> str:
    """Write the statement of `corrections`; `data_month` is the run's, None before the first.

    The rows of all reporters together, and of both kinds, are counted by themselves: a cell may
    have a late result and its correction in one run, or be moved by two reporters, and neither
    citizens nor what rose and fell add up.
    """
    age = "CAST(NULL AS INTEGER)"
    late = "FALSE"
    if data_month is not None:
        months = month_sql(f"'{data_month}'"), month_sql("month")
        age = f"CAST({' - '.join(months)} AS INTEGER)"
        late = f"kind = 'result' AND month < '{data_month}'"
    keys = "municipality, month, reason, benefit"
    columns = f"{run_sql(run)} AS run, municipality, month, {age} AS age_months, reason, benefit"
    none = "CAST(NULL AS VARCHAR)"
    grains = (
        (
            *(f"kind, {REPORTER}", f"kind, {REPORTER} AS reporter", "kind, reporter"),
            ("kind", "reporter"),
        ),
        ("kind", "kind", f"kind, {none} AS reporter", ("kind",)),
        ("", "", f"{none} AS kind, {none} AS reporter", ()),
    )
    counted = "\nUNION ALL\n".join(
        f"SELECT {columns}, {named}, {_CORRECTED}"
        f" FROM ({_cells(late, _then(selected), _then(grouped))}) AS cells"
        f" GROUP BY {keys}{''.join(f', {name}' for name in by)}"
        for grouped, selected, named, by in grains
    )
    return f"""
{counted}
ORDER BY {ordered(MARTS["corrections"])}"""


_CORRECTED: Final = ", ".join(
    (
        "CAST(count(DISTINCT citizen) AS BIGINT) AS citizens",
        "CAST(count(DISTINCT citizen || week) AS BIGINT) AS weeks",
        total("CASE WHEN amount_ore > 0 THEN amount_ore ELSE 0 END", "amount_up_ore"),
        total("CASE WHEN amount_ore < 0 THEN amount_ore ELSE 0 END", "amount_down_ore"),
        total("CASE WHEN result_ore > 0 THEN result_ore ELSE 0 END", "up_ore"),
        total("CASE WHEN result_ore < 0 THEN result_ore ELSE 0 END", "down_ore"),
    )
)


def _then(names: str) -> str:
    return f"{names}, " if names else ""


def _cells(late: str, selected: str, grouped: str) -> str:
    """Write the statement of the cells that were corrected, or came late."""
    return f"""
    SELECT {MUNICIPALITY} AS municipality, month, reason, benefit, {selected}citizen, week,
        sum(amount_ore) AS amount_ore, sum(refusion_ore - medfinansiering_ore) AS result_ore
    FROM entries
    WHERE kind = 'correction' OR ({late})
    GROUP BY {MUNICIPALITY}, month, reason, benefit, {grouped}citizen, week, paying, financing"""


def month_sql(text: str) -> str:
    """Write a month, given as YYYY-MM, as a number: that of `domain.basics.weeks`."""
    return (
        f"(CAST(substr({text}, 1, 4) AS INTEGER) * 12 + CAST(substr({text}, 6, 2) AS INTEGER) - 1)"
    )


# --- standing -------------------------------------------------------------------------------------

TOLD: Final = "rules, counters_week, posted_seniority, posted_earned, after_transfer"
"""The columns of what the last message of a citizen says of the counters."""


def told(run: int | None) -> str:
    """Write the statement of the counters of each citizen, from its last message.

    Beside those of the run, a closed run has those of all who had messages before it
    (`earlier_standing`, the table `standing` of the run before).
    """
    of_run = """
SELECT entry.citizen AS citizen, rules, counters_week, seniority AS posted_seniority,
    earned AS posted_earned, after_transfer
FROM entries AS entry
JOIN (
    SELECT citizen, max(revision) AS revision FROM entries
    WHERE citizen IS NOT NULL AND position = 0
    GROUP BY citizen
) AS last ON last.citizen = entry.citizen AND last.revision = entry.revision
WHERE entry.position = 0"""
    if run is None:
        return of_run
    return f"""{of_run}
UNION ALL
SELECT earlier.citizen, {_of("earlier", TOLD)}
FROM earlier_standing AS earlier
WHERE NOT EXISTS (
    SELECT 1 FROM entries WHERE entries.citizen = earlier.citizen AND entries.position = 0
)"""


def latest_rows(data_month: str | None) -> str:
    """Write the statement of each citizen's latest row that stands, of those who are in `told`.

    Most citizens have one in the data month or after it. Of the others, those whom the run touched
    are looked up in all their months, and the rest are as they were before it.
    """
    sums = [f"sum({name})" for name in WEEK_COLUMNS]
    keys = "citizen, municipality, month, benefit"
    columns = ", ".join((keys, "amount_ore", *WEEK_COLUMNS))
    last = " ".join(
        f"WHEN {ore} > 0 THEN {number}" for number, ore in reversed(list(enumerate(sums, 1)))
    )
    cells = (
        f"{keys}, CAST(greatest({', '.join(sums)}) AS BIGINT) AS week_ore,"
        f" CASE {last} ELSE 0 END AS last_week"
    )
    # Written out at each place: an engine may keep the rows of a named query that is read twice,
    # and these are all that there ever were.
    all_months = (
        f"(SELECT {columns} FROM earlier_months WHERE benefit <> 'FB'"
        f" UNION ALL SELECT {columns} FROM run_months WHERE benefit <> 'FB') AS all_months"
    )
    return f"""
WITH touched AS (
    SELECT DISTINCT citizen FROM run_months
), recent AS (
    SELECT {cells} FROM {all_months}
    WHERE month >= '{data_month or ""}' AND citizen IN (SELECT citizen FROM told)
    GROUP BY {keys} HAVING sum(amount_ore) > 0
), looked_up AS (
    SELECT citizen FROM touched
    WHERE NOT EXISTS (SELECT 1 FROM recent WHERE recent.citizen = touched.citizen)
), older AS (
    SELECT {cells} FROM {all_months}
    WHERE citizen IN (SELECT citizen FROM looked_up)
    GROUP BY {keys} HAVING sum(amount_ore) > 0
), ranked AS (
    SELECT {keys}, week_ore,
        row_number() OVER (
            PARTITION BY citizen ORDER BY month DESC, last_week DESC, benefit, municipality
        ) AS place
    FROM (SELECT * FROM recent UNION ALL SELECT * FROM older) AS cells
)
SELECT {keys}, week_ore FROM ranked WHERE place = 1
UNION ALL
SELECT {_of("earlier", keys)}, earlier.week_ore
FROM earlier_standing AS earlier
WHERE earlier.municipality IS NOT NULL
    AND earlier.citizen IN (SELECT citizen FROM told)
    AND NOT EXISTS (SELECT 1 FROM touched WHERE touched.citizen = earlier.citizen)
    AND NOT EXISTS (SELECT 1 FROM recent WHERE recent.citizen = earlier.citizen)"""


def citizens(data_month: str | None) -> str:
    """Write the statement of the data month's citizens by municipality.

    `present` is 1 where a row stands, `booked` where the run booked one.
    """
    of_month = f"WHERE month = '{data_month or ''}' AND benefit <> 'FB'"
    return f"""
SELECT municipality, citizen,
    CAST(CASE WHEN sum(weeks) > 0 THEN 1 ELSE 0 END AS INTEGER) AS present,
    CAST(max(booked) AS INTEGER) AS booked
FROM (
    SELECT municipality, citizen, weeks, 0 AS booked FROM earlier_months {of_month}
    UNION ALL
    SELECT municipality, citizen, weeks, booked FROM run_months {of_month}
) AS of_month
GROUP BY municipality, citizen"""


def counted(run: int | None) -> str:
    """Write the statement of the citizens' counters, each with its latest row.

    It reads `told`, `latest_rows` and `evaluated`: what the domain makes of the counters.
    """
    same = " AND ".join(
        f"(evaluated.{name} IS NOT DISTINCT FROM told.{name})" for name in TOLD.split(", ")
    )
    return f"""
SELECT {run_sql(run)} AS run, told.citizen AS citizen, evaluated.at_week AS at_week,
    latest.municipality AS municipality, latest.month AS month, latest.benefit AS benefit,
    latest.week_ore AS week_ore, {_of("told", TOLD)}, {_of("evaluated", EVALUATED)}
FROM told
JOIN evaluated ON {same}
LEFT JOIN latest_rows AS latest ON latest.citizen = told.citizen"""


def standing(run: int | None) -> str:
    """Write the statement of `standing`, without its order: who is counted, and in `citizens`."""
    return f"""
SELECT counted.*, COALESCE(citizens.present, 0) AS present, COALESCE(citizens.booked, 0) AS booked
FROM ({counted(run)}) AS counted
LEFT JOIN citizens ON citizens.citizen = counted.citizen
    AND citizens.municipality = counted.municipality"""


EVALUATED: Final = (
    "seniority, step, rate, weeks_to_next, next_rate, earned, missing, leaving_week, leaving"
)
"""The columns of what the domain makes of them, for the week that is asked for."""


def runs(run: int | None, data_month: str | None, closed_at: str | None) -> str:
    """Write the statement of `runs`."""
    return f"""
SELECT {run_sql(run)} AS run, {_text(data_month)} AS data_month, {_text(closed_at)} AS closed_at,
    rules, first_month, last_month
FROM (
    SELECT string_agg(rules, ' ' ORDER BY rules) AS rules
    FROM (SELECT DISTINCT rules FROM entries WHERE rules IS NOT NULL) AS named
) AS of_run
CROSS JOIN (
    SELECT min(month) AS first_month, max(month) AS last_month FROM run_months
) AS of_rows"""


def _text(value: str | None) -> str:
    literal = "NULL" if value is None else f"'{value}'"
    return f"CAST({literal} AS VARCHAR)"
