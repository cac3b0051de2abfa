"""The benchmark's ledger is one: the marts sum to it, and answer its questions as it does."""

import pytest

from bench.lis import QUESTIONS, statement
from bench.national import NationalLedger, month_of
from projections.lis.statements import MUNICIPALITY
from streams.ledger.table import LedgerTable
from streams.lis.build import BuildRequest, build
from streams.lis.engine import engine, view_of_entries
from streams.lis.mart_audit import unlike_the_ledger
from streams.lis.marts import open_marts
from streams.lis.spans import Span
from streams.lis.store import MartStore
from tests.support import product


@pytest.mark.long
def test_marts_and_ledger_answer_the_questions_of_the_benchmark_alike(tmp_path):
    place, marts_at = str(tmp_path / "ledger"), str(tmp_path / "lis")
    with NationalLedger(tmp_path / "ledger", 5_000) as national:
        for _ in range(3):
            national.add_run()
    ledger = LedgerTable.open(place)
    build(ledger, MartStore(marts_at), lambda _: product.law(), [], BuildRequest(), lambda *_: None)
    assert (
        list(unlike_the_ledger(ledger, marts_at, lambda _: product.law(), [], lambda *_: None))
        == []
    )
    values = ("101", month_of(1))
    with open_marts(marts_at) as marts, engine() as connection:
        view_of_entries(connection, ledger, Span(None, None, None, range(100), "TRUE"))
        for asked in QUESTIONS:
            ours = marts.rows(statement(asked.of_marts, "money"), values)
            theirs = statement(asked.of_ledger, "entries", f"({MUNICIPALITY})")
            peers = connection.execute(theirs, values).fetchall()
            assert peers
            assert {row[:3] for row in ours} == {row[:3] for row in peers}, asked.name
