"""Towns whose citizens go on by chances that a test knows, and the tables that LIS makes of them.

`Tables` puts what a run knew before the forecast, without a ledger. `Towns` are simulated: every
chance, amount and season is given, so that a forecast can be held against what really comes.
"""

import random
from contextlib import contextmanager
from typing import NamedTuple

from arro3.core import Array, DataType, Table

from domain.basics.weeks import first_day, month_text, week_of
from projections.lis import statements
from projections.lis.tables import MARTS
from streams.lis.engine import engine, view_of_mart
from streams.lis.forecast import Forecasting

STANDING = "run, citizen, municipality, month, benefit, step, seniority, missing"
PERSON_MONTHS = ", ".join(
    ("run, municipality, month, citizen, benefit, amount_ore", *statements.WEEK_COLUMNS)
)
FIRST = 2020 * 12
KINDS = {"string": DataType.string(), "integer": DataType.int32(), "long": DataType.int64()}


class Citizen(NamedTuple):
    """A row of `standing`, as far as a forecast reads it."""

    name: str
    town: str
    month: str
    benefit: str
    step: int
    seniority: int
    missing: int | None = None


class Paid(NamedTuple):
    """A row of `money`, as far as a forecast reads it."""

    town: str
    benefit: str
    mechanism: str
    rate: int
    amount_ore: int
    result_ore: int


class Tables:
    """The tables of LIS run by run, each run's forecast made of those before it."""

    def __init__(self, connection, law):
        self.connection = connection
        self._law = law
        self._runs = 0
        for name in ("flows", "forecast", "money"):
            view_of_mart(connection, MARTS[name], [], "none")
            connection.execute(f"CREATE TABLE {name} AS SELECT * FROM none")  # noqa: S608
        for name, columns in (("standing", STANDING), ("person_months", PERSON_MONTHS)):
            view_of_mart(connection, MARTS[name], [], "none")
            connection.execute(f"CREATE TABLE {name} AS SELECT {columns} FROM none")  # noqa: S608
        connection.execute("CREATE TABLE all_runs (run INTEGER, data_month VARCHAR)")
        for name, earlier in (("flows", "flows_before"), ("forecast", "forecasts_before")):
            connection.execute(f"CREATE VIEW {earlier} AS SELECT * FROM {name}")  # noqa: S608

    def add_run(self, month, citizens, paid):
        """Add a run, and make its forecast."""
        self._runs += 1
        run, text = self._runs, month_text(month)
        for name in ("standing", "person_months"):
            self.connection.execute(f"DELETE FROM {name} WHERE run < {run - 2}")  # noqa: S608
        self._insert("standing", STANDING.split(", "), [(run, *one) for one in citizens])
        self._insert(
            "person_months",
            PERSON_MONTHS.split(", "),
            [
                (run, one.town, text, one.name, one.benefit, 1, 1, *[0] * 5)
                for one in citizens
                if one.month == text
            ],
        )
        columns = "run, municipality, month, benefit, mechanism, rate, amount_ore, refusion_ore"
        rows = [
            (run, one.town, text, *one[1:5], *_results(one.mechanism, one.result_ore))
            for one in paid
        ]
        self._insert("money", [*columns.split(", "), "medfinansiering_ore"], rows)
        making = Forecasting(self.connection, run, text, self._law)
        making.flow()
        making.forecast()
        self.connection.execute("INSERT INTO all_runs VALUES (?, ?)", [run, text])
        for name in ("flows", "forecast"):
            self.connection.execute(f"INSERT INTO {name} BY NAME FROM {name}_made")

    def _insert(self, name, columns, rows):
        types = {c.name: c.type for mart in MARTS.values() for c in mart.columns}
        arrays = [
            Array([row[at] for row in rows], type=KINDS[types[column]])
            for at, column in enumerate(columns)
        ]
        self.connection.register("inserted", Table.from_arrays(arrays, names=columns))
        self.connection.execute(f"INSERT INTO {name} BY NAME FROM inserted")

    def forecast(self, columns, where="benefit IS NULL AND step IS NULL"):
        """Read columns of the last run's forecast, the data month first."""
        return self.connection.execute(
            f"SELECT {columns} FROM forecast WHERE run = {self._runs} AND {where}"  # noqa: S608
            " ORDER BY municipality NULLS LAST, months_ahead, benefit, step"
        ).fetchall()


def _results(mechanism, result):
    return (result, 0) if mechanism == "refusion" else (0, result)


@contextmanager
def tables(law):
    """Give the tables of a law, empty."""
    with engine() as connection:
        yield Tables(connection, law)


def weeks_of(month):
    """Count the weeks from the end of the month before to the end of a month."""
    return week_of(first_day(month + 1) - 1) - week_of(first_day(month) - 1)


SEASON = (1.3, 1.1, 1.0, 0.9, 0.8, 0.8, 0.7, 0.9, 1.0, 1.0, 1.2, 1.4)
"""Those who come in each month of the year, beside the mean."""
ENDS = {"KTH": 0.10, "ADP": 0.16, "SDP-B": 0.22}
"""The chance that who is on the first step becomes self-supporting, by benefit."""
DAY_ORE = {"KTH": 40_000, "ADP": 65_000, "SDP-B": 55_000}
PAID_BY_MONTH = ("KTH",)
RISE = 1.02
"""The rise of amounts with the year."""


class Life:
    """A citizen of a simulated town."""

    def __init__(self, town, benefit, seniority, *, is_new):
        self.town, self.benefit, self.seniority = town, benefit, seniority
        self.is_on, self.is_new = not is_new, is_new
        self.away = 0
        self.last = None

    def go_on(self, month, steps, chance):
        """Live a month: `steps` gives the step of a seniority."""
        if self.is_new:
            self.is_on, self.is_new = True, False
        elif self.is_on:
            if chance.random() < ENDS[self.benefit] / steps(self.seniority) ** 0.7:
                self.is_on = False
            elif chance.random() < 0.01:
                self.benefit = chance.choice(list(ENDS))
        elif chance.random() < 0.12 / (1 + self.away):
            self.is_on = True
        if self.is_on:
            self.seniority, self.away, self.last = self.seniority + weeks_of(month), 0, month
            self.kept = self.benefit
        else:
            self.away += 1
            if self.away == 12:
                self.seniority = 0


class Towns:
    """Towns of some citizens each, who live by the chances above."""

    def __init__(self, seed, sizes, law):
        self._chance = random.Random(seed)
        self._sizes = sizes
        self._law = law
        self._bands = law.staircases[-1].bands
        self._lives = [
            Life(town, self._chance.choice(list(ENDS)), self._chance.randint(0, 150), is_new=False)
            for town, size in sizes.items()
            for _ in range(size)
        ]

    def _step(self, seniority):
        return sum(band.from_week <= max(seniority, 1) for band in self._bands)

    def month(self, month):
        """Live a month; give what the run of it knows: the citizens, and what was paid."""
        chance = self._chance
        for town, size in self._sizes.items():
            expected = size * 0.05 * SEASON[month % 12]
            number = int(expected) + (chance.random() < expected % 1)
            self._lives += [
                Life(town, chance.choice(list(ENDS)), 0, is_new=True) for _ in range(number)
            ]
        for life in self._lives:
            life.go_on(month, self._step, chance)
        known = [
            Citizen(
                str(number), life.town, month_text(life.last), life.kept,
                self._step(life.seniority), life.seniority,
                52 - min(51, 52 * life.away // 12) if 0 < life.away < 12 else None,
            )
            for number, life in enumerate(self._lives)
            if life.last
        ]  # fmt: skip
        return known, [self._paid(life, month) for life in self._lives if life.is_on]

    def _paid(self, life, month):
        benefit = self._law.benefits[life.benefit]
        days = 30 if life.benefit in PAID_BY_MONTH else first_day(month + 1) - first_day(month)
        rise = RISE ** ((month - FIRST) // 12)
        amount = int(days * DAY_ORE[life.benefit] * rise * self._chance.uniform(0.8, 1.1))
        weeks = weeks_of(month)
        shares = [
            benefit.share(self._bands[self._step(life.seniority - back) - 1])
            for back in range(weeks)
        ]
        result = amount * sum(shares) // (100 * weeks)
        return Paid(life.town, life.benefit, benefit.mechanism, shares[0], amount, result)
