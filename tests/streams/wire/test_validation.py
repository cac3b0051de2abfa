import json
import random
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, get_type_hints

import pytest

from domain.basics.weeks import day, month_number
from domain.citizen.reports import (
    CaseFact,
    Income,
    Payment,
    Recalculation,
    Reversal,
    RulesRecord,
    RunMarker,
    Scope,
)
from streams.citizens.rule_sets import load_rule_set
from streams.wire.outcomes import Accepted
from streams.wire.rejections import CONFLICTING_DUPLICATE, INTERNAL_ERROR, REASONS, Rejection
from streams.wire.shapes import CaseFactShape, IncomeShape, PaymentShape, ReversalShape
from streams.wire.validator import Validator
from tests.support.bad_lines import BAD_LINES, ORDER
from tests.support.lines import (
    ABSENT,
    CANARY,
    REPORTS,
    case_fact,
    changed,
    income,
    payment,
    recalculate,
    reversal,
    rules,
    run,
)
from tests.support.plain_checker import is_allowed

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
    of_the_stream = {CONFLICTING_DUPLICATE.reason, INTERNAL_ERROR.reason}
    assert {row[2] for row in BAD_LINES} == set(REASONS) - of_the_stream


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
    ("one day of the benefit's validity", payment(benefit="KTH", period_start="2025-06-30", period_end="2025-07-31")),
    ("100 characters outside ASCII", payment(report_id="å" * 100)),
    ("an escaped character of two halves", payment().replace(b"2024-02-0001", b"\\ud83d\\ude00")),
    ("escapes that only look like halves", payment().replace(b"2024-02-0001", b"\\\\ud83d")),
    ("colons in a report_id", payment(report_id="a:b::c")),
    ("blanks before colons", payment().replace(b'":', b'" :')),
    ("a report_id of one blank", payment(report_id=" ")),
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
    lines = (PaymentShape, IncomeShape, CaseFactShape, ReversalShape)
    for report, line in zip(reports, lines, strict=True):
        names = [renamed.get(name, name) for name in get_type_hints(report)]
        assert [*line._fields] == [*names, "cpr", "schema", "type"]


# --- run markers ----------------------------------------------------------------------------


def test_a_run_marker_is_read_where_markers_are_expected():
    assert SETTLE.parse(run()) == RunMarker(82, "2026-11-02T08:00:00Z", month_number("2026-10"))


@pytest.mark.parametrize(
    ("changes", "reason", "field"),
    [
        ({"run": 81}, "wrong_type", "run"),
        ({"run": "82"}, "wrong_type", "run"),
        ({"run": ABSENT}, "missing_field", "run"),
        ({"closed_at": "2026-11-02"}, "wrong_type", "closed_at"),
        ({"closed_at": "2026-11-02T08:00:00+02:00"}, "wrong_type", "closed_at"),
        ({"data_month": "2026-13"}, "wrong_type", "data_month"),
        ({"data_month": "2026-10-01"}, "wrong_type", "data_month"),
        ({"cpr": CANARY}, "unknown_field", "cpr"),
        ({"schema": 2}, "unsupported_schema", "schema"),
    ],
)
def test_a_wrong_run_marker_is_rejected(changes, reason, field):
    outcome = SETTLE.parse(run(**changes))
    assert isinstance(outcome, Rejection)
    assert (outcome.reason, outcome.field) == (reason, field)


def test_the_other_control_records_are_read_where_they_are_expected():
    assert SETTLE.parse(rules(digest="0f")) == RulesRecord("r-1", "R-1", "0f")
    assert SETTLE.parse(recalculate()) == Recalculation("r-1", Scope())
    for scope in ({"municipality": "730"}, {"citizen": "0f" * 16}):
        assert SETTLE.parse(recalculate(scope=scope)) == Recalculation("r-1", Scope(**scope))


WRONG_SCOPES: list[Any] = [
    *("none", {}, {"municipality": "000"}, {"municipality": 730}, {"citizen": CANARY}, None),
    {"citizen": "0f" * 16, "municipality": "730"},
]


@pytest.mark.parametrize(
    ("line", "field"),
    [
        (rules(rules="no such name"), "rules"),
        (rules(digest="xyz"), "digest"),
        (rules(written_at="today"), "written_at"),
        (rules(id=""), "id"),
        *(
            (recalculate(scope=scope), "scope")
            for scope in ("none", {}, {"municipality": "000"}, {"municipality": 730})
        ),
        *(
            (recalculate(scope=scope), "scope")
            for scope in ({"citizen": CANARY}, {"citizen": "0f" * 16, "x": 1}, None)
        ),
    ],
)
def test_a_wrong_control_record_is_rejected(line, field):
    outcome = SETTLE.parse(line)
    assert isinstance(outcome, Rejection)
    assert (outcome.reason, outcome.field) == ("wrong_type", field)
    assert CANARY not in outcome.detail


# --- mutations ------------------------------------------------------------------------------

STRANGE_VALUES: list[Any] = [
    *(
        None,
        True,
        False,
        0,
        1,
        -1,
        1.0,
        0.1,
        1e300,
        "",
        " ",
        "1",
        "\0",
        "å",
        "\ud800",
        "\u202e",
        [],
        {},
        [1],
        {"a": 1},
    ),
    *(
        2**31,
        2**53 + 1,
        2**63 - 1,
        2**63,
        -(2**63),
        -(2**63) - 1,
        10**9,
        10**9 + 1,
        -(10**9),
        10**400,
    ),
    *(
        "2024-02-30",
        "2024-02-29",
        "2023-02-29",
        "2013-12-31",
        "2014-01-01",
        "2099-12-31",
        "2100-01-01",
        "2024-W09-4",
    ),
    *(
        "0101801234",
        "6101801234",
        "2902004234",
        "2902001234",
        "730",
        "751",
        "000",
        "FB",
        "ADP",
        "SU",
        "KTH",
        "MBT",
        "KTH25",
        "KNY",
    ),
    *(
        "2024-03-01T10:00:00Z",
        "2024-03-01T10:00:00+00:00",
        "2024-03-01t10:00:00z",
        "2016-12-31T23:59:60Z",
        "12345678",
    ),
    *("wage", "death", "dfdg", "income", "reversal", "case_fact", "benefit_payment", "run"),
]
STRANGE_BYTES = [
    b"\xef\xbb\xbf",
    b"\xff",
    b"\xed\xa0\x80",
    b"NaN",
    b"-",
    b"\\ud800",
    b'"',
    b"\\",
    b"{",
    b"[",
    b"\0",
    b",",
    b"0",
]


def _flip(chance: random.Random, line: bytes) -> bytes:
    at = chance.randrange(len(line))
    return line[:at] + bytes([line[at] ^ 1 << chance.randrange(8)]) + line[at + 1 :]


def _insert(chance: random.Random, line: bytes) -> bytes:
    at = chance.randrange(len(line) + 1)
    return line[:at] + chance.choice(STRANGE_BYTES) + line[at:]


def _cut(chance: random.Random, line: bytes) -> bytes:
    start, end = sorted(chance.sample(range(len(line) + 1), 2))
    return line[:start] + line[end:] if chance.random() < 0.5 else line[:end]


def _change_digit(chance: random.Random, line: bytes) -> bytes:
    at = chance.choice([at for at, byte in enumerate(line) if chr(byte).isdigit()])
    return line[:at] + str(chance.randrange(10)).encode() + line[at + 1 :]


def _key_twice(chance: random.Random, line: bytes) -> bytes:
    record = json.loads(line)
    name = chance.choice(list(record))
    member = f"{json.dumps(name)}: {json.dumps(chance.choice([record[name], *STRANGE_VALUES]))}"
    return line[:-1] + b", " + member.encode() + b"}"


def _drop_key(chance: random.Random, line: bytes) -> bytes:
    return changed(json.loads(line), **{chance.choice(list(json.loads(line))): ABSENT})


def _other_value(chance: random.Random, line: bytes) -> bytes:
    record = json.loads(line)
    record[chance.choice([*record, "more"])] = chance.choice(STRANGE_VALUES)
    return json.dumps(record).encode()


def _shuffle(chance: random.Random, line: bytes) -> bytes:
    members = list(json.loads(line).items())
    chance.shuffle(members)
    return json.dumps(dict(members)).encode()


KEEP_JSON = [_other_value, _other_value, _drop_key, _shuffle, _change_digit]
BREAK_JSON = [_flip, _insert, _cut, _key_twice]


def mutations(count: int, seed: int) -> Iterator[bytes]:
    """Good lines of all types, spoiled once to three times; the last time perhaps beyond JSON."""
    chance = random.Random(seed)
    for _ in range(count):
        line = json.dumps(chance.choice(REPORTS)).encode()
        for _ in range(chance.choice([0, 1, 1, 2])):
            try:
                line = chance.choice(KEEP_JSON)(chance, line)
            except ValueError:  # a digit was changed to a leading zero
                break
        try:
            yield chance.choice(BREAK_JSON + KEEP_JSON)(chance, line)
        except ValueError:
            yield line


@pytest.fixture(scope="module")
def mutated() -> list[bytes]:
    return list(mutations(10_000, seed=1987))


def test_ten_thousand_mutations_are_judged_as_the_plain_checker_does(mutated):
    for line in mutated:
        for validator, demo in ((REAL, False), (DEMO, True)):
            assert isinstance(validator.parse(line), Accepted) == is_allowed(
                line, RULES, demo=demo
            ), line


def test_the_mutations_reach_every_reason_and_every_type(mutated):
    outcomes = [REAL.parse(line) for line in mutated]
    reasons = Counter(outcome.reason for outcome in outcomes if isinstance(outcome, Rejection))
    types = Counter(type(outcome.report) for outcome in outcomes if isinstance(outcome, Accepted))
    assert set(reasons) >= set(REASONS) - {"too_large", "conflicting_duplicate", "internal_error"}
    assert all(types[kind] > 50 for kind in (Payment, Income, CaseFact, Reversal))


def test_the_quick_way_and_the_diagnosis_give_what_the_diagnosis_gives_alone(mutated):
    for line in [
        *mutated,
        *(row[1] for row in BAD_LINES if row[2] != "too_large"),
        *(row[1] for row in GOOD_AT_THE_EDGE),
    ]:
        assert SETTLE.diagnose(line) == SETTLE.parse(line), line


def test_random_bytes_are_never_accepted_and_never_crash():
    chance = random.Random(7)
    for _ in range(2_000):
        outcome = REAL.parse(chance.randbytes(chance.randrange(200)))
        assert isinstance(outcome, Rejection)
        assert outcome.reason == "not_json"


def test_a_rejected_mutation_never_repeats_the_cpr(mutated):
    assert all(
        CANARY not in repr(outcome)
        for outcome in map(REAL.parse, mutated)
        if isinstance(outcome, Rejection)
    )
