"""The statements of LIS are portable: DataFusion, inside deltalake, gives the rows of DuckDB."""

import random

import pytest
from deltalake import DeltaTable, QueryBuilder, write_deltalake

from projections.lis import statements
from projections.lis.comparison_statements import seniorities, step_persons, visitors
from projections.lis.tables import MARTS
from streams.ledger.table import LedgerTable
from streams.lis.build import BuildRequest, SpanBuild, build
from streams.lis.engine import engine, view_of_mart
from streams.lis.spans import spans_of
from streams.lis.store import MartStore
from tests.support import product
from tests.support.run_histories import ledger_of_lives

NAMES = (
    *("entries", "month_weeks", "run_months", "earlier_months", "earlier_standing"),
    *("told", "latest_rows", "evaluated", "citizens", "standing_made", "steps"),
)
"""The tables that the statements read."""


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """The tables that the statements of a run read, as Delta tables; and the marts of the run."""
    folder = tmp_path_factory.mktemp("engines")
    ledger_of_lives(random.Random(11), 11, folder / "ledger")
    ledger = LedgerTable.open(str(folder / "ledger"))
    store = MartStore(str(folder / "lis"))
    law_of = lambda _: product.law()  # noqa: E731
    build(ledger, store, law_of, [], BuildRequest(), lambda *_: None)
    _, span, *_ = spans_of(ledger)
    ((month,),) = ledger.rows("SELECT max(month) FROM ledger WHERE after_run = 49 AND id <> ''")
    span = span._replace(data_month=month)  # lives are long past, and a data month needs rows
    marts = {}
    with engine() as connection:
        for _ in SpanBuild(connection, ledger, store, span).write(law_of, []):
            pass
        for name in NAMES:
            write_deltalake(folder / name, connection.sql(f"FROM {name}"))
        for name, mart in MARTS.items():
            view_of_mart(connection, mart, store.files(name), f"made_{name}")
            rows = connection.execute(f"FROM made_{name} WHERE run = {span.run}").fetchall()
            marts[name] = sorted(rows, key=str)
    return folder, span, marts


STATEMENTS = {
    "person_months": lambda span: statements.person_months(span.run),
    "money": lambda span: statements.money(span.run),
    "corrections": lambda span: statements.corrections(span.run, span.data_month),
    "runs": lambda span: statements.runs(span.run, *span.closing),
    "persons": lambda span: statements.persons(span.run),
    "step_persons": lambda span: step_persons(span.run),
    "standing": lambda span: statements.standing(span.run),
    "visitors": lambda span: visitors(span.run),
    "seniorities": lambda span: seniorities(span.run),
}


def datafusion(folder, statement):
    """The rows of a statement by the engine inside deltalake."""
    query = QueryBuilder()
    for name in NAMES:
        query.register(name, DeltaTable(folder / name))
    for batch in query.execute(statement):
        yield from zip(
            *(batch.column(number).to_pylist() for number in range(batch.num_columns)), strict=True
        )


@pytest.mark.parametrize("name", STATEMENTS)
def test_another_engine_gives_the_same_rows(sources, name):
    folder, span, marts = sources
    assert marts[name]
    assert sorted(datafusion(folder, STATEMENTS[name](span)), key=str) == marts[name]


def test_another_engine_finds_the_same_latest_rows_citizens_and_counters(sources):
    folder, span, _ = sources
    for name, statement in (
        ("told", statements.told(span.run)),
        ("latest_rows", statements.latest_rows(span.data_month)),
        ("citizens", statements.citizens(span.data_month)),
    ):
        found = sorted(datafusion(folder, statement), key=str)
        expected = [tuple(row) for row in rows_in(folder / name)]
        assert found == sorted(expected, key=str)
        assert found


def rows_in(folder):
    """All rows of a table."""
    return datafusion(folder.parent, "SELECT * FROM " + folder.name)  # noqa: S608
