"""The journal folded again: it finds damage that no sum shows."""

import orjson

from streams.audit.fold import BY_ENGINES
from tests.support.audit_run import (
    SIMPLE,
    audit,
    codes_at,
    is_of_a_payment,
    result,
    source_of,
)


def test_an_ore_between_two_cells_that_leaves_every_sum_right_is_found_by_the_fold(copy):
    """An øre goes from one standing row at 40 % to another of its message; no result shows it."""
    at, index, record, message, (one, other) = two_standing(copy)
    message["rows"][one]["amount_ore"] += 1
    message["rows"][other]["amount_ore"] -= 1
    place = copy.replace("postings", at, index, record._replace(value=orjson.dumps(message)))
    assert audit(copy).violations.named == []
    (violation,) = audit(copy, fold=True).violations.named
    assert (violation.code, violation.topic, violation.partition, violation.offset) == (
        "fold",
        *place,
    )
    first = min(one, other)
    assert violation.text == (
        f"citizen {message['citizen']}, revision {message['revision']} differs from the fold:"
        f" rows[{first}].amount_ore"
    )


def two_standing(copy):
    """A message with two standing rows at 40 %: one has the same result with an øre more, one less.

    Returned with the positions of both.
    """
    reversed_ids = {
        row["reverses"] for *_, m in copy.messages() for row in m["rows"] if "reverses" in row
    }

    def bears(row, ore):
        amount_ore, is_simple = (
            row["amount_ore"],
            row["benefit"] in SIMPLE and row["id"] not in reversed_ids,
        )
        plain = is_simple and row["rate"] == 40 and "reverses" not in row and amount_ore > 100
        return plain and result(amount_ore + ore, 40) == row["refusion_ore"]

    for at, index, record, message in copy.messages():
        for code in SIMPLE:
            rows = [
                (number, row)
                for number, row in enumerate(message["rows"])
                if row["benefit"] == code
            ]
            more = [number for number, row in rows if bears(row, 1)]
            less = [number for number, row in rows if bears(row, -1) and number not in more[:1]]
            if more and less:
                return at, index, record, message, (more[0], less[0])
    raise AssertionError("there is none")


def test_a_lost_posting_and_one_too_many_are_one_difference_each(copy):
    """The rest is not named; those of other citizens in between are what they must be."""
    at, index, lost, message = copy.message(is_of_a_payment)
    copy.drop("postings", at, index)
    source = source_of(lost)
    again = copy.of["postings"][at][index + 5]
    copy.of["postings"][at].insert(index + 6, again)
    texts = {
        (violation.topic, violation.offset): violation.text
        for violation in audit(copy, fold=True).violations.named
        if violation.code == "fold"
    }
    lost_message = f"citizen {message['citizen']}, revision {message['revision']}"
    lost_text = f"{lost_message} follows from this record, and is not in the postings"
    again_text = "no such message follows from the record of the journal that it names"
    assert texts == {
        (copy.name("reports"), source): lost_text,
        (copy.name("postings"), again.offset): again_text,
    }


def test_a_fold_tells_bytes_apart_that_say_the_same(copy):
    at, index, record, _ = copy.message()
    spaced = record._replace(value=record.value.replace(b'"schema":1', b'"schema": 1'))
    place = copy.replace("postings", at, index, spaced)
    verified = audit(copy, fold=True)
    assert codes_at(verified) == {place: {"fold"}}
    assert verified.violations.named[0].text.endswith(
        "its bytes alone: the same values, written otherwise"
    )


def test_what_an_earlier_version_of_the_calculation_has_posted_is_not_folded(copy):
    at, index, record, _ = copy.message(lambda posted: posted["reason"] == "report")
    copy.replace("postings", at, index, record.with_value(cause="engine/1", reason="rule_change"))
    verified = audit(copy, fold=True)
    assert "fold" not in verified.violations.counts
    assert list(verified.violations.notes) == [BY_ENGINES]
