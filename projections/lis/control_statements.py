"""The SQL of the table of control sums: what `refusion run close` has kept, and the ledger's rows.

Like `statements.py` it is standard SQL, and reads the names that are told there.
"""

from projections.lis.statements import REPORTER, ordered, run_sql
from projections.lis.tables import MARTS
from projections.runs.totals import NO_REPORT


def controls(run: int | None) -> str:
    """Write the statement of `controls`: what is kept of the run, and the ledger's rows beside it.

    It reads `kept_sums`, and `looked`: up to where those sums go.
    """
    before = "journal_offset < looked_to"
    reasons = ", ".join(f"'{reason}'" for reason in sorted(NO_REPORT))
    kept = (
        *("reporter", "benefit", "month", "lines", "received_ore", "reversed_ore", "rejected_ore"),
        *("outside_ore", "opened_ore", "posted_ore"),
    )
    return f"""
WITH settled AS (
    SELECT {REPORTER} AS reporter, benefit, month,
        sum(CASE WHEN {before} THEN amount_ore ELSE 0 END) AS ledger_ore,
        sum(CASE WHEN {before} THEN 1 ELSE 0 END) AS rows,
        sum(CASE WHEN {before} THEN 0 ELSE amount_ore END) AS later_ore
    FROM entries JOIN looked ON looked.partition = entries.partition
    WHERE id IS NOT NULL AND kind <> 'opening' AND reason NOT IN ({reasons})
    GROUP BY {REPORTER}, benefit, month
)
SELECT {run_sql(run)} AS run, {", ".join(f"kept_sums.{name} AS {name}" for name in kept)},
    CAST(COALESCE(ledger_ore, 0) AS BIGINT) AS ledger_ore,
    CAST(COALESCE(rows, 0) AS BIGINT) AS rows,
    CAST(COALESCE(later_ore, 0) AS BIGINT) AS later_ore
FROM kept_sums LEFT JOIN settled ON settled.reporter = kept_sums.reporter
    AND settled.benefit = kept_sums.benefit AND settled.month = kept_sums.month
ORDER BY {ordered(MARTS["controls"])}"""
