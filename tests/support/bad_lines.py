"""Lines that must be rejected: what is wrong, the line, the reason, the field."""

import json

from tests.support.lines import (
    ABSENT,
    CANARY,
    PAYMENT,
    REVERSAL,
    case_fact,
    income,
    payment,
    reversal,
)

_TEXT = json.dumps(PAYMENT)
_LARGEST = 64 * 1024


def _twice(member: str) -> bytes:
    """A payment with one more member at the end."""
    return f"{_TEXT[:-1]}, {member}}}".encode()


_BENEFIT_TWICE = _twice('"benefit": "KTH"')
_ID = b"2024-02-0001"


def _raw(before: str, after: str) -> bytes:
    """A payment with a part of its text replaced."""
    assert before in _TEXT
    return _TEXT.replace(before, after).encode()


def _nested(levels: int) -> bytes:
    """A reversal in which objects and lists nest as deep as this."""
    return (
        f'{json.dumps(REVERSAL)[:-1]}, "more": {"[" * (levels - 1)}{"]" * (levels - 1)}}}'.encode()
    )


BAD_LINES: list[tuple[str, bytes, str, str | None]] = [
    # the bytes
    ("one byte over 64 KiB", payment().ljust(_LARGEST + 1), "too_large", None),
    ("too large comes before not JSON", b"x" * (_LARGEST + 1), "too_large", None),
    ("nothing", b"", "not_json", None),
    ("blanks", b" \t ", "not_json", None),
    ("a word", b"report", "not_json", None),
    ("a number", b"7", "not_json", None),
    ("null", b"null", "not_json", None),
    ("a string", b'"benefit_payment"', "not_json", None),
    ("a list of one report", b"[" + payment() + b"]", "not_json", None),
    ("two reports on one line", payment() + payment(), "not_json", None),
    ("cut off", payment()[:-1], "not_json", None),
    ("a comma too many", _twice("")[:-1] + b"}", "not_json", None),
    ("single quotes", _TEXT.replace('"', "'").encode(), "not_json", None),
    ("a byte order mark", b"\xef\xbb\xbf" + payment(), "not_json", None),
    ("UTF-16", _TEXT.encode("utf-16"), "not_json", None),
    ("Latin-1", payment(report_id="år").decode().encode("latin-1"), "not_json", None),
    ("a surrogate in UTF-8", _raw("2024-02-0001", "XX").replace(b"XX", b"\xed\xa0\x80"), "not_json", None),
    ("half an escaped character", _raw("2024-02-0001", "\\ud83d"), "not_json", None),
    ("the other half of an escaped character", _raw("2024-02-0001", "\\ude00x"), "not_json", None),
    ("a tab inside a string", _raw("2024-02-0001", "a\tb"), "not_json", None),
    ("a zero byte at the end", payment() + b"\0", "not_json", None),
    ("NaN", _raw("1500000", "NaN"), "not_json", None),
    ("Infinity", _raw("1500000", "Infinity"), "not_json", None),
    ("minus Infinity", _raw("1500000", "-Infinity"), "not_json", None),
    ("a leading zero", _raw("1500000", "01500000"), "not_json", None),
    ("a leading plus", _raw("1500000", "+1500000"), "not_json", None),
    ("101 levels", _nested(101), "not_json", None),
    ("60,000 levels", b"[" * 60_000, "not_json", None),
    ("60,000 levels that are closed", b'{"a":' + b"[" * 30_000 + b"]" * 30_000 + b"}", "not_json", None),
    # the same key twice
    ("a key twice", _twice('"benefit": "KTH"'), "wrong_type", "benefit"),
    ("a key twice with the same value", _twice('"benefit": "SDP-B"'), "wrong_type", "benefit"),
    ("a key twice, once escaped", _twice('"b\\u0065nefit": "KTH"'), "wrong_type", "benefit"),
    ("a key twice, and a colon that does not stand", _BENEFIT_TWICE.replace(_ID, b"\\u003a"), "wrong_type", "benefit"),
    ("a key twice, once without colons", b'{"reported_at": 1, ' + payment()[1:], "wrong_type", "reported_at"),
    ("a key twice beside colons", _BENEFIT_TWICE.replace(_ID, b"a:b"), "wrong_type", "benefit"),
    ("a key twice inside", _twice('"more": [{"a": 1, "a": 2}]'), "wrong_type", "a"),
    ("schema twice comes before schema 2", _twice('"schema": 2'), "wrong_type", "schema"),
    ("a CPR as key, twice", _twice(f'"{CANARY}": 1, "{CANARY}": 2'), "wrong_type", None),
    # schema and type
    ("schema 2", payment(schema=2), "unsupported_schema", "schema"),
    ("schema null", payment(schema=None), "unsupported_schema", "schema"),
    ("schema as a string", payment(schema="1"), "unsupported_schema", "schema"),
    ("schema true, which Python takes for 1", payment(schema=True), "unsupported_schema", "schema"),
    ("schema 1.0, which Python takes for 1", payment(schema=1.0), "unsupported_schema", "schema"),
    ("schema 2 without a type", payment(schema=2, type=ABSENT), "unsupported_schema", "schema"),
    ("schema 2 comes before an unknown type", payment(schema=2, type="x"), "unsupported_schema", "schema"),
    ("a type of another system", payment(type="benefit"), "unknown_type", "type"),
    ("type null", payment(type=None), "unknown_type", "type"),
    ("type in capitals", payment(type="Benefit_Payment"), "unknown_type", "type"),
    ("a list as type", payment(type=["benefit_payment"]), "unknown_type", "type"),
    ("a number as type", payment(type=1), "unknown_type", "type"),
    ("an unknown type comes before a missing schema", payment(type="x", schema=ABSENT), "unknown_type", "type"),
    ("a control record from upstream", b'{"schema": 1, "type": "run"}', "unknown_type", "type"),
    # missing fields
    ("an empty object", b"{}", "missing_field", "schema"),
    ("no schema", payment(schema=ABSENT), "missing_field", "schema"),
    ("no type", payment(type=ABSENT), "missing_field", "type"),
    ("no report_id", payment(report_id=ABSENT), "missing_field", "report_id"),
    ("no reporter", payment(reporter=ABSENT), "missing_field", "reporter"),
    ("no reported_at", reversal(reported_at=ABSENT), "missing_field", "reported_at"),
    ("no cpr", payment(cpr=ABSENT), "missing_field", "cpr"),
    ("no benefit", payment(benefit=ABSENT), "missing_field", "benefit"),
    ("no period_start", income(period_start=ABSENT), "missing_field", "period_start"),
    ("no period_end", payment(period_end=ABSENT), "missing_field", "period_end"),
    ("no amount_ore", payment(amount_ore=ABSENT), "missing_field", "amount_ore"),
    ("no channel", payment(channel=ABSENT), "missing_field", "channel"),
    ("no kind", income(kind=ABSENT), "missing_field", "kind"),
    ("no pension_ore: it has no default", income(pension_ore=ABSENT), "missing_field", "pension_ore"),
    ("no fact", case_fact(fact=ABSENT), "missing_field", "fact"),
    ("no date", case_fact(date=ABSENT), "missing_field", "date"),
    ("no reverses", reversal(reverses=ABSENT), "missing_field", "reverses"),
    ("two fields missing: the first of the contract", payment(channel=ABSENT, cpr=ABSENT), "missing_field", "cpr"),
    (
        "refusion without municipalities",
        payment(paying_municipality=ABSENT, financing_municipality=ABSENT),
        "missing_field",
        "financing_municipality",
    ),
    (
        "refusion with null for both",
        payment(paying_municipality=None, financing_municipality=None),
        "missing_field",
        "financing_municipality",
    ),
    (
        "medfinansiering with the paying one only",
        payment(benefit="ADP", financing_municipality=ABSENT),
        "missing_field",
        "financing_municipality",
    ),
    (
        "medfinansiering with null",
        payment(benefit="FPN", paying_municipality=None, financing_municipality=None),
        "missing_field",
        "financing_municipality",
    ),
    (
        "a municipality that is missing comes before an unknown field",
        payment(paying_municipality=None, financing_municipality=None, colour="red"),
        "missing_field",
        "financing_municipality",
    ),
    # unknown fields
    ("a field more", payment(colour="red"), "unknown_field", "colour"),
    ("a field of another type of report", reversal(amount_ore=1), "unknown_field", "amount_ore"),
    ("a field in capitals", payment(CPR=CANARY), "unknown_field", "CPR"),
    ("an empty name", payment(**{"": 1}), "unknown_field", None),
    ("a CPR as name is not repeated", payment(**{CANARY: 1}), "unknown_field", None),
    ("a CPR inside a name is not repeated", payment(**{"person 010180-1234": 1}), "unknown_field", None),
    ("100 levels, one fewer than too deep", _nested(100), "unknown_field", "more"),
    # wrong types and forms
    ("report_id as a number", payment(report_id=1), "wrong_type", "report_id"),
    ("report_id empty", payment(report_id=""), "wrong_type", "report_id"),
    ("report_id of 101 characters", payment(report_id="å" * 101), "wrong_type", "report_id"),
    ("report_id with a line end", payment(report_id="a\nb"), "wrong_type", "report_id"),
    ("report_id with a zero character", payment(report_id="\0"), "wrong_type", "report_id"),
    ("report_id with a space that does not break", payment(report_id="a\u00a0b"), "wrong_type", "report_id"),
    ("report_id that changes direction", payment(report_id="a\u202eb"), "wrong_type", "report_id"),
    ("reverses null", reversal(reverses=None), "wrong_type", "reverses"),
    ("reverses empty", reversal(reverses=""), "wrong_type", "reverses"),
    ("reporter as a number", payment(reporter=12345678), "wrong_type", "reporter"),
    ("reporter of 7 digits", payment(reporter="1234567"), "wrong_type", "reporter"),
    ("reporter of 9 digits", payment(reporter="123456789"), "wrong_type", "reporter"),
    ("reporter with a line end", payment(reporter="12345678\n"), "wrong_type", "reporter"),
    ("reporter in Arabic digits", payment(reporter="١٢٣٤٥٦٧٨"), "wrong_type", "reporter"),
    ("reported_at as a number", payment(reported_at=1709287200), "wrong_type", "reported_at"),
    ("reported_at without a zone", payment(reported_at="2024-03-01T10:00:00"), "wrong_type", "reported_at"),
    ("reported_at in Danish time", payment(reported_at="2024-03-01T10:00:00+01:00"), "wrong_type", "reported_at"),
    ("reported_at with a blank for T", payment(reported_at="2024-03-01 10:00:00Z"), "wrong_type", "reported_at"),
    ("reported_at at 24:00", payment(reported_at="2024-03-01T24:00:00Z"), "wrong_type", "reported_at"),
    ("reported_at in second 60", payment(reported_at="2024-03-01T10:00:60Z"), "wrong_type", "reported_at"),
    ("reported_at on 30 February", payment(reported_at="2024-02-30T10:00:00Z"), "wrong_type", "reported_at"),
    ("reported_at with an empty fraction", payment(reported_at="2024-03-01T10:00:00.Z"), "wrong_type", "reported_at"),
    ("reported_at a date only", payment(reported_at="2024-03-01"), "wrong_type", "reported_at"),
    ("cpr as a number", payment(cpr=int(CANARY)), "wrong_type", "cpr"),
    ("cpr null", payment(cpr=None), "wrong_type", "cpr"),
    ("benefit as a number", payment(benefit=5), "wrong_type", "benefit"),
    ("benefit null", payment(benefit=None), "wrong_type", "benefit"),
    ("kind outside the enumeration", income(kind="salary"), "wrong_type", "kind"),
    ("fact outside the enumeration", case_fact(fact="birth"), "wrong_type", "fact"),
    ("channel outside the enumeration", payment(channel="EINDKOMST"), "wrong_type", "channel"),
    ("a list as channel", payment(channel=["dfdg"]), "wrong_type", "channel"),
    ("period_start as a number", payment(period_start=20240201), "wrong_type", "period_start"),
    ("period_start without hyphens", payment(period_start="20240201"), "wrong_type", "period_start"),
    ("period_start as a week date", payment(period_start="2024-W05-4"), "wrong_type", "period_start"),
    ("period_start with a time", payment(period_start="2024-02-01T00:00:00Z"), "wrong_type", "period_start"),
    ("period_end on 29 February 2023", income(period_end="2023-02-29"), "wrong_type", "period_end"),
    ("period_end in month 13", payment(period_end="2024-13-01"), "wrong_type", "period_end"),
    ("date in the year 0", case_fact(date="0000-01-01"), "wrong_type", "date"),
    ("date null", case_fact(date=None), "wrong_type", "date"),
    ("amount_ore as a float", payment(amount_ore=1500000.0), "wrong_type", "amount_ore"),
    ("amount_ore with an exponent", _raw("1500000", "15e5"), "wrong_type", "amount_ore"),
    ("amount_ore beyond all floats", _raw("1500000", "1e999"), "wrong_type", "amount_ore"),
    ("amount_ore as a string", payment(amount_ore="1500000"), "wrong_type", "amount_ore"),
    ("amount_ore true, which Python takes for 1", payment(amount_ore=True), "wrong_type", "amount_ore"),
    ("amount_ore null", payment(amount_ore=None), "wrong_type", "amount_ore"),
    ("amount_ore of 65 bits", payment(amount_ore=2**63), "wrong_type", "amount_ore"),
    ("amount_ore of minus 65 bits", payment(amount_ore=-(2**63) - 1), "wrong_type", "amount_ore"),
    ("amount_ore of 5,000 digits", _raw("1500000", "9" * 5000), "wrong_type", "amount_ore"),
    ("atp_ore null: it has a default but is no null", payment(atp_ore=None), "wrong_type", "atp_ore"),
    ("atp_ore as an object", payment(atp_ore={}), "wrong_type", "atp_ore"),
    ("pension_ore as a float", income(pension_ore=0.5), "wrong_type", "pension_ore"),
    ("paying_municipality as a number", payment(paying_municipality=730), "wrong_type", "paying_municipality"),
    ("outside_act as 0", payment(outside_act=0), "wrong_type", "outside_act"),
    ("outside_act as a string", payment(outside_act="false"), "wrong_type", "outside_act"),
    ("outside_act null", payment(outside_act=None), "wrong_type", "outside_act"),
    ("two wrong types: the first of the contract", payment(channel="x", atp_ore="x"), "wrong_type", "atp_ore"),
    # CPR
    ("cpr of 9 digits", payment(cpr="010180123"), "bad_cpr", "cpr"),
    ("cpr with a hyphen", payment(cpr="010180-1234"), "bad_cpr", "cpr"),
    ("cpr of 10 Arabic digits", payment(cpr="٠١٠١٨٠١٢٣٤"), "bad_cpr", "cpr"),
    ("cpr of 10 superscripts", payment(cpr="⁰¹⁰¹⁸⁰¹²³⁴"), "bad_cpr", "cpr"),
    ("cpr empty", case_fact(cpr=""), "bad_cpr", "cpr"),
    ("cpr on day 0", payment(cpr="0001801234"), "bad_cpr", "cpr"),
    ("cpr on 31 April", income(cpr="3104801234"), "bad_cpr", "cpr"),
    ("cpr in month 13", reversal(cpr="0113801234"), "bad_cpr", "cpr"),
    ("cpr on 29 February 1900, no leap year", payment(cpr="2902001234"), "bad_cpr", "cpr"),
    ("cpr on 29 February 1937", payment(cpr="2902374234"), "bad_cpr", "cpr"),
    ("a fictive cpr outside demo mode", payment(cpr="6101801234"), "bad_cpr", "cpr"),
    # the period
    ("period from 2013", payment(period_start="2013-12-31", period_end="2014-01-05"), "bad_period", "period_start"),
    ("period that ends before it starts", payment(period_end="2024-01-31"), "bad_period", "period_end"),
    ("income that ends before it starts", income(period_end="2024-01-31"), "bad_period", "period_end"),
    ("period of 367 days", payment(period_start="2023-01-01", period_end="2024-01-02"), "bad_period", "period_end"),
    ("period into 2100", payment(period_start="2099-12-31", period_end="2100-01-01"), "bad_period", "period_end"),
    # the benefit
    ("FB is computed", payment(benefit="FB"), "not_reportable", "benefit"),
    ("a benefit outside the catalogue", payment(benefit="XYZ"), "unknown_benefit", "benefit"),
    ("a benefit in small letters", payment(benefit="sdp-b"), "unknown_benefit", "benefit"),
    ("KTH after the reform", payment(benefit="KTH", period_start="2025-07-01", period_end="2025-07-31"),
     "not_valid_in_period", "benefit"),
    ("KTH25 before the reform", payment(benefit="KTH25"), "not_valid_in_period", "benefit"),
    # municipalities
    ("a municipality before 2007", payment(paying_municipality="731"), "unknown_municipality", "paying_municipality"),
    ("financed from nowhere", payment(financing_municipality=""), "unknown_municipality", "financing_municipality"),
    ("four digits", payment(paying_municipality="0730"), "unknown_municipality", "paying_municipality"),
    ("medfinansiering with an unknown payer", payment(benefit="ADP", paying_municipality="000"),
     "unknown_municipality", "paying_municipality"),
    ("SU with an unknown municipality", payment(benefit="SU", financing_municipality="999"),
     "unknown_municipality", "financing_municipality"),
    # amounts
    ("amount_ore over 10^9", payment(amount_ore=10**9 + 1), "bad_amount", "amount_ore"),
    ("amount_ore under -10^9", payment(amount_ore=-(10**9) - 1, atp_ore=0), "bad_amount", "amount_ore"),
    ("the largest integer of 64 bits", payment(amount_ore=2**63 - 1), "bad_amount", "amount_ore"),
    ("the smallest integer of 64 bits", income(amount_ore=-(2**63)), "bad_amount", "amount_ore"),
    ("atp_ore over 10^9", payment(atp_ore=10**9 + 1), "bad_amount", "atp_ore"),
    ("pension_ore over 10^9", income(pension_ore=10**9 + 1), "bad_amount", "pension_ore"),
    ("atp_ore against a repayment", payment(amount_ore=-1500000), "bad_amount", "atp_ore"),
    ("atp_ore negative", payment(atp_ore=-1), "bad_amount", "atp_ore"),
]  # fmt: skip

ORDER: list[tuple[str, dict[str, object]]] = [
    ("missing_field", {"channel": ABSENT}),
    ("unknown_field", {"colour": "red"}),
    ("wrong_type", {"reporter": 1}),
    ("bad_cpr", {"cpr": "9999999999"}),
    ("bad_period", {"period_end": "2024-01-31"}),
    ("unknown_benefit", {"benefit": "XYZ"}),
    ("unknown_municipality", {"paying_municipality": "999"}),
    ("bad_amount", {"atp_ore": -1}),
]
"""Faults of different fields, in the order in which they win."""
