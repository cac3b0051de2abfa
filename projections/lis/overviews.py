"""The SQL of the two files that say what is true as of a run (`projections/runs/overviews.py`).

It reads `entries`: those of a part of the citizens, of the run and all runs before it. All that is
grouped has the citizen in its key, so parts may be read one after the other and added up. Within a
part a citizen is a number, that of `messages`: the long name would be compared for each row. Rows
that no file can have are left out, as in the other files (`projections/runs/left_out.py`); a row's
seal does not matter to sums, which name nobody.
"""

from collections.abc import Iterable
from typing import Final

from projections.lis.statements import MUNICIPALITY, STANDS
from projections.runs.files import LedgerRow
from projections.runs.left_out import MAY_BE_NULL, MECHANISMS, PSEUDONYM

FLEKSBIDRAG: Final = "FB"
_PLACE: Final = "citizen, municipality, month, benefit"
_LAST: Final = {
    "rules": "rules",
    "counters_week": "counters_week",
    "posted_seniority": "seniority",
    "posted_earned": "earned",
    "after_transfer": "after_transfer",
}
"""The columns of the last message of a citizen, by their names in `told`."""
_SUMS: Final = ("amount_ore", "refusion_ore", "medfinansiering_ore")
_SUMMED: Final = ", ".join(f"sum({name}) AS {name}" for name in _SUMS)


def messages(only: str | None) -> str:
    """Write the statement of a part's citizens: number, name, and what the last message says.

    `only` is the municipality that each must have a row of, None for all citizens. `is_ours` tells
    whether the name is a pseudonym; it is looked at once for each, not for each row.
    """
    last = ", ".join(f"{name} := {column}" for name, column in _LAST.items())
    whose = "citizen IS NOT NULL"
    if only:
        own = f"{MUNICIPALITY} IN {_listed([only])}"
        whose += f" AND citizen IN (SELECT citizen FROM entries WHERE {own})"
    return f"""
SELECT row_number() OVER () AS number, citizen,
    regexp_full_match(citizen, '{PSEUDONYM.pattern}') AS is_ours, last, cpr_sealed
FROM (
    SELECT citizen,
        max_by(struct_pack({last}), revision) FILTER (position = 0) AS last,
        max_by(cpr_sealed, revision) FILTER (position = 0) AS cpr_sealed
    FROM entries WHERE {whose} GROUP BY citizen
) AS named"""


def told() -> str:
    """Write the statement of the counters of each citizen, as the table `told` of LIS has them."""
    columns = ", ".join(f"last.{name} AS {name}" for name in _LAST)
    return f"SELECT number AS citizen, {columns} FROM messages WHERE is_ours AND last IS NOT NULL"


def cells(benefits: Iterable[str], municipalities: Iterable[str]) -> str:
    """Write the statement of the cells: the rows of a citizen's week that belong together."""
    demanded = " AND ".join(
        f'entries."{name}" IS NOT NULL' for name in LedgerRow._fields if name not in MAY_BE_NULL
    )
    places = _listed(municipalities)
    return f"""
SELECT {MUNICIPALITY} AS municipality, number AS citizen, month, week, benefit, financing,
    {_SUMMED}, sum({STANDS}) AS standing
FROM entries
JOIN messages ON messages.citizen = entries.citizen AND is_ours
WHERE {demanded}
    AND mechanism IN {_listed(MECHANISMS)} AND benefit IN {_listed(benefits)}
    AND financing IN {places} AND {MUNICIPALITY} IN {places}
GROUP BY ALL"""


def weeks() -> str:
    """Write the statement of a part's persons and money; its sums are those of `cells`."""
    return f"""
SELECT municipality, week, benefit, financing,
    sum(CASE WHEN amount_ore > 0 AND benefit <> '{FLEKSBIDRAG}' THEN 1 ELSE 0 END) AS persons,
    {_SUMMED}
FROM (
    SELECT municipality, citizen, week, benefit, financing, {_SUMMED} FROM cells GROUP BY ALL
) AS of_citizens
GROUP BY ALL"""


def of_weeks() -> str:
    """Write the statement of the sums of all parts, a municipality's beside each other."""
    sums = ", ".join(f"CAST(sum({name}) AS BIGINT) AS {name}" for name in ("persons", *_SUMS))
    nothing = " AND ".join(f"sum({name}) = 0" for name in ("persons", *_SUMS))
    return f"""
SELECT municipality, week, benefit, financing, {sums} FROM weeks
GROUP BY municipality, week, benefit, financing HAVING NOT ({nothing})
ORDER BY municipality"""


def latest_rows(data_month: str) -> str:
    """Write the statement of each citizen's latest row that stands, as the table `standing` has it.

    Most citizens have one in the data month or after it; the months before are summed for the
    others alone. The columns of money are not needed.
    """
    recent = _ranked(f"month >= '{data_month}'")
    older = _ranked(
        f"month < '{data_month}'"
        " AND NOT EXISTS (SELECT 1 FROM recent WHERE recent.citizen = cells.citizen)"
    )
    return f"""
WITH recent AS MATERIALIZED ({recent})
SELECT * FROM recent UNION ALL {older}"""


def _ranked(which: str) -> str:
    """Write the statement of the latest row of citizens among some cells."""
    return f"""
SELECT {_PLACE}, 0 AS week_ore FROM (
    SELECT {_PLACE}, row_number() OVER (
        PARTITION BY citizen
        ORDER BY month DESC, max(CASE WHEN amount_ore > 0 THEN week ELSE '' END) DESC, benefit,
            municipality
    ) AS place
    FROM (
        SELECT {_PLACE}, week, sum(amount_ore) AS amount_ore FROM cells
        WHERE benefit <> '{FLEKSBIDRAG}' AND {which} GROUP BY ALL
    ) AS weeks
    GROUP BY {_PLACE} HAVING sum(amount_ore) > 0
) AS ranked
WHERE place = 1"""


def citizens(data_month: str) -> str:
    """Write the statement of the counters of the citizens that the municipalities' lists have.

    `counted` is the table `standing` for the citizens of the part.
    """
    return f"""
SELECT mine.municipality, messages.citizen AS citizen, cpr_sealed, at_week, seniority, step,
    weeks_to_next, earned, missing, leaving_week
FROM (
    SELECT municipality, citizen FROM cells
    WHERE month = '{data_month}' AND benefit <> '{FLEKSBIDRAG}'
    GROUP BY municipality, citizen HAVING sum(standing) > 0
    UNION
    SELECT municipality, citizen FROM counted WHERE municipality IS NOT NULL AND earned > 0
) AS mine
JOIN counted ON counted.citizen = mine.citizen
JOIN messages ON messages.number = mine.citizen"""


def _listed(texts: Iterable[str]) -> str:
    literals = ", ".join(f"'{text}'" for text in sorted(texts))
    return f"({literals})"
