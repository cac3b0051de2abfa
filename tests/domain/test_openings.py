"""Opening rows, case by case: 12,000.00 kr. of kontanthjælp for January 2024, which an earlier
system settled.
"""

import orjson
import pytest

from domain.basics.weeks import month_number
from domain.citizen.openings import NO_ORDINAL
from projections.runs.completeness import findings
from streams.citizens.rule_sets import load_rule_set
from streams.citizens.store_port import MemoryStore
from streams.wire.rejections import Rejection
from streams.wire.validator import Validator
from tests.support import product
from tests.support.lines import changed
from tests.support.run_books import control

CPR = "6101901357"
WEEKS = {
    "2024-01-01": (270968, 80, 216774),
    "2024-01-08": (270968, 80, 216774),
    "2024-01-15": (270968, 80, 216774),
    "2024-01-22": (270967, 80, 216774),
    "2024-01-29": (116129, 40, 46452),
}
PAYMENT = {
    "schema": 1, "type": "benefit_payment", "report_id": "1", "reporter": "12345678", "cpr": CPR,
    "reported_at": "2024-02-01T08:00:00Z", "benefit": "KTH", "period_start": "2024-01-01",
    "period_end": "2024-01-31",
    "amount_ore": 1_200_000, "paying_municipality": "730", "channel": "eindkomst",
}  # fmt: skip
OPENING = {
    "schema": 1, "type": "opening", "reported_at": "2024-03-01T08:00:00Z", "cpr": CPR,
    "month": "2024-01",
    "benefit": "KTH", "paying": "730", "mechanism": "refusion",
}  # fmt: skip


def opening(week="2024-01-01", **changes):
    amount, rate, refusion = WEEKS[week]
    return (
        OPENING
        | {"week": week, "amount_ore": amount, "rate": rate, "refusion_ore": refusion}
        | changes
    )


ALL = [opening(week) for week in WEEKS]
WRONG_RATE = opening("2024-01-29", rate=80, refusion_ore=92903)


def rows(*records):
    """Kind, week, refusion of every row, in the order of posting; and the messages."""
    books = product.settle_all(records)
    posted = [row for message in books.messages for row in message["rows"]]
    return [(row["kind"], row["week"], row["refusion_ore"]) for row in posted], books.messages


def test_an_opening_row_is_a_message_of_its_own_that_moves_no_counter():
    posted, (message,) = rows(opening())
    assert posted == [("opening", "2024-01-01", 216774)]
    assert (message["reason"], message["cause"]) == (
        "opening",
        "opening/2024-01/2024-01-01/KTH/730/730",
    )
    assert message["counters"] == product.NOTHING
    (row,) = message["rows"]
    assert (row["ordinal"], row["financing"], row["account"], "reverses" in row) == (
        NO_ORDINAL,
        "730",
        None,
        False,
    )


def test_what_was_settled_rightly_is_not_paid_again():
    posted, messages = rows(*ALL, PAYMENT)
    assert [kind for kind, *_ in posted] == ["opening"] * 5
    assert (messages[-1]["rows"], messages[-1]["counters"]["seniority"]) == ([], 5)


def test_what_was_settled_wrongly_is_reversed_and_posted_anew():
    posted, messages = rows(*ALL[:-1], WRONG_RATE, PAYMENT)
    assert posted[5:] == [("correction", "2024-01-29", -92903), ("correction", "2024-01-29", 46452)]
    reversing, new = messages[-1]["rows"]
    assert reversing["reverses"] == messages[4]["rows"][0]["id"]
    assert (reversing["rate"], reversing["ordinal"], new["rate"], new["ordinal"]) == (
        80,
        NO_ORDINAL,
        40,
        5,
    )
    assert messages[-1]["reason"] == "report"


def test_after_the_reports_an_opening_row_is_taken_back_at_once():
    posted, messages = rows(PAYMENT, opening("2024-01-08"))
    assert posted[5:] == [("opening", "2024-01-08", 216774), ("correction", "2024-01-08", -216774)]
    one, two = messages[-1]["rows"]
    assert two["reverses"] == one["id"]


def test_a_week_that_nobody_reports_stands():
    posted, _ = rows(
        OPENING
        | {
            "month": "2024-02",
            "week": "2024-02-05",
            "amount_ore": 4,
            "rate": 40,
            "refusion_ore": 2,
        },
        PAYMENT,
    )
    assert [kind for kind, *_ in posted] == ["opening"] + ["result"] * 5


@pytest.mark.parametrize("month", ["2024-01", "2024-02"])
def test_a_week_in_two_months_is_answered_for_as_a_whole(month):
    payment = PAYMENT | {
        "period_start": f"{month}-01",
        "period_end": f"{month}-29",
        "amount_ore": 0,
    }
    halves = [opening("2024-01-29", month=each) for each in ("2024-01", "2024-02")]
    posted, messages = rows(*halves, payment)
    assert posted[2:] == [("correction", "2024-01-29", -46452)] * 2
    assert [row["month"] for row in messages[-1]["rows"]] == ["2024-01", "2024-02"]
    assert rows(*halves, payment, halves[0])[1] == messages


@pytest.mark.parametrize(
    "payment",
    [
        pytest.param({"benefit": "UDH"}, id="another-benefit"),
        pytest.param({"paying_municipality": "751"}, id="another-municipality"),
        pytest.param({"outside_act": True}, id="outside-the-Act"),
        pytest.param({"amount_ore": 0}, id="nothing"),
        pytest.param(
            {"benefit": "SU", "paying_municipality": None}, id="support-that-is-not-financed"
        ),
    ],
)
def test_a_payment_answers_for_the_whole_week(payment):
    """Else a payment that the earlier system had in another place would be paid twice."""
    posted, _ = rows(
        opening(), PAYMENT | payment | {"period_start": "2024-01-03", "period_end": "2024-01-03"}
    )
    assert posted[1] == ("correction", "2024-01-01", -216774)


@pytest.mark.parametrize("reversal_first", [False, True])
def test_a_payment_that_never_counted_says_so_of_its_week_too(reversal_first):
    reversal = {name: PAYMENT[name] for name in ("schema", "reporter", "cpr", "reported_at")}
    reversal |= {"type": "reversal", "report_id": "2", "reverses": "1"}
    reports = [reversal, PAYMENT] if reversal_first else [PAYMENT, reversal]
    books = product.settle_all([*ALL, *reports])
    assert books.rows == []


def test_neither_wages_nor_facts_say_anything_of_a_week():
    wages = {
        name: PAYMENT[name]
        for name in PAYMENT
        if name not in ("benefit", "channel", "paying_municipality")
    }
    wages |= {"type": "income", "kind": "wage", "pension_ore": 0}
    fact = {name: PAYMENT[name] for name in ("schema", "reporter", "cpr", "reported_at")}
    fact |= {"type": "case_fact", "report_id": "3", "fact": "death", "date": "2024-01-01"}
    assert [kind for kind, *_ in rows(opening(), wages, fact)[0]] == ["opening"]


def test_a_verified_account_is_that_of_the_row_when_it_is_posted():
    sick = opening(benefit="SDP-B")
    posted = product.settle_all([sick, PAYMENT | {"benefit": "SDP-B"}]).messages
    assert posted[0]["rows"][0]["account"] == "5.57.71.2.010"
    assert [row["week"] for row in posted[1]["rows"]] == [*WEEKS][1:]


def test_loaded_twice_is_once_and_other_figures_for_a_cell_are_refused():
    again = opening(reported_at="2024-05-01T08:00:00Z", financing="730", atp_ore=0)
    same, other = product.outcomes([opening(), again, opening(rate=40, refusion_ore=108387)])[1:]
    assert (same.posting, same.refused) == (None, "")
    assert (other.posting, other.refused) == (None, "conflicting_opening")


def test_a_state_without_opening_rows_is_written_as_before():
    store = MemoryStore()
    product.settle_all([opening(), PAYMENT], store)
    (part,) = (value for key, value in store.items() if key.endswith(b"/24288"))
    assert len(orjson.loads(part)) == 4


# --- control sums ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "journal",
    [
        pytest.param([*ALL, PAYMENT], id="right"),
        pytest.param([*ALL[:-1], WRONG_RATE, PAYMENT], id="wrong-rate"),
        pytest.param(
            [opening(amount_ore=270000, refusion_ore=216000), PAYMENT, *ALL[1:]],
            id="before-and-after",
        ),
        pytest.param(
            [*ALL, PAYMENT | {"benefit": "UDH"}, PAYMENT | {"report_id": "2"}], id="another-benefit"
        ),
        pytest.param(
            [PAYMENT, *ALL, opening(rate=40), *ALL, PAYMENT | {"report_id": "2"}], id="twice"
        ),
    ],
)
def test_the_control_sums_know_what_stood_already(journal):
    found = product.outcomes(journal)
    refused = {at for at, outcome in enumerate(found) if outcome.refused}
    records = [(record[0], record[2]) for record in map(product.record_of, journal)]
    messages = [orjson.loads(outcome.posting) for outcome in found if outcome.posting]
    books = control(records, refused, messages)
    assert findings(books, month_number("2024-01")) == []
    reported = sum(
        report["amount_ore"] for report in journal if report["type"] == "benefit_payment"
    )
    assert sum(entry.settled for entry in books.control.values()) == reported


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "reason", "field"),
    [
        ({"cpr": "6199901357"}, "bad_cpr", "cpr"),
        ({"benefit": "XYZ"}, "unknown_benefit", "benefit"),
        ({"benefit": "SU"}, "unknown_benefit", "benefit"),
        ({"paying": "999"}, "unknown_municipality", "paying"),
        ({"financing": "999"}, "unknown_municipality", "financing"),
        ({"week": "2024-01-02"}, "wrong_type", "week"),
        ({"month": "2024-02"}, "wrong_type", "week"),
        ({"month": "2015-11", "week": "2015-11-02"}, "bad_period", "month"),
        ({"amount_ore": 0, "refusion_ore": 0}, "bad_amount", "amount_ore"),
        ({"refusion_ore": 270969}, "bad_amount", "amount_ore"),
        ({"refusion_ore": -1}, "bad_amount", "amount_ore"),
        ({"medfinansiering_ore": 1}, "bad_amount", "mechanism"),
        (
            {"mechanism": "medfinansiering", "paying": None, "refusion_ore": 0},
            "missing_field",
            "financing",
        ),
        ({"mechanism": "both"}, "wrong_type", "mechanism"),
        ({"rate": 101}, "wrong_type", "rate"),
        ({"report_id": "1"}, "unknown_field", "report_id"),
    ],
)
def test_an_opening_row_that_cannot_be_is_refused(change, reason, field):
    refused = product.validator().parse(changed(opening(), **change))
    assert isinstance(refused, Rejection)
    assert (refused.reason, refused.field) == (reason, field)
    assert CPR not in refused.detail


def test_upstream_cannot_send_one():
    refused = Validator(load_rule_set(), demo=True).parse(changed(opening()))
    assert isinstance(refused, Rejection)
    assert refused.reason == "unknown_type"
