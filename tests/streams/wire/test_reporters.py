"""The register of reporters: a reporter is held against its entry, its source and its benefits."""

from itertools import pairwise
from typing import Any

import pytest

from domain.basics.weeks import day
from streams.citizens.rule_sets import load_rule_set
from streams.wire.outcomes import Accepted
from streams.wire.rejections import Rejection
from streams.wire.reporters import RegisteredReporter, ReporterRegister
from streams.wire.validator import Validator
from tests.support.lines import ABSENT, case_fact, income, payment, recalculate, reversal

FOR_EVER = day("0001-01-01"), day("9999-12-31")
REGISTER = ReporterRegister(
    [
        RegisteredReporter(
            "12345678", "Randers", "municipality", "730", "", None, "", day("2024-01-01"),
            day("2024-12-31"),
        ),
        RegisteredReporter(
            "12345678", "Nye Randers", "municipality", "730", "kmd", None, "", day("2025-01-01"),
            day("9999-12-31"),
        ),
        RegisteredReporter(
            "87654321", "En a-kasse", "a_kasse", None, "kmd", frozenset({"ADP"}), "", *FOR_EVER
        ),
    ]
)  # fmt: skip
VALIDATOR = Validator(load_rule_set(), demo=True, markers=True, register=REGISTER)
AT = "2024-06-01T08:00:00Z"
LATER = "2025-01-01T00:00:00Z"


def reason_of(line: bytes, source: str | None = None) -> str:
    outcome = VALIDATOR.of_source(source).parse(line)
    if isinstance(outcome, Rejection):
        return outcome.reason
    assert isinstance(outcome, Accepted)
    return ""


@pytest.mark.parametrize("make", [payment, income, case_fact, reversal])
@pytest.mark.parametrize(
    ("fields", "source", "reason"),
    [
        ({"reported_at": AT}, None, ""),
        ({"reported_at": AT}, "", ""),
        ({"reported_at": AT}, "kmd", "foreign_reporter"),
        ({"reported_at": LATER}, "kmd", ""),
        ({"reported_at": LATER}, "", "foreign_reporter"),
        ({"reported_at": LATER}, "kmd2", "foreign_reporter"),
        ({"reported_at": LATER}, None, ""),
        ({"reported_at": "2023-12-31T23:59:59Z"}, None, "unknown_reporter"),
        ({"reported_at": "2023-12-31T23:59:59Z"}, "kmd", "unknown_reporter"),
        ({"reported_at": AT, "reporter": "11111111"}, "", "unknown_reporter"),
    ],
)
def test_a_reporter_speaks_from_its_own_source_alone_on_the_days_of_its_entry(
    make, fields, source, reason
):
    assert reason_of(make(**fields), source) == reason


def test_a_payment_of_a_benefit_that_the_reporter_does_not_have_is_refused():
    ours = {"reporter": "87654321", "reported_at": AT}
    adp = payment(**ours, benefit="ADP", financing_municipality="730")
    assert reason_of(adp, "kmd") == ""
    assert reason_of(payment(**ours), "kmd") == "not_allowed"
    assert reason_of(income(**ours), "kmd") == ""
    outcome = VALIDATOR.of_source("kmd").parse(payment(**ours))
    assert isinstance(outcome, Rejection)
    assert outcome.field == "benefit"


ORDER: list[tuple[str, dict[str, Any], str]] = [
    ("missing_field", {"channel": ABSENT}, ""),
    ("wrong_type", {"reporter": "1234567"}, ""),
    ("unknown_reporter", {"reporter": "11111111"}, ""),
    ("foreign_reporter", {"reporter": "87654321"}, ""),
    ("bad_cpr", {"cpr": "9999999999"}, "kmd"),
    ("cpr_in_id", {"report_id": "6101901357"}, "kmd"),
    ("bad_period", {"period_end": "2024-01-31"}, "kmd"),
    ("not_reportable", {"benefit": "FB"}, "kmd"),
    ("unknown_benefit", {"benefit": "XYZ"}, "kmd"),
    ("not_allowed", {"benefit": "KTH25", "reporter": "87654321"}, "kmd"),
    ("not_valid_in_period", {"benefit": "KTH25", "reporter": "12345678"}, ""),
    ("unknown_municipality", {"paying_municipality": "999"}, "kmd"),
]
"""Faults in the order of contract section 12, each with the source that shows it."""
BASE: dict[str, Any] = {
    "cpr": "6101901357", "reporter": "87654321", "benefit": "ADP", "reported_at": AT,
    "financing_municipality": "730",
}  # fmt: skip


@pytest.mark.parametrize(("reason", "fault", "source"), ORDER, ids=[row[0] for row in ORDER])
def test_each_fault_has_its_reason(reason, fault, source):
    assert reason_of(payment(**BASE | fault), source) == reason


@pytest.mark.parametrize(("first", "second"), list(pairwise(ORDER)), ids=lambda row: row[0])
def test_of_two_faults_the_earlier_in_the_order_of_checks_wins(first, second):
    both = BASE | second[1] | first[1]
    assert reason_of(payment(**both), first[2]) == first[0]


def test_a_rejection_of_the_register_names_nobody():
    for source in ("", "kmd"):
        outcome = VALIDATOR.of_source(source).parse(payment(**BASE | {"reporter": "55555555"}))
        assert isinstance(outcome, Rejection)
        assert "55555555" not in outcome.detail
        assert "6101901357" not in outcome.detail


def test_control_records_have_no_reporter():
    assert not isinstance(VALIDATOR.of_source("kmd").parse(recalculate()), Rejection)


def test_a_register_tells_its_sources_and_the_last_name_of_a_reporter():
    assert REGISTER.sources == ["kmd"]
    assert REGISTER.names() == {"12345678": "Nye Randers", "87654321": "En a-kasse"}
