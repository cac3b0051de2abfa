"""The lines by reporter of `kontrol`: what came, where it went, and what the ledger has of it."""

import random
from io import BytesIO

import orjson
import pytest

from domain.basics.weeks import month_number
from projections.ledger.entries import LedgerProgress, Posted, read_page
from projections.lis.questions import LisQuestion
from projections.runs.totals import RunTotals
from streams.citizens.rule_sets import load_rule_set
from streams.citizens.settler import Partition
from streams.citizens.store_port import MemoryStore
from streams.ledger.table import Append, LedgerTable, entries_batch
from streams.lis.control_sums import KEPT_SUMS, kept_beside, kept_sums
from streams.lis.inquiry import InquiryError, ask
from streams.lis.marts import open_marts
from streams.privacy.identity import Identity
from streams.simulation import FAULTS, SimulationOptions, simulate
from streams.wire.outcomes import Accepted
from streams.wire.validator import Validator
from tests.properties.test_lis import built
from tests.support.run_books import LAW, Journal
from tests.support.run_histories import marker

RULES = load_rule_set()
RUN = 49


def journal_of_lives():
    """Accepted reports of simulated lives with faults upstream, in the order of the journal."""
    written = BytesIO()
    months = month_number("2023-08"), month_number("2023-12")
    options = SimulationOptions(90, *months, seed=9, late=None, faults=FAULTS, jobs=1)
    simulate(options, written, lambda _: None)
    validator, identity = Validator(load_rule_set(), demo=True), Identity(bytes(32), (bytes(32),))
    for line in written.getvalue().splitlines():
        if isinstance(accepted := validator.parse(line), Accepted):
            yield *identity.of(accepted.cpr), accepted.report


@pytest.fixture(scope="module")
def closed(tmp_path_factory):
    """A run whose last tenth of records came between the look and the cut; what was kept of it."""
    folder = tmp_path_factory.mktemp("controls")
    records = [*journal_of_lives()]
    looked_to = len(records) * 9 // 10
    settled, posted, refused = Partition(LAW, MemoryStore()), list[Posted](), set[int]()
    for at, (citizen, sealed, report) in enumerate(records):
        (outcome,) = settled.settle_batch([(citizen, sealed, report)])
        if outcome.refused:
            refused.add(at)
        if outcome.posting:
            posted.append(Posted(len(posted), orjson.loads(outcome.posting), at))
    journal, totals = Journal(settled_to=looked_to, refused=refused), RunTotals()
    for citizen, _, report in records:
        journal.add(report, citizen)
    for record in posted:
        if record.journal_offset < looked_to:
            totals.post(record.message, frozenset({"FB"}))
    journal.closed()
    journal.books.settle(totals.settled, 0)
    table = LedgerTable.make(str(folder / "ledger"), "postings", "test", 1)
    posted.append(Posted(len(posted), marker(RUN), len(records)))
    page = read_page(LedgerProgress(0), posted)
    table.append([Append(0, 0, len(posted), entries_batch(page.entries))])
    return folder, kept_sums(RUN, journal.books, {0: looked_to})


def lines_of(folder, kept):
    built(folder, kept)
    with open_marts(str(folder / "lis")) as marts:
        question = LisQuestion("kontrol", reporters=True)
        answer = ask(marts, RULES, question, str(folder / "ledger"), {})
    return [dict(zip(answer.names, row, strict=True)) for row in answer.rows]


def test_every_ore_that_came_before_the_look_is_settled_or_told(closed):
    folder, kept = closed
    lines = lines_of(folder, kept)
    assert len(lines) == len(kept)
    assert not any(line["difference_ore"] for line in lines)
    for name in ("received_ore", "reversed_ore", "standing_ore", "posted_ore", "later_ore", "rows"):
        assert any(line[name] for line in lines), name
    for line in lines:
        came = line["received_ore"] + line["reversed_ore"]
        gone = line["rejected_ore"] + line["outside_ore"] + line["opened_ore"]
        assert came - gone == line["standing_ore"] == line["ledger_amount_ore"]


def test_an_ore_that_is_missing_is_a_difference(closed):
    folder, kept = closed
    at = random.Random(1).choice([at for at, line in enumerate(kept) if line.posted_ore])
    lost = kept[at]._replace(received_ore=kept[at].received_ore + 1)
    for path in (folder / "lis").glob("*"):
        for file in sorted(path.rglob("*"), reverse=True):
            file.rmdir() if file.is_dir() else file.unlink()
    lines = lines_of(folder, [*kept[:at], lost, *kept[at + 1 :]])
    off = [line for line in lines if line["difference_ore"]]
    assert [(line["reporter"], line["difference_ore"]) for line in off] == [(lost.reporter, 1)]


def test_lines_by_reporter_are_not_those_of_a_municipality(closed):
    folder, kept = closed
    built(folder, kept)
    with open_marts(str(folder / "lis")) as marts:
        for question, words in (
            (LisQuestion("kontrol", "730", reporters=True), "leave --municipality out"),
            (LisQuestion("beloeb", reporters=True), "leave --reporters out"),
        ):
            with pytest.raises(InquiryError, match=words):
                ask(marts, RULES, question, str(folder / "ledger"), {})


def test_sums_that_are_kept_twice_are_there_once(closed, tmp_path):
    _, kept = closed
    ledger = str(tmp_path / "ledger")
    for _ in range(2):
        KEPT_SUMS.keep(ledger, RUN, kept)
    assert sorted(kept_beside(ledger)) == sorted(kept)
