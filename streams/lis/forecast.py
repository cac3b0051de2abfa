"""Makes the forecast of a closed run: the tables `flows` and `forecast`, and other law's forecast.

`docs/forecast.md` explains the model; `projections/lis/forecast_statements.py` and
`forecast_money.py` have the statements. Whoever calls gives the engine with the marts of the runs
before (`flows_before`, `forecasts_before`), and `standing`, `person_months` and `money`.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from arro3.core import Array, DataType, Table
from duckdb import DuckDBPyConnection as Connection

from domain.basics.weeks import first_day, month_number, month_text, week_of
from domain.law.rates import staircase_in, step_at, steps_of
from domain.ruledata.ruleset import Benefit, RuleSet, Staircase
from projections.lis import forecast_money as money
from projections.lis import forecast_statements as statements
from projections.lis.scopes import rates_by_step
from projections.lis.tables import MARTS
from streams.lis.counters import LawOf
from streams.lis.engine import view_of_mart
from streams.lis.spans import Span

MONTHS_AHEAD: Final = 12
RUNS_SEEN: Final = 40
"""The runs before this one that a forecast reads: three years, and some."""
_TEXT, _NUMBER, _FLAG = DataType.string(), DataType.int64(), DataType.bool()


def name_tables_of_forecast(
    connection: Connection, files: Callable[[str], list[str]], run: int | None
) -> None:
    """Name the tables that a forecast reads, as the run saw them."""
    for name in ("standing", "money", "person_months"):
        view_of_mart(connection, MARTS[name], files(name), name)
    for name, earlier in (("flows", "flows_before"), ("forecast", "forecasts_before")):
        view_of_mart(connection, MARTS[name], files(name), f"all_{name}")
        _name_earlier(connection, f"all_{name}", earlier, run)


def _name_earlier(connection: Connection, table: str, earlier: str, run: int | None) -> None:
    """Name the rows of the runs that a forecast reads beside its own; none for the open run."""
    seen = "FALSE" if run is None else f"run < {run} AND run >= {run - RUNS_SEEN}"
    connection.execute(f"CREATE OR REPLACE VIEW {earlier} AS SELECT * FROM {table} WHERE {seen}")


def foresee(connection: Connection, span: Span, law_of: LawOf) -> None:
    """Make `flows_made` and `forecast_made` of a closed run.

    Both are empty for the open one, and for a run without a message.
    """
    rules = _rules_at_the_end(connection)
    if span.run is None or span.data_month is None or rules is None:
        for name, earlier in (("flows", "flows_before"), ("forecast", "forecasts_before")):
            connection.execute(
                f"CREATE TEMP TABLE {name}_made AS SELECT * FROM {earlier} WHERE FALSE"
            )
        return
    making = Forecasting(connection, span.run, span.data_month, law_of(rules).rules)
    making.flow()
    making.forecast()


def _rules_at_the_end(connection: Connection) -> str | None:
    """Name the rule set with which most partitions of the run end."""
    found = connection.execute(
        'SELECT rules FROM (SELECT max_by(rules, "offset") AS rules FROM entries'
        " WHERE rules IS NOT NULL GROUP BY partition)"
        " GROUP BY rules ORDER BY count(*) DESC, rules LIMIT 1"
    ).fetchall()
    return str(found[0][0]) if found else None


class Forecasting:
    """Makes the forecast of one run, whose data month is `data_month`, under a rule set.

    `priced_by` is the rule set whose shares make the money of the months to come.
    """

    def __init__(
        self,
        connection: Connection,
        run: int,
        data_month: str,
        law: RuleSet,
        priced_by: RuleSet | None = None,
    ) -> None:
        self._connection = connection
        self._priced_by = priced_by or law
        self._run = run
        self._month = month_number(data_month)
        self._text = data_month
        self._law = law

    def stand(self) -> None:
        """Make the table `here_now`: where each citizen stands at the end of the data month."""
        self._keep("here_now", statements.here(self._run, self._month))

    def flow(self) -> None:
        """Make the table `flows_made`: from the month before, as the run before left it.

        It is empty where that run was of another month.
        """
        self.stand()
        before = month_text(self._month - 1)
        is_of_month_before = self._one(
            f"SELECT count(*) FROM all_runs WHERE run = {self._run - 1} AND data_month = '{before}'"
        )
        self._keep(
            "here_before",
            statements.here(self._run - 1, self._month - 1)
            if is_of_month_before
            else "SELECT * FROM here_now WHERE FALSE",
        )
        self._keep("flows_made", statements.flows(self._run, self._text, _weeks_of(self._month)))

    def forecast(self) -> None:
        """Make the table `forecast_made`: the data month as it was, and twelve months to come."""
        self._name_months(self._law)
        self._name_law()
        first = self._run - statements.LEARNS_FROM
        self._keep(
            "learned",
            f"SELECT *, COALESCE(step_before, {statements.NO_STEP}) AS step,"
            " CAST(substr(month, 6, 2) AS INTEGER) AS of_year,"
            f" run > {self._run - 12} AS is_of_last_year,"
            f" run BETWEEN {self._run - 23} AND {self._run - 12} AS is_of_year_before"
            " FROM (FROM flows_before UNION ALL BY NAME FROM flows_made)"
            f" WHERE run > {first} AND run <= {self._run}",
        )
        self._keep("foreseen", money.as_it_was(self._run, self._text))
        self._connection.execute(
            "CREATE OR REPLACE TEMP VIEW known AS"
            " SELECT * FROM foreseen UNION ALL BY NAME SELECT * FROM forecasts_before"
        )
        if self._is_any("learned"):
            self._go_on()
        self._keep("errors", money.errors(self._month))
        self._keep("forecast_made", money.forecast(self._run))

    def _go_on(self) -> None:
        """Move the citizens through the months to come, and make money of them."""
        january = self._month - self._month % 12
        for name, statement in (
            ("pace", statements.PACE),
            ("chances", statements.CHANCES),
            ("leaves", statements.LEAVES),
            ("entrants", statements.ENTRANTS),
            ("state", _with_step(statements.STATE, self._law)),
            ("ahead", f"SELECT 0 AS months_ahead, * FROM ({self._present(self._month)})"),
            ("lately", money.lately(self._month)),
            ("paid_days", money.paid_days(self._month)),
            ("day_amounts", money.day_amounts(self._month, january)),
        ):
            self._keep(name, statement)
        growth = self._one(money.growth(january)) or statements.MILLION
        self._keep("corrected", money.CORRECTED, month=self._text)
        bands = [band.from_week for band in _last_stairs(self._law).bands]
        for months_ahead in range(1, MONTHS_AHEAD + 1):
            month = self._month + months_ahead
            following = statements.next_state(month % 12 + 1, _weeks_of(month), bands)
            self._keep("following", following)
            self._keep("state", _with_step("SELECT * FROM following", self._law))
            self._connection.execute(
                f"INSERT INTO ahead SELECT {months_ahead}, * FROM ({self._present(month)})"
            )
        if self._priced_by is not self._law:
            self._name_months(self._priced_by)
        self._connection.execute(f"INSERT INTO foreseen BY NAME {money.expected(growth)}")

    def _present(self, month: int) -> str:
        """Write the persons with benefits in a month, the next one of which has its season."""
        return statements.present((month + 1) % 12 + 1)

    def _keep(self, name: str, statement: str, **values: str | int) -> None:
        self._connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {name} AS {statement}", values or None
        )

    def _one(self, statement: str) -> int:
        ((value,),) = self._connection.execute(statement).fetchall()
        return int(value or 0)

    def _is_any(self, name: str) -> bool:
        return bool(self._one(f"SELECT count(*) FROM {name}"))

    def _name_months(self, law: RuleSet) -> None:
        """Name the months that are told of (`months`), and the shares of a law (`ladder`)."""
        numbers = range(self._month - 4 * 12, self._month + MONTHS_AHEAD + 1)
        ladders = {number: _ladder_of(law, number) for number in numbers if number >= self._month}
        places = {ladder: place for place, ladder in enumerate(dict.fromkeys(ladders.values()))}
        self._table(
            "months",
            month=(_TEXT, [month_text(number) for number in numbers]),
            number=(_NUMBER, list(numbers)),
            days=(_NUMBER, [first_day(number + 1) - first_day(number) for number in numbers]),
            distance=(
                _NUMBER,
                [number - self._month if number in ladders else None for number in numbers],
            ),
            is_next_year=(_FLAG, [number // 12 > self._month // 12 for number in numbers]),
            ladder=(
                _NUMBER,
                [places[ladders[number]] if number in ladders else None for number in numbers],
            ),
        )
        rows = [
            row for (at, weeks), place in places.items() for row in _shares(law, at, weeks, place)
        ]
        number, codes, seniorities, are_refusion, shares = zip(*rows, strict=True)
        self._table(
            "ladder",
            number=(_NUMBER, number),
            benefit=(_TEXT, codes),
            weeks=(_NUMBER, seniorities),
            is_refusion=(_FLAG, are_refusion),
            share=(_NUMBER, shares),
        )

    def _name_law(self) -> None:
        """Name the step of each rate of benefits on the staircase: `steps`."""
        found = {
            (code, rate): step
            for code, rates in rates_by_step(self._law).items()
            for step, rate in reversed(list(enumerate(rates, 1)))
        }
        self._table(
            "steps",
            benefit=(_TEXT, [code for code, _ in found]),
            rate=(_NUMBER, [rate for _, rate in found]),
            step=(_NUMBER, list(found.values())),
        )

    def _table(self, name: str, **columns: tuple[DataType, Sequence[Any]]) -> None:
        arrays = [Array(values, type=kind) for kind, values in columns.values()]
        self._connection.register(name, Table.from_arrays(arrays, names=list(columns)))


def _weeks_of(month: int) -> int:
    """Count the weeks from the end of the month before to the end of a month: four or five."""
    return week_of(first_day(month + 1) - 1) - week_of(first_day(month) - 1)


def _share(benefit: Benefit, stairs: Staircase, at: int, weeks: int) -> int:
    """Give the mean share of the weeks of a month that ends at a seniority, in millionths."""
    if benefit.mechanism is None or benefit.rate == "computed" or benefit.rate is None:
        return 0
    if benefit.rate != "staircase":
        return benefit.rate * statements.MILLION // 100
    ordinals = range(at - weeks + 1, at + 1)
    steps = steps_of([stairs])
    bands = [stairs.bands[step_at(steps, ordinal)] for ordinal in ordinals]
    return sum(map(benefit.share, bands)) * statements.MILLION // 100 // weeks


def _with_step(statement: str, law: RuleSet) -> str:
    """Add the step to a state: that of the seniority, for who has benefits."""
    stairs = _last_stairs(law)
    cases = " ".join(
        f"WHEN GREATEST(weeks, 1) >= {band.from_week} THEN {step}"
        for step, band in reversed(list(enumerate(stairs.bands, 1)))
    )
    return (
        f"SELECT *, CAST(CASE WHEN away > 0 THEN {statements.NO_STEP} {cases} END AS INTEGER)"
        f" AS step FROM ({statement})"
    )


def _last_stairs(law: RuleSet) -> Staircase:
    """Give the staircase that is valid last."""
    return max(law.staircases, key=lambda stairs: stairs.valid_from)


def _ladder_of(law: RuleSet, month: int) -> tuple[int, int]:
    """Give what decides the shares of a month: which staircase, and its number of weeks."""
    stairs = staircase_in(law, week_of(first_day(month + 1) - 1))
    return law.staircases.index(stairs), _weeks_of(month)


def _shares(
    law: RuleSet, at: int, weeks: int, place: int
) -> Iterator[tuple[int, str, int, bool, int]]:
    stairs = law.staircases[at]
    for code, benefit in law.benefits.items():
        for seniority in range(statements.MOST_WEEKS + 1):
            share = _share(benefit, stairs, seniority, weeks)
            yield place, code, seniority, benefit.mechanism == "refusion", share


def foresee_under(
    connection: Connection, run: int, data_month: str, law: RuleSet, priced_by: RuleSet
) -> None:
    """Put in the place of a run's forecast what the same citizens cost under another rule set.

    The connection has the marts by their names. Raises LisError.
    """
    for name, earlier in (("flows", "flows_before"), ("forecast", "forecasts_before")):
        _name_earlier(connection, name, earlier, run)
    connection.execute(f"CREATE TEMP TABLE flows_made AS SELECT * FROM flows WHERE run = {run}")
    making = Forecasting(connection, run, data_month, law, priced_by)
    making.stand()
    making.forecast()
    connection.execute("CREATE TABLE forecast_under AS SELECT * FROM forecast_made")
    connection.execute("CREATE OR REPLACE VIEW forecast AS SELECT * FROM forecast_under")
