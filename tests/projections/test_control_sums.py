"""Control sums before a cut: all that was reported is settled, outside the Act, or rejected."""

from collections import defaultdict
from io import BytesIO

import orjson
import pytest

from domain.basics.weeks import month_number, month_text
from domain.citizen.reports import Reversal, RunMarker, cause
from projections.runs.completeness import findings
from streams.citizens.rule_sets import load_rule_set
from streams.citizens.settler import Partition
from streams.citizens.store_port import MemoryStore
from streams.privacy.identity import Identity
from streams.simulation import FAULTS, SimulationOptions, simulate
from streams.wire.outcomes import Accepted
from streams.wire.validator import Validator
from tests.support.run_books import JOBCENTRE, KRONE, LAW, MONTH, UDK, Journal, control, payment


@pytest.fixture(scope="module")
def settled():
    """Records, refused offsets and posting messages of settled lives with faults upstream."""
    written = BytesIO()
    months = month_number("2023-01"), month_number("2023-12")
    simulate(
        SimulationOptions(60, *months, seed=9, late=None, faults=FAULTS, jobs=1),
        written,
        lambda _: None,
    )
    validator, partition = Validator(load_rule_set(), demo=True), Partition(LAW, MemoryStore())
    identity = Identity(bytes(32), (bytes(32),))
    records: list = []
    messages: list = []
    refused: set = set()
    for line in written.getvalue().splitlines():
        if isinstance(accepted := validator.parse(line), Accepted):
            citizen, sealed = identity.of(accepted.cpr)
            (outcome,) = partition.settle_batch([(citizen, sealed, accepted.report)])
            if outcome.refused:
                refused.add(len(records))
            if outcome.posting:
                messages.append(orjson.loads(outcome.posting))
            records.append((citizen, accepted.report))
    return records, refused, messages


def test_reported_money_is_settled_outside_or_rejected_to_the_ore(settled):
    records, refused, messages = settled
    books = control(records, refused, messages)
    assert [finding for finding in findings(books, MONTH) if finding.code == "control_sum"] == []
    sums: defaultdict = defaultdict(int)
    for entry in books.control.values():
        for name in ("reported", "settled", "outside"):
            sums[name] += abs(getattr(entry, name))
    assert min(sums.values()) > 100_000 * KRONE
    assert sum(isinstance(report, Reversal) for _, report in records) > 5


def test_a_posting_that_is_lost_is_named(settled):
    records, refused, messages = settled
    lost = next(message for message in messages if message["reason"] == "report")
    books = control(records, refused, [message for message in messages if message is not lost])
    off = [finding for finding in findings(books, MONTH) if finding.code == "control_sum"]
    amounts_ore = [row["amount_ore"] for row in lost["rows"]]
    assert sum(finding.amount_ore for finding in off) == sum(amounts_ore)
    assert {finding.reporter for finding in off} == {lost["cause"].partition("/")[0]}
    assert {finding.month for finding in off} <= {row["month"] for row in lost["rows"]}


def test_a_report_that_is_lost_is_named(settled):
    records, refused, messages = settled
    caused = {message["cause"] for message in messages if message["reason"] == "report"}
    at = next(
        at
        for at, (_, report) in enumerate(records)
        if cause(report) in caused and at not in refused
    )
    books = control(
        [*records[:at], (records[at][0], Reversal("0", "0", "0", 0)), *records[at + 1 :]],
        refused,
        messages,
    )
    (reporter,) = {
        finding.reporter for finding in findings(books, MONTH) if finding.code == "control_sum"
    }
    assert reporter == records[at][1].reporter


def test_months_before_the_first_are_left_out(settled):
    records, refused, messages = settled
    first = month_number("2023-06")
    books = control(records, refused, messages, first_month=first)
    assert min(month for _, _, month in books.control) == first
    assert [finding for finding in findings(books, MONTH) if finding.code == "control_sum"] == []


def test_a_refused_payment_is_rejected_and_one_that_should_have_been_refused_is_found():
    conflict = [payment(MONTH, 300), payment(MONTH, 500)]
    for refused, expected in (({1}, 0), (set(), 500)):
        journal = Journal(refused=refused)
        for report in conflict:
            journal.add(report)
        journal.closed()
        journal.books.settle({(UDK, "SDP-B", MONTH): 300}, 0)
        assert journal.books.control[UDK, "SDP-B", MONTH].difference == expected


def test_money_that_depends_on_facts_is_outside_if_it_is_not_settled():
    journal = Journal()
    journal.add(payment(MONTH, 500, benefit="LY"))
    journal.closed()
    journal.books.settle({(UDK, "LY", MONTH): 300, (JOBCENTRE, "LY", MONTH): -100}, 0)
    assert findings(journal.books, MONTH) == []
    assert journal.books.control[UDK, "LY", MONTH].outside == 200


def test_a_payment_that_is_not_settled_yet_waits():
    journal = Journal(settled_to=1)
    first = payment(MONTH, 300)
    journal.add(first).add(payment(MONTH, 500, report_id="2"))
    journal.closed()
    assert journal.books.waiting == 1
    assert journal.books.control[UDK, "SDP-B", MONTH].reported == 300
    assert journal.books.received[UDK, "SDP-B"] == {MONTH: [2, 800]}


def test_a_marker_begins_the_books_anew():
    journal = Journal()
    journal.pay(-1, 700)
    journal.add(RunMarker(54, "2024-07-06T10:00:00Z", MONTH - 1))
    journal.pay(0, 300)
    journal.closed()
    assert {month_text(month) for _, _, month in journal.books.control} == {"2024-07"}
    assert journal.books.months == {MONTH: [1, 300]}
    assert journal.books.received[UDK, "SDP-B"] == {MONTH - 1: [1, 700], MONTH: [1, 300]}
