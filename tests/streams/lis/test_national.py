"""The benchmark's ledger is one: the marts sum to it, and answer its questions as it does."""

from collections import defaultdict

import pytest

from bench.lis import QUESTIONS, statement
from bench.national import NationalLedger, month_of
from projections.lis.questions import LisQuestion
from streams.ledger.table import LedgerTable
from streams.lis.build import BuildRequest, build
from streams.lis.engine import engine, view_of_entries
from streams.lis.inquiry import ask
from streams.lis.mart_audit import unlike_the_ledger
from streams.lis.marts import open_marts
from streams.lis.spans import Span
from streams.lis.store import MartStore
from tests.support import product
from tests.support.lives import RULES


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
    with open_marts(marts_at) as marts, engine() as connection:
        view_of_entries(connection, ledger, Span(None, None, None, range(100), "TRUE"))
        for asked in QUESTIONS:
            month = None if asked.all_months else month_of(1)
            question = LisQuestion(asked.view, "101", month)
            ours = ask(marts, RULES, question, place, {}, persons=asked.persons)
            values = ("101", month or month_of(0))
            peers = connection.execute(statement(asked.of_ledger), values).fetchall()
            assert peers
            assert told(ours, asked) == {row[: 2 if asked.persons else 3] for row in peers}


def told(answer, asked):
    """Give what an answer says, in the columns that the ledger is asked for first."""
    rows = [dict(zip(answer.names, row, strict=True)) for row in answer.rows]
    if asked.persons:
        sums: defaultdict[str, int] = defaultdict(int)
        for row in rows:
            sums[row["citizen"]] += row["amount_ore"]
        return set(sums.items())
    names = {
        "beloeb": ("benefit", "mechanism", "rate"),
        "udgifter": ("month", "benefit", "account"),
        "personer": ("benefit", "rate", "persons"),
    }[asked.view]
    if asked.view != "personer":
        rows = [row for row in rows if row["benefit"] and row.get("rate", 1)]
    return {tuple(row[name] for name in names) for row in rows}
