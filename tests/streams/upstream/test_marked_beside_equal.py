"""A line that stands and an equal one that is marked as reversed, in one reported period.

What that means is not public: the mark takes the other one back, or both were reported one after
the other. Until it is set, neither moves money.
"""

import pytest
import yaml

from streams.upstream.kept_lines import FILE
from tests.streams.upstream.test_eindkomst import (
    CPR,
    answer,
    blanket,
    converted,
    folder,
    period,
    settled_money,
)
from tests.streams.upstream.test_line_ids import line

__all__ = ["folder"]  # the fixture
HEAD = blanket("11000", [(11, "I"), (12, "6")])
BESIDE = line(2000)


def shown(*marks, extra=()):
    """Give a period with one line for each of `marks` ("" stands, "1" is marked as reversed)."""
    groups = [
        blanket("16000", [(19, "0041"), *([(21, mark)] if mark else [])], blanket("16300", own))
        for mark, own in [*((mark, line(1000)) for mark in marks), *extra]
    ]
    return answer((CPR, period(HEAD, *groups)))


def decide(folder, meaning):
    settings = {"reversed_report": "marked", "marked_beside_equal": meaning}
    (folder / "service.yaml").write_text(yaml.safe_dump(settings))


@pytest.mark.parametrize(
    ("marks", "known", "paid_ore"),
    [
        (("", "1"), 0, 0),
        (("1", ""), 0, 0),
        (("", "1"), 1, 100_000),  # it was paid before anybody knew of a mark
        (("", "", "1"), 0, 100_000),  # one stands whatever is meant
        (("", "1", "1"), 0, 0),
    ],
)
def test_neither_moves_money_while_the_meaning_is_not_set(folder, marks, known, paid_ore):
    before = converted(folder, shown(*[""] * known))[0] if known else []
    reports, refused, summary = converted(folder, shown(*marks, extra=[("", BESIDE)]))
    assert [each["reason"] for each in refused] == ["unclear_reversal"] * 2
    assert all("marked_beside_equal" in each["detail"] for each in refused)
    assert summary["explained_ore"]["rejected"] == 200_000
    assert settled_money(before, reports) == {("730", "KTH"): paid_ore + 200_000}


@pytest.mark.parametrize(
    ("marks", "meaning", "left_ore"),
    [
        (("", "1"), "takes_back", 0),
        (("", "1"), "stands", 100_000),
        (("", "", "1"), "takes_back", 100_000),
        (("", "", "1"), "stands", 200_000),
        (("", "1", "1"), "takes_back", 0),
        (("", "1", "1"), "stands", 100_000),
    ],
)
def test_a_setting_says_what_is_meant(folder, marks, meaning, left_ore):
    """The number of lines that were paid before makes no difference."""
    numbers = marks.count(""), marks.count("1")
    there = sum(numbers) if meaning == "stands" else max(numbers)
    given = shown(*marks, extra=[("", BESIDE)])
    left = {("730", "KTH"): left_ore + 200_000}
    for known in range(there + 1):
        decide(folder, None)
        before = converted(folder, shown(*[""] * known, extra=[("", BESIDE)]))[0]
        undecided = converted(folder, given)[0]
        decide(folder, meaning)
        reports, refused, summary = converted(folder, given)
        assert refused == []
        assert summary["explained_ore"]["reversals"] == 100_000 * marks.count("1")
        assert settled_money(before, undecided, reports) == left
        assert settled_money(reports, undecided, before) == left
        (folder / FILE).unlink()
    assert settled_money(converted(folder, given)[0]) == left


def test_a_mark_without_an_equal_that_stands_needs_no_setting(folder):
    whole, _, _ = converted(folder, shown("", extra=[("", BESIDE)]))
    later, refused, _ = converted(folder, shown("1", extra=[("", BESIDE)]))
    assert refused == []
    assert settled_money(whole, later) == settled_money(later, whole) == {("730", "KTH"): 200_000}
