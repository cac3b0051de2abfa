"""The quick way accepts only what the diagnosis accepts, with the same values."""

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streams.citizens.rule_sets import load_rule_set
from streams.wire.outcomes import Accepted
from streams.wire.validator import Validator
from tests.support.lines import ABSENT, PAYMENT, REPORTS, case_fact, income, payment, reversal

VALIDATOR = Validator(load_rule_set(), demo=False)

IDS = ["2024-02-0001", "a:b", "::::", "atp_ore", "å", "\\", '"', "\t", "\u00a0", "x" * 101, ""]
TIMES = ["2024-03-01T10:00:00Z", "2024-03-01T10:00:00.5+00:00", "2024-03-01 10:00:00Z", "::"]
VALUES: list[Any] = [
    *IDS, *TIMES, None, True, 0, -1, 1.0, 10**9, 10**9 + 1, 2**63, 10**30, [], {"a": 1},
    "730", "000", "KTH", "ADP", "SU", "FB", "2024-02-29", "2023-02-29", "0101801234", "6101801234",
    "12345678", "1234567٨", "dfdg", "death", "wage", "reversal", "income",
]  # fmt: skip
NAMES = sorted({name for report in REPORTS for name in report})


def member(name: str, value: Any, escaped: bool, blanks: str) -> str:
    """Write a member of an object; an escaped one has its first character as a code."""
    key = f'"\\u{ord(name[0]):04x}{name[1:]}"' if escaped else json.dumps(name)
    return f"{key}{blanks}:{blanks}{json.dumps(value, ensure_ascii=False)}"


def escaped_or_not() -> st.SearchStrategy[bool]:
    return st.sampled_from([False] * 9 + [True])


@st.composite
def objects(draw: st.DrawFn) -> bytes:
    """Draw a report with some members changed, added again, left out and in another order."""
    members = [*draw(st.sampled_from(REPORTS)).items()]
    for _ in range(draw(st.integers(0, 3))):
        change = draw(st.sampled_from(["set", "add", "drop"]))
        place = draw(st.integers(0, len(members) - 1))
        if change == "set":
            members[place] = members[place][0], draw(st.sampled_from(VALUES))
        elif change == "drop" and len(members) > 1:
            del members[place]
        else:
            name = draw(st.sampled_from([*NAMES, *(name for name, _ in members), "more"]))
            members.insert(place, (name, draw(st.sampled_from(VALUES))))
    blanks = draw(st.sampled_from(["", " ", "\t"]))
    texts = [member(name, value, draw(escaped_or_not()), blanks) for name, value in members]
    return ("{" + ",".join(texts) + "}").encode()


def accepted_quickly(record: bytes) -> Accepted | None:
    try:
        return VALIDATOR.accept_quickly(record)
    except (ValueError, RecursionError):
        return None


def twice(name: str, first: Any) -> bytes:
    """Write a payment that has a member before all others that comes again."""
    return f"{{{member(name, first, False, '')},".encode() + payment()[1:]


@settings(max_examples=500)
@given(objects())
@example(twice("report_id", ""))
@example(twice("reported_at", 1))
@example(twice("type", "benefit_payment"))
@example(twice("schema", 1))
@example(twice("atp_ore", 9_465))
@example(b'{"a":' + b"[" * 60_000)
@example(b'{"type":"benefit_payment","more":' + b"[" * 60_000)
def test_what_is_accepted_quickly_is_what_the_diagnosis_accepts(record):
    outcome = VALIDATOR.diagnose(record)
    assert accepted_quickly(record) in (None, outcome)
    assert VALIDATOR.parse(record) == outcome


@pytest.mark.long
@settings(max_examples=5_000)
@given(objects())
def test_many_more_are_accepted_alike(record):
    assert accepted_quickly(record) in (None, VALIDATOR.diagnose(record))


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: report["type"])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [None, "", 1, "a:b", "2024-03-01T10:00:00+00:00"])
def test_no_key_comes_twice(report, name, value):
    once = json.dumps(report).encode()
    if name in report:
        for again in (value, report[name]):
            added = member(name, again, False, "").encode()
            assert accepted_quickly(once[:-1] + b"," + added + b"}") is None
            assert accepted_quickly(b"{" + added + b"," + once[1:]) is None


GOOD = [
    payment(),
    payment(atp_ore=ABSENT, outside_act=ABSENT, paying_municipality=ABSENT),
    payment(financing_municipality=ABSENT),
    payment(paying_municipality=None),
    payment(benefit="SU", paying_municipality=ABSENT, financing_municipality=ABSENT),
    payment(report_id="å" * 100),
    payment(report_id="a:b:c"),
    payment(reported_at="2024-03-01T10:00:00.123456+00:00"),
    payment(amount_ore=-(10**9), atp_ore=0),
    json.dumps(PAYMENT, indent=1).encode(),
    income(report_id=":"),
    case_fact(reported_at="2024-03-01T00:00:00+00:00"),
    reversal(reverses="a:b"),
]


@pytest.mark.parametrize("record", GOOD)
def test_usual_reports_are_accepted_quickly(record):
    assert accepted_quickly(record) == VALIDATOR.diagnose(record)
    assert accepted_quickly(record)
