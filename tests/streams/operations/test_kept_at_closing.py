"""A closing keeps what nobody could find out later, whatever comes then."""

import asyncio
from contextlib import asynccontextmanager
from typing import Any

import pytest

from domain.basics.weeks import month_text
from projections.runs.totals import RunTotals
from streams.lis.completeness import KEPT
from streams.lis.control_sums import KEPT_SUMS
from streams.operations import runs
from streams.operations.run_checks import RunError
from streams.operations.run_survey import Survey
from streams.operations.runs import Closed
from streams.settings import Settings
from streams.wire.control_records import run_of
from tests.support.run_books import MONTH, UDK, Journal


class SlowBrokers:
    """These brokers have confirmed the marker, and do not show it."""

    async def newer_run(self):
        """Nobody else has closed a run."""

    async def ends(self, _topic):
        return {0: 7}


@pytest.fixture
def confirmed(monkeypatch):
    """The journal takes the marker, at an offset that is seen late."""

    async def begun(_settings):
        pass

    async def written(*_):
        return {0: 8}

    async def nobody_missing(*_):
        return []

    @asynccontextmanager
    async def writer(*_):
        yield

    monkeypatch.setattr(runs, "begin_journal", begun)
    monkeypatch.setattr(runs, "control_writer", writer)
    monkeypatch.setattr(runs, "_write", written)
    monkeypatch.setattr(runs, "_notices", nobody_missing)
    monkeypatch.setattr(runs, "VISIBLE_S", 0.1)


@pytest.mark.usefixtures("confirmed")
def test_what_is_kept_of_a_run_is_kept_before_its_marker_is_waited_for(tmp_path):
    ledger = str(tmp_path / "ledger")
    given = {"REFUSION_DEMO": "1", "REFUSION_BOOTSTRAP": "127.0.0.1:9", "REFUSION_LEDGER": ledger}
    settings = Settings.load(given)
    journal = Journal()
    journal.pay(0, 1_000)
    journal.closed()
    survey = Survey(journal.books, RunTotals(), {}, 1, settled_to={0: 7})
    outcome = Closed(run_of(MONTH), month_text(MONTH), survey, [])
    brokers: Any = SlowBrokers()
    with pytest.raises(RunError, match="the run is closed, but its marker cannot be read yet"):
        asyncio.run(runs._cut(settings, brokers, outcome, None))
    for table in (KEPT, KEPT_SUMS):
        ((run, reporter, *_),) = table.rows(ledger)
        assert (run, reporter) == (run_of(MONTH), UDK)
