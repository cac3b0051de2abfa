"""Reports: every reason for a rejection, and what is accepted just inside the edge."""

from itertools import pairwise
from typing import Any, get_type_hints

import pytest

from domain.basics.weeks import day
from domain.citizen.reports import (
    CaseFact,
    Income,
    Payment,
    Reversal,
)
from streams.citizens.rule_sets import load_rule_set
from streams.wire.outcomes import Accepted
from streams.wire.rejections import REASONS, Rejection
from streams.wire.shapes import (
    CaseFactShape,
    CaseFactShape2,
    IncomeShape,
    IncomeShape2,
    PaymentShape,
    PaymentShape2,
    ReversalShape,
    ReversalShape2,
)
from streams.wire.validator import Validator
from tests.support.bad_lines import AT_SETTLING, BAD_LINES, OF_THE_REGISTER, ORDER
from tests.support.lines import (
    ABSENT,
    CANARY,
    case_fact,
    income,
    payment,
    reversal,
)

RULES = load_rule_set()
REAL = Validator(RULES, demo=False)
DEMO = Validator(RULES, demo=True)
SETTLE = Validator(RULES, demo=True, markers=True)


def accepted(line: bytes, validator: Validator = REAL) -> Any:
    outcome = validator.parse(line)
    assert isinstance(outcome, Accepted), outcome
    return outcome.report


# --- every reason ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "line", "reason", "field"), BAD_LINES, ids=[row[0] for row in BAD_LINES]
)
def test_a_bad_line_is_rejected_with_its_reason_and_field(wrong, line, reason, field):
    outcome = REAL.parse(line)
    assert isinstance(outcome, Rejection), wrong
    assert (outcome.reason, outcome.field) == (reason, field)


def test_the_table_has_every_reason_that_a_single_line_can_have():
    assert {row[2] for row in BAD_LINES} == set(REASONS) - AT_SETTLING - OF_THE_REGISTER


@pytest.mark.parametrize(("first", "second"), list(pairwise(ORDER)), ids=lambda fault: fault[0])
def test_of_two_faults_the_earlier_reason_wins(first, second):
    outcome = REAL.parse(payment(**(second[1] | first[1])))
    assert isinstance(outcome, Rejection)
    assert outcome.reason == first[0]


@pytest.mark.parametrize("benefit", ["FB", "XYZ", "KTH25"])
def test_a_benefit_that_cannot_be_comes_after_the_period_and_before_the_municipality(benefit):
    both = REAL.parse(payment(benefit=benefit, period_end="2024-01-31", paying_municipality="999"))
    later = REAL.parse(payment(benefit=benefit, paying_municipality="999"))
    assert [both.reason, later.field] == ["bad_period", "benefit"]  # type: ignore[union-attr]


def test_fb_without_a_municipality_is_missing_it_first():
    outcome = REAL.parse(
        payment(benefit="FB", paying_municipality=None, financing_municipality=None)
    )
    assert isinstance(outcome, Rejection)
    assert outcome.reason == "missing_field"


@pytest.mark.parametrize("line", [row[1] for row in BAD_LINES], ids=[row[0] for row in BAD_LINES])
def test_a_rejection_is_one_sentence_that_repeats_no_cpr(line):
    outcome = REAL.parse(line)
    assert isinstance(outcome, Rejection)
    assert len(outcome.detail) > 20
    assert "\n" not in outcome.detail
    assert all(
        secret not in repr(outcome) for secret in (CANARY, CANARY[:6], "12345678", "2024-02-0001")
    )


# --- good lines -----------------------------------------------------------------------------


def test_a_payment():
    assert REAL.parse(payment()) == Accepted(
        Payment(
            reporter="12345678",
            report_id="2024-02-0001",
            benefit="SDP-B",
            start=day("2024-02-01"),
            end=day("2024-02-29"),
            amount_ore=1_500_000,
            atp_ore=9_465,
            paying="730",
            financing="751",
            channel="eindkomst",
            outside_act=False,
            reported=day("2024-03-01"),
        ),
        CANARY,
        "2024-03-01T10:00:00Z",
    )


def test_an_income():
    start, end = day("2024-02-01"), day("2024-02-29")
    expected = Income(
        "12345678", "2024-02-0001", "flex_job_wage", start, end, 800_000, 40_000, day("2024-03-01")
    )
    assert accepted(income()) == expected


def test_a_case_fact():
    expected = CaseFact(
        "12345678", "2024-02-0001", "flex_referral", day("2013-03-01"), day("2024-03-01")
    )
    assert accepted(case_fact()) == expected


def test_a_reversal():
    assert accepted(reversal()) == Reversal(
        "12345678", "2024-02-0001", "2024-01-0007", day("2024-03-01")
    )


def test_defaults():
    report = accepted(payment(atp_ore=ABSENT, outside_act=ABSENT))
    assert (report.atp_ore, report.outside_act) == (0, False)


@pytest.mark.parametrize(
    ("benefit", "paying", "financing", "expected"),
    [
        ("KTH", "730", "751", ("730", "751")),
        ("KTH", "730", None, ("730", "730")),
        ("KTH", ABSENT, "751", ("751", "751")),
        ("ADP", None, "751", (None, "751")),
        ("ADP", ABSENT, "751", (None, "751")),
        ("ADP", "730", "751", ("730", "751")),
        ("SU", ABSENT, None, (None, None)),
        ("SU", "730", ABSENT, ("730", None)),
    ],
)
def test_for_refusion_each_municipality_defaults_to_the_other(benefit, paying, financing, expected):
    report = accepted(
        payment(benefit=benefit, paying_municipality=paying, financing_municipality=financing)
    )
    assert (report.paying, report.financing) == expected


GOOD_AT_THE_EDGE = [
    ("exactly 64 KiB", payment().ljust(65536)),
    ("blanks around", b" \t" + payment() + b"\r\n"),
    ("an amount of nothing", payment(amount_ore=0, atp_ore=0)),
    ("no amount but ATP: nothing has no sign", payment(amount_ore=0)),
    ("the largest amount", payment(amount_ore=10**9, atp_ore=10**9)),
    ("a repayment with its ATP", payment(amount_ore=-(10**9), atp_ore=-1)),
    ("a repayment without ATP", payment(amount_ore=-5, atp_ore=0)),
    ("minus nothing", payment().replace(b"1500000", b"-0")),
    ("366 days", payment(period_start="2024-01-01", period_end="2024-12-31")),
    ("the first day", payment(benefit="SU", period_start="2014-01-01", period_end="2014-07-01")),
    ("the last day", payment(period_start="2099-12-31", period_end="2099-12-31")),
    ("one day of the benefit's validity",
     payment(benefit="KTH", period_start="2025-06-30", period_end="2025-07-31")),
    ("100 characters outside ASCII", payment(report_id="å" * 100)),
    ("an escaped character of two halves, in an id of an older version",
     reversal(reverses="@").replace(b'"@"', b'"\\ud83d\\ude00"')),
    ("an id of an older version with blanks", reversal(reverses=" \u212b ")),
    ("every sign of the alphabet", payment(report_id="!\"#$%&'()*+,./:;<=>?@[]^_`{|}~ ¡¿×÷ßþÿ")),
    ("other ten digits than the number", payment(report_id="0101801235")),
    ("the number with a letter between", payment(report_id="010180x1234")),
    ("escapes that only look like halves", payment().replace(b"2024-02-0001", b"\\\\ud83d")),
    ("colons in a report_id", payment(report_id="a:b::c")),
    ("blanks before colons", payment().replace(b'":', b'" :')),
    ("a report_id with a blank inside", payment(report_id="a b")),
    ("a time with a fraction", payment(reported_at="2024-03-01T23:59:59.123456789Z")),
    ("a time with an offset of nothing", payment(reported_at="2024-03-01T00:00:00+00:00")),
    ("escaped keys", payment().replace(b'"benefit"', b'"b\\u0065nefit"')),
    ("a fact long ago", case_fact(date="1999-12-31")),
    ("a reporter of zeros", reversal(reporter="00000000")),
    ("born on 29 February 2000", payment(cpr="2902004234")),
    ("born on 29 February 1856 + 100", payment(cpr="2902561234")),
    ("born on 29 February 1860", payment(cpr="2902605234")),
    ("born on 29 February 2036", payment(cpr="2902369234")),
]  # fmt: skip


@pytest.mark.parametrize(
    "line", [row[1] for row in GOOD_AT_THE_EDGE], ids=[row[0] for row in GOOD_AT_THE_EDGE]
)
def test_a_line_just_inside_the_edge_is_accepted(line):
    assert accepted(line)


@pytest.mark.parametrize("cpr", ["6101801234", "9112990000", "0101801234"])
def test_demo_mode_accepts_fictive_numbers_and_others(cpr):
    assert accepted(payment(cpr=cpr), DEMO)


@pytest.mark.parametrize("cpr", ["6101801234", "9112990000"])
def test_a_number_with_60_added_is_told_how_it_is_accepted_where_it_is_not(cpr):
    """Authorities give such a replacement number to a person without a CPR number."""
    outcome = REAL.parse(payment(cpr=cpr))
    assert isinstance(outcome, Rejection)
    assert (outcome.reason, outcome.field) == ("bad_cpr", "cpr")
    assert "REFUSION_REPLACEMENT_NUMBERS=1" in outcome.detail
    other = REAL.parse(payment(cpr="9912801234"))
    assert isinstance(other, Rejection)
    assert "60" not in other.detail


@pytest.mark.parametrize(
    "cpr", ["6001801234", "9202801234", "9912801234", "8902001234", "0061801234"]
)
def test_demo_mode_still_wants_a_possible_date(cpr):
    outcome = DEMO.parse(payment(cpr=cpr))
    assert isinstance(outcome, Rejection)
    assert outcome.reason == "bad_cpr"


def test_the_wire_has_its_fields_in_the_order_of_the_domain():
    renamed = {"start": "period_start", "end": "period_end", "paying": "paying_municipality"}
    renamed |= {"financing": "financing_municipality", "reported": "reported_at"}
    reports = (Payment, Income, CaseFact, Reversal)
    in_1 = (PaymentShape, IncomeShape, CaseFactShape, ReversalShape)
    in_2 = (PaymentShape2, IncomeShape2, CaseFactShape2, ReversalShape2)
    for report, line, newer in zip(reports, in_1, in_2, strict=True):
        names = [renamed.get(name, name) for name in get_type_hints(report)]
        assert [*newer._fields] == [*names, "cpr", "schema", "type"]
        of_old = [name for name in names if name not in {"group", "reverses_group"}]
        assert [*line._fields] == [*of_old, "cpr", "schema", "type"]


@pytest.mark.parametrize("group", [{"group": "A:1/x"}, {"group": None}, {}])
def test_schema_2_is_read_the_same_in_both_ways(group):
    """The quick way, and the diagnosis, which an escape in the text leads to."""
    reversed_group = {"reverses": None, "reverses_group": "G:7"}
    for line in (
        payment(schema=2, **group),
        income(schema=2, **group),
        case_fact(schema=2, **group),
        reversal(schema=2, **group),
        reversal(schema=2, **reversed_group, **group),
    ):
        escaped = line.replace(b'"schema"', b'"\\u0073chema"')
        read = accepted(line)
        assert read == accepted(escaped)
        assert read.group == (group.get("group") or "")
    assert accepted(reversal(schema=2, **reversed_group)).reverses_group == "G:7"


@pytest.mark.parametrize("make", [payment, income, case_fact, reversal])
def test_with_demo_keys_nobody_who_may_live_is_taken_in(make):
    """Everybody knows these keys: whom they name and seal can be found, and unsealed."""
    validator = Validator(RULES, demo=True, only_fictive=True)
    refused = validator.parse(make(cpr="0101801234"))
    assert isinstance(refused, Rejection)
    assert (refused.reason, refused.field) == ("bad_cpr", "cpr")
    assert isinstance(validator.parse(make(cpr="6101801234")), Accepted)
