"""A record of any topic is content of ours or a place, whatever its bytes are."""

import asyncio
from typing import Any, NamedTuple

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.kit.foreign import NAMED, PASSED_OVER, Foreign, ForeignRecords
from streams.wire.readers import journal_reader, letter_reader, notice_reader, posting_reader

CITIZEN = b"0f" * 16
TOPICS: dict[str, Any] = {
    "reports": journal_reader,
    "postings": posting_reader,
    "notices": notice_reader,
    "dead-letters": letter_reader,
}
PAYMENT = {
    "schema": 1, "type": "benefit_payment", "report_id": "r-1", "reporter": "12345678",
    "reported_at": "2024-02-01T08:00:00Z", "cpr_sealed": "k00000000.x", "benefit": "KTH",
    "period_start": "2024-01-01", "period_end": "2024-01-31", "amount_ore": 100, "atp_ore": 0,
    "paying_municipality": "730", "financing_municipality": None, "channel": "direct",
    "outside_act": False,
}  # fmt: skip
OPENING = {
    "schema": 1, "type": "opening", "reported_at": "2024-02-01T08:00:00Z", "cpr_sealed": "k0.x",
    "month": "2024-01", "week": "2024-01-01", "benefit": "KTH", "paying": "730",
    "financing": "730", "amount_ore": 100, "atp_ore": 0, "mechanism": "refusion", "rate": 80,
    "refusion_ore": 80, "medfinansiering_ore": 0,
}  # fmt: skip
RUN = {"schema": 1, "type": "run", "run": 49, "closed_at": "2024-02-01T08:00:00Z"}
RUN |= {"data_month": "2024-01"}
RULES = {"type": "rules", "id": "i", "rules": "R-1", "written_at": "2024-02-01T08:00:00Z"}
AGAIN = {"type": "recalculate", "id": "i", "scope": "all", "written_at": "2024-02-01T08:00:00Z"}
ROW = {
    "id": "0f" * 12 + "0", "kind": "result", "month": "2024-01", "week": "2024-01-01",
    "benefit": "KTH", "paying": "730", "financing": None, "amount_ore": 1, "ordinal": 1,
    "mechanism": "refusion", "rate": 80, "refusion_ore": 1, "medfinansiering_ore": 0,
    "account": None,
}  # fmt: skip
POSTING = {
    "schema": 1, "type": "postings", "citizen": CITIZEN.decode(), "revision": 1, "cause": "1/2",
    "reason": "report", "rules": "R-1", "cpr_sealed": "k0.x", "rows": [ROW],
    "counters": {"week": "2024-01-01", "seniority": 1, "earned": []},
}  # fmt: skip
NOTICE = {"schema": 1, "type": "notice", "code": "after_death", "citizen": CITIZEN.decode()}
NOTICE |= {"cause": "12345678/1", "detail": {"municipalities": ["730"]}}
LETTER = [("stage", b"intake"), ("reason", b"not_json"), ("field", b""), ("topic", b"reports.raw")]
LETTER += [("partition", b"0"), ("offset", b"17")]


class Given(NamedTuple):
    """A record as Kafka hands it out."""

    key: object
    value: object
    headers: object = ()
    offset: int = 7


GOOD = {
    "reports": [
        *(Given(CITIZEN, orjson.dumps(value)) for value in (PAYMENT, OPENING)),
        *(Given(None, orjson.dumps(value)) for value in (RUN, RULES, AGAIN)),
    ],
    "postings": [Given(CITIZEN, orjson.dumps(POSTING)), Given(None, orjson.dumps(RUN))],
    "notices": [Given(CITIZEN, orjson.dumps(NOTICE))],
    "dead-letters": [Given(None, b"k00000000.x", LETTER)],
}
REQUIRED: dict[str, list[Any]] = {
    "reports": [
        *((CITIZEN, value, {"schema"}) for value in (PAYMENT, OPENING)),
        *((None, value, {"schema"}) for value in (RUN, RULES, AGAIN)),
    ],
    "postings": [(CITIZEN, POSTING, {"schema"}), (None, RUN, {"schema"})],
    "notices": [(CITIZEN, NOTICE, {"schema", "type", "citizen", "cause", "detail"})],
}
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4)
    ),
    max_leaves=12,
)


def read(topic, record):
    return TOPICS[topic]("t", 3).read(record)


@pytest.mark.parametrize("topic", TOPICS)
def test_what_we_write_is_ours(topic):
    for record in GOOD[topic]:
        assert not isinstance(read(topic, record), Foreign), record


@pytest.mark.parametrize("topic", TOPICS)
@given(st.one_of(st.none(), st.binary(max_size=40)), st.one_of(st.none(), st.binary(max_size=80)))
def test_any_bytes_are_foreign_and_only_their_place_is_told(topic, key, value):
    for headers in ((), [("ce_id", None), ("stage", b"\xff"), ("offset", b"9" * 400)]):
        assert read(topic, Given(key, value, headers)) == Foreign("t", 3, 7)


@pytest.mark.parametrize("topic", REQUIRED)
@settings(max_examples=150)
@given(st.data())
def test_json_of_a_wrong_type_in_any_field_is_foreign_or_read_as_what_it_is(topic, data):
    key, whole, optional = data.draw(st.sampled_from(REQUIRED[topic]))
    field = data.draw(st.sampled_from(sorted(whole)))
    value = data.draw(JSON_VALUES)
    try:
        bad = orjson.dumps(whole | {field: value})
    except TypeError:  # an integer that no JSON of ours can hold
        bad = str({**whole, field: value}).encode()
    read(topic, Given(key, bad))  # whatever it is, nothing is raised
    free = {"counters", "scope", "rows"}  # may be objects or lists
    if field not in optional | free and not isinstance(value, str | int | type(None)):
        assert isinstance(read(topic, Given(key, bad)), Foreign), (field, value)
    if field not in optional:
        lacking = {name: content for name, content in whole.items() if name != field}
        assert isinstance(read(topic, Given(key, orjson.dumps(lacking))), Foreign), field


@pytest.mark.parametrize(
    "change",
    [
        {"week": "2024-13-45"},
        {"week": 7},
        {"seniority": None},
        {"seniority": 2**31},
        {"earned": [["2023-05-01", "x"]]},
        {"earned": [["soon", 1]]},
        {"after_transfer": {"from": "x", "seniority": 1, "earned": []}},
        {"after_transfer": {"seniority": 1, "earned": []}},
    ],
)
def test_a_posting_whose_counters_no_ledger_could_hold_is_foreign(change):
    bad = POSTING | {"counters": POSTING["counters"] | change}
    assert isinstance(read("postings", Given(CITIZEN, orjson.dumps(bad))), Foreign)


@pytest.mark.parametrize("field", sorted(set(ROW)))
def test_a_posting_whose_row_has_a_field_of_another_type_is_foreign(field):
    for value in (["x"], {"x": 1}, 1.5, True, 2**63):
        bad = POSTING | {"rows": [ROW, ROW | {field: value}]}
        assert isinstance(read("postings", Given(CITIZEN, orjson.dumps(bad))), Foreign), value


@pytest.mark.parametrize(
    "value",
    [
        PAYMENT | {"period_end": "2023-12-31"}, PAYMENT | {"period_end": "2025-01-01"},
        PAYMENT | {"amount_ore": 10**9 + 1}, PAYMENT | {"period_start": "2024-02-30"},
        PAYMENT | {"reported_at": "yesterday"}, PAYMENT | {"reported_at": "2024-02-01 0101801234"},
        PAYMENT | {"reporter": "0101801234"}, PAYMENT | {"report_id": "a\n"},
        PAYMENT | {"report_id": "x" * 101}, PAYMENT | {"channel": "gift"},
        OPENING | {"month": "2024-13"},
        OPENING | {"mechanism": "gift"}, PAYMENT | {"type": "gift"},
    ],
)  # fmt: skip
def test_a_report_that_intake_would_not_write_is_foreign(value):
    assert isinstance(read("reports", Given(CITIZEN, orjson.dumps(value))), Foreign)


@pytest.mark.parametrize("value", [RUN, RULES, AGAIN])
def test_a_control_record_with_a_citizens_key_is_foreign(value):
    assert isinstance(read("reports", Given(CITIZEN, orjson.dumps(value))), Foreign)
    late = {name: "tomorrow" for name in value if name in {"closed_at", "written_at"}}
    assert isinstance(read("reports", Given(None, orjson.dumps(value | late))), Foreign)


@pytest.mark.parametrize("key", [None, b"", b"0F" * 16, b"\xff" * 32, b"x' OR 'a'='a'", b"0f" * 17])
def test_a_report_of_nobody_is_foreign(key):
    assert isinstance(read("reports", Given(key, orjson.dumps(PAYMENT))), Foreign)


@pytest.mark.parametrize(
    ("name", "value"),
    [("offset", b"\xd9\xa1"), ("offset", b"9" * 400), ("partition", b"-1"), ("reason", None),
     ("topic", b"a b"), ("stage", b""), ("bytes", b"many"), ("citizen", b"me"), ("first", b"x")],
)  # fmt: skip
def test_a_dead_letter_with_odd_headers_is_foreign(name, value):
    headers = [(other, text) for other, text in LETTER if other != name] + [(name, value)]
    assert isinstance(read("dead-letters", Given(None, b"", headers)), Foreign)


def test_foreign_records_between_ours_are_passed_over_and_counted_once():
    PASSED_OVER.forget()
    good = GOOD["postings"][0]

    async def records():
        for number in range(7):
            yield Given(b"", b"{", offset=2 * number)
            yield good._replace(offset=2 * number + 1)

    async def read_all():
        reader = posting_reader("t", 3)
        return [record.offset async for record, _ in reader.ours(records())]

    for _ in range(2):
        assert asyncio.run(read_all()) == [1, 3, 5, 7, 9, 11, 13]
    note = PASSED_OVER.note()
    PASSED_OVER.forget()
    assert note.startswith("7 records that nobody of ours wrote were passed over: t/3/0, t/3/2,")
    assert f"and {7 - NAMED} more" in note


def test_one_foreign_record_is_told_in_the_singular_and_none_not_at_all():
    met = ForeignRecords()
    assert not met.note()
    met.add_all([Foreign("t", 0, 1), Foreign("t", 0, 1)])
    assert met.note().startswith("1 record that nobody of ours wrote was passed over: t/0/1;")
