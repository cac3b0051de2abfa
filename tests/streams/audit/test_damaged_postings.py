"""Postings that were damaged on purpose: the damage is found, and named with its place."""

import random

import orjson
import pytest

from tests.support.audit_run import (
    SIMPLE,
    audit,
    codes_at,
    is_of_a_payment,
    result,
    source_of,
    spoil_row,
)
from tests.support.topics_in_memory import TopicsInMemory


def is_last(copy, message):
    last = max(
        m["revision"]
        for *_, m in copy.messages(lambda posted: posted["citizen"] == message["citizen"])
    )
    return message["revision"] == last


def standing_last(copy, which):
    """A message with a row of a kind that stands to the end."""
    reversed_ids = {
        row["reverses"] for *_, m in copy.messages() for row in m["rows"] if "reverses" in row
    }
    for at, index, record, message in copy.messages():
        for position, row in enumerate(message["rows"]):
            if (
                row["id"] not in reversed_ids
                and "reverses" not in row
                and row["benefit"] in SIMPLE
                and which(row)
            ):
                return at, index, record, message, position
    raise AssertionError("there is none")


def only(copy, citizen, at, values):
    """The records of one citizen and the control records; postings in `values` have another one."""
    key = citizen.encode()
    few = TopicsInMemory(copy.settings, {"dead-letters": copy.of["dead-letters"]})
    for topic in ("reports", "postings"):
        for number, records in copy.of[topic].items():
            few.of[topic][number] = [
                record
                for record in records
                if not record.key or (record.key == key and number == at)
            ]
    few.of["postings"][at] = [
        record._replace(value=values.get(record.offset, record.value))
        for record in few.of["postings"][at]
    ]
    return few


def test_a_lost_posting_is_found_at_the_next_of_its_citizen_and_at_its_report(copy):
    at, index, lost, message = copy.message(
        lambda posted: is_of_a_payment(posted) and not is_last(copy, posted)
    )
    after = (message["citizen"], message["revision"] + 1)
    *_, following, _ = copy.message(lambda posted: (posted["citizen"], posted["revision"]) == after)
    copy.drop("postings", at, index)
    codes = codes_at(audit(copy))
    assert "revision" in codes[copy.name("postings"), at, following.offset]
    source = source_of(lost)
    assert codes[copy.name("reports"), at, source] == {"not_reflected"}


def test_the_last_posting_of_a_citizen_is_missed_by_its_report(copy):
    at, index, lost, _ = copy.message(
        lambda posted: is_of_a_payment(posted) and is_last(copy, posted)
    )
    copy.drop("postings", at, index)
    codes = codes_at(audit(copy))
    source = source_of(lost)
    assert codes[copy.name("reports"), at, source] == {"not_reflected"}


def test_a_lost_correction_shows_in_the_sums(copy):
    at, index, _, message = copy.message(
        lambda posted: posted["reason"] == "reversal" and posted["cause"] == "12345678/back"
    )
    copy.drop("postings", at, index)
    (violation,) = audit(copy).violations.named
    assert (violation.code, violation.partition) == ("sum", at)
    assert (
        violation.text
        == f"citizen {message['citizen']}, KTH: 1500000 øre more are posted than reported"
    )


def test_a_posting_that_came_twice(copy):
    at, _, record, _ = copy.message()
    again = record._replace(offset=copy.of["postings"][at][-1].offset + 1)
    copy.of["postings"][at].append(again)
    assert codes_at(audit(copy)) == {
        (copy.name("postings"), at, again.offset): {"revision", "order"}
    }


def test_one_changed_ore_in_a_result(copy):
    at, index, record, message = copy.message(lambda posted: posted["rows"])
    row = message["rows"][0]
    column = f"{row['mechanism']}_ore"
    place = copy.replace(
        "postings",
        at,
        index,
        record._replace(value=spoil_row(message, 0, **{column: row[column] + 1})),
    )
    assert "figures" in codes_at(audit(copy))[place]


def test_one_changed_ore_in_an_amount_whose_result_is_still_right(copy):
    at, index, record, message, position = standing_last(
        copy,
        lambda row: (
            row["rate"] == 40 and result(row["amount_ore"] + 1, 40) == row["refusion_ore"] > 0
        ),
    )
    amount_ore = message["rows"][position]["amount_ore"] + 1
    copy.replace(
        "postings",
        at,
        index,
        record._replace(value=spoil_row(message, position, amount_ore=amount_ore)),
    )
    (violation,) = audit(copy).violations.named
    assert violation.code == "sum"
    code = message["rows"][position]["benefit"]
    assert (
        violation.text
        == f"citizen {message['citizen']}, {code}: 1 øre more are posted than reported"
    )


def test_a_foreign_row_in_a_message(copy):
    at, index, record, message = copy.message(
        lambda posted: posted["rows"] and posted["rows"][0]["kind"] == "result"
    )
    *_, other = copy.message(
        lambda posted: posted["citizen"] != message["citizen"] and posted["rows"]
    )
    message["rows"].append(other["rows"][0])
    place = copy.replace("postings", at, index, record._replace(value=orjson.dumps(message)))
    assert "id" in codes_at(audit(copy))[place]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        pytest.param({"reverses": "0" * 25}, "link", id="it-names-another-row"),
        pytest.param({"ordinal": 999}, "link", id="it-is-not-the-row-negated"),
        pytest.param({"kind": "result"}, "link", id="it-is-called-a-result"),
        pytest.param({"month": "2019-01"}, "format", id="its-week-is-not-of-its-month"),
        pytest.param({"paying": "999"}, "format", id="a-municipality-that-is-none"),
        pytest.param({"amount_ore": 1.5}, "format", id="a-fraction"),
    ],
)
def test_a_reversing_row_that_is_not_as_it_must_be(copy, changes, code):
    at, index, record, message = copy.message(
        lambda posted: posted["rows"] and "reverses" in posted["rows"][0]
    )
    place = copy.replace(
        "postings", at, index, record._replace(value=spoil_row(message, 0, **changes))
    )
    assert code in codes_at(audit(copy))[place]


def test_a_rate_of_another_step(copy):
    def ends_with(row):
        return (row["benefit"], row["rate"], row["kind"]) == ("KTH", 80, "result")

    at, index, record, message = copy.message(
        lambda posted: posted["rows"] and ends_with(posted["rows"][-1])
    )
    row = message["rows"][-1]
    wrong = spoil_row(message, -1, rate=40, refusion_ore=result(row["amount_ore"], 40))
    place = copy.replace("postings", at, index, record._replace(value=wrong))
    assert "figures" in codes_at(audit(copy))[place]


def test_a_wrong_week_number_with_its_own_rate_is_found_by_the_deep_audit_alone(copy):
    at, index, record, message, position = standing_last(
        copy, lambda row: (row["benefit"], row["rate"]) == ("KTH", 80)
    )
    amount_ore = message["rows"][position]["amount_ore"]
    wrong = spoil_row(message, position, ordinal=5, rate=40, refusion_ore=result(amount_ore, 40))
    copy.replace("postings", at, index, record._replace(value=wrong))
    assert audit(copy).violations.named == []
    (violation,) = audit(copy, sample_percent=100).violations.named
    assert violation.code == "truth"
    assert message["citizen"] in violation.text
    assert "refusion 40 % of" in violation.text


def test_wrong_counters_are_found_by_the_deep_audit(copy):
    at, index, record, message = copy.message(lambda posted: is_last(copy, posted))
    seniority = message["counters"]["seniority"] + 1
    copy.replace(
        "postings",
        at,
        index,
        record.with_value(counters=message["counters"] | {"seniority": seniority}),
    )
    assert [violation.code for violation in audit(copy, sample_percent=100).violations.named] == [
        "counters"
    ]


def test_a_closed_month_that_changed_without_a_reason_that_says_so(copy):
    at, index, record, _ = copy.message(lambda posted: posted["reason"] == "late_report")
    place = copy.replace("postings", at, index, record.with_value(reason="report"))
    assert codes_at(audit(copy)) == {place: {"reason"}}


def test_any_changed_figure_of_any_row_is_found(copy):
    """Scan and deep audit together find any change; one figure of one row is changed at a time."""
    chance = random.Random(7)
    places = list(copy.messages(lambda posted: posted["rows"]))
    for _ in range(40):
        at, _, record, message = chance.choice(places)
        position = chance.randrange(len(message["rows"]))
        name = chance.choice(("amount_ore", "rate", "refusion_ore", "medfinansiering_ore"))
        value = message["rows"][position][name] + chance.choice((-100, -1, 1, 10, 12_345))
        spoilt = spoil_row(orjson.loads(record.value), position, **{name: value})
        alone = only(copy, message["citizen"], at, {record.offset: spoilt})
        verified = audit(alone, sample_percent=100, ends=copy.ends())
        assert verified.violations.total, (
            message["citizen"],
            message["revision"],
            position,
            name,
            value,
        )


def test_an_earlier_systems_row_beside_a_result_is_taken_back_in_its_message(copy):
    at, index, record, message = copy.message(
        lambda posted: (
            posted["reason"] == "opening"
            and len(posted["rows"]) == 2
            and posted["rows"][0]["financing"] == "751"
        )
    )
    stays = orjson.dumps(message | {"rows": message["rows"][:1]})
    place = copy.replace("postings", at, index, record._replace(value=stays))
    assert codes_at(audit(copy))[place] == {"link"}
