"""Sums the marts for the page of runs: what each run settled, and what stands in the open one.

`run` None is the open run: what is posted and no run has closed.
"""

from typing import Final, NamedTuple

from domain.basics.weeks import month_number, month_text
from projections.lis.scopes import ViewScope

NET: Final = "(refusion_ore - medfinansiering_ore)"


class RunSums(NamedTuple):
    """The money of a run, or of a municipality in it, as øre, and its posting rows.

    `corrections` is the part of the net amount that is of months before the run's data month.
    """

    refusion: int
    medfinansiering: int
    net: int
    corrections: int
    rows: int


class CauseSums(NamedTuple):
    """The corrections of one cause: municipalities, weeks, øre up and down."""

    reason: str
    municipalities: int
    weeks: int
    up: int
    down: int


class DoubtLine(NamedTuple):
    """A line of completeness that held a run: what came, what was expected, and who accepted it."""

    reporter: str
    benefit: str
    month: str
    received: int
    expected: int | None
    hold: str
    accepted: str | None


def sums_of_runs(scope: ViewScope) -> dict[int | None, RunSums]:
    """Sum the money of each run; opening rows were settled by an earlier system."""
    rows = scope.rows("money", f"run, {_money(scope)}", "AND kind <> 'opening' GROUP BY run")
    return {run: RunSums(*sums) for run, *sums in rows}


def sums_of_municipalities(scope: ViewScope, run: int | None) -> dict[str, RunSums]:
    """Sum the money of a run by municipality."""
    rows = scope.rows(
        "money",
        f"municipality, {_money(scope)}",
        f"AND kind <> 'opening' AND {_of_run(run)} GROUP BY municipality ORDER BY municipality",
    )
    return {code: RunSums(*sums) for code, *sums in rows}


def corrections_by_cause(scope: ViewScope, run: int | None) -> list[CauseSums]:
    """Sum the corrections of a run by what caused them, the largest amounts first."""
    rows = scope.rows(
        "corrections",
        "reason, count(DISTINCT municipality), coalesce(sum(weeks), 0)::BIGINT,"
        " coalesce(sum(up_ore), 0)::BIGINT, coalesce(sum(down_ore), 0)::BIGINT",
        f"AND {_of_run(run)} AND reporter IS NULL AND kind IS NULL AND reason <> 'opening'"
        " GROUP BY reason",
    )
    causes = [CauseSums(*row) for row in rows]
    return sorted(causes, key=lambda cause: (cause.down - cause.up, cause.reason))


def doubts_of(scope: ViewScope, run: int) -> list[DoubtLine]:
    """List what held a run, and was accepted."""
    rows = scope.read(
        "SELECT reporter, benefit, month, received_ore, expected_ore, hold, accepted"
        " FROM completeness WHERE run = $1 AND hold IS NOT NULL ORDER BY reporter, benefit, month",
        [run],
    )
    return [DoubtLine(*row) for row in rows]


def _money(scope: ViewScope) -> str:
    """Write the sums of money as SQL; the open run is of the month after the last closed one."""
    months = dict(scope.data_months)
    cases = "".join(f" WHEN {int(run)} THEN '{month}'" for run, month in months.items())
    following = month_text(month_number(max(months.values())) + 1) if months else ""
    data_month = f"CASE run{cases} ELSE '{following}' END" if months else "''"
    parts = (
        "refusion_ore",
        "medfinansiering_ore",
        NET,
        f"CASE WHEN month < {data_month} THEN {NET} ELSE 0 END",
        "rows",
    )
    return ", ".join(f"coalesce(sum({part}), 0)::BIGINT" for part in parts)


def _of_run(run: int | None) -> str:
    return "run IS NULL" if run is None else f"run = {int(run)}"
