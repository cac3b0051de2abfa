"""No hidden count of persons can be worked out from what is shown, sums included."""

from collections import defaultdict
from itertools import product as combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from projections.lis.small_numbers import (
    CountPart,
    hidden_counts,
    hidden_parts,
    is_small,
    is_telling,
)

AREAS = 3
COUNTS = st.lists(
    st.tuples(st.integers(0, AREAS - 1), st.sampled_from([0, 1, 1, 2, 3, 4, 4, 5, 6, 7, 9])),
    min_size=1,
    max_size=6,
)
MOST = 20
"""A hidden count may be any number up to this; enough for sums of the counts above."""


def sums_of(areas):
    return [[place for place, of in areas.items() if of == area] for area in range(AREAS)] + [
        [*areas]
    ]


def possible(counts, hidden, sums, shown):
    """The values that each hidden count can have, by trying all of them.

    Who looks knows each shown count, each shown sum, and that a hidden count is not 0.
    """
    places = sorted(hidden)
    found: dict[int, set[int]] = {place: set() for place in places}
    known = [
        (
            [place for place in areas if place in hidden],
            sum(counts[place] for place in areas if place in hidden),
        )
        for areas, is_shown in zip(sums, shown, strict=True)
        if is_shown
    ]
    for values in combinations(range(1, MOST + 1), repeat=len(places)):
        guess = dict(zip(places, values, strict=True))
        if all(sum(guess[place] for place in of) == total for of, total in known):
            for place in places:
                found[place].add(guess[place])
    return found


@given(COUNTS, st.booleans())
@settings(deadline=None, max_examples=100)
def test_no_hidden_count_can_be_worked_out_from_what_is_shown(drawn, has_own):
    areas = {place: area for place, (area, _) in enumerate(drawn)}
    counts = {place: count for place, (_, count) in enumerate(drawn)}
    own = [0] if has_own else []
    sums = sums_of(areas)
    hidden, shown = hidden_counts(counts, own, sums)
    assert {place for place in counts if is_small(counts[place])} - {*own} <= hidden
    assert not hidden & {*own}
    assert not any(counts[place] == 0 for place in hidden)
    if len(hidden) <= 3:
        for values in possible(counts, hidden, sums, shown).values():
            assert {1, 2, 3, 4, 5} <= values


@pytest.mark.parametrize("hides_more", [True, False])
def test_each_small_count_may_be_any_to_who_knows_the_rule_and_which_ones_are_small(hides_more):
    """An attacker tries all counts that would be shown alike, and is left with 1, 2, 3 and 4."""
    most, tried = 12, 8  # what is hidden beside small counts may be larger than what is tried
    shown_alike = defaultdict(list)
    for counts in combinations(range(1, most + 1), repeat=4):
        hidden, (is_shown,) = hidden_counts(
            dict(enumerate(counts)), [], [range(4)], hides_more=hides_more
        )
        if hidden and is_shown:
            seen = (
                count if place not in hidden else "small" if is_small(count) else "larger"
                for place, count in enumerate(counts)
            )
            shown_alike[*seen, sum(counts)].append(counts)
    told = set()
    for (*signs, _), guesses in shown_alike.items():
        if min(map(max, guesses)) <= tried:
            told |= {*signs}
            for place in [place for place, sign in enumerate(signs) if sign == "small"]:
                assert {guess[place] for guess in guesses} == {1, 2, 3, 4}, (signs, guesses[0])
    assert ("larger" in told) == hides_more
    assert {"small", 5, 6} <= told


@pytest.mark.parametrize("counts", [[4, 4], [3, 4], [1, 1], [4, 4, 4], [1, 2, 2]])
def test_small_counts_alone_that_are_nearly_all_one_or_nearly_all_four_give_no_sum(counts):
    of_places = dict(enumerate(counts))
    assert hidden_counts(of_places, [], [of_places], hides_more=False)[1] == [False]


def test_small_counts_alone_in_the_middle_give_their_sum():
    assert hidden_counts({"a": 4, "b": 2, "c": 1}, [], ["abc"], hides_more=False)[1] == [True]


def test_a_partner_is_no_count_that_the_next_one_tells():
    """Two hidden ones whose sum is 54 would be 4 and 50, where another one of 50 is shown."""
    counts = {"a": 4, "b": 50, "c": 50, "d": 60}
    assert hidden_counts(counts, [], ["abcd"]) == ({"a", "b", "c"}, [True])


def test_one_small_count_takes_the_next_smallest_with_it():
    counts = {"a": 3, "b": 20, "c": 7, "d": 0}
    assert hidden_counts(counts, [], [["a", "b", "c", "d"]]) == ({"a", "c"}, [True])


def test_a_sum_that_gives_a_small_count_away_is_not_shown_nor_the_whole():
    counts = {"a": 3, "b": 50, "c": 60}
    assert hidden_counts(counts, [], [["a"], ["b", "c"], ["a", "b", "c"]]) == (
        {"a"},
        [False, True, False],
    )


def test_the_whole_is_shown_where_each_of_its_areas_is():
    counts = {"a": 1, "b": 2, "c": 6, "d": 9, "e": 40}
    assert hidden_counts(counts, ["e"], ["ab", "cd", "e", "abcde"]) == (
        {"a", "b"},
        [False, True, True, False],
    )
    assert hidden_counts(counts, [], ["abe", "cd", "abcde"]) == ({"a", "b", "e"}, [True] * 3)


def test_own_counts_are_shown_however_small():
    assert hidden_counts({"a": 2, "b": 50}, ["a"], []) == (set(), [])


def test_a_share_is_telling_where_its_part_or_the_rest_is_small():
    assert [is_telling(part, 100) for part in (0, 1, 4, 5, 95, 96, 99, 100)] == [
        False, True, True, False, False, True, True, False,
    ]  # fmt: skip


@given(st.lists(st.sampled_from([0, 1, 1, 2, 3, 4, 5, 6, 9, 12]), min_size=1, max_size=5))
@settings(deadline=None, max_examples=100)
def test_no_part_of_a_sum_can_be_worked_out_from_the_others(drawn):
    counts = dict(enumerate(drawn))
    hidden, is_safe = hidden_parts({name: CountPart(count, None) for name, count in counts.items()})
    are_all_small = all(is_small(counts[name]) for name in hidden)
    if len(hidden) <= 3:
        for values in possible(counts, hidden, [[*counts]], [is_safe]).values():
            assert len(values & {1, 2, 3, 4}) >= (2 if are_all_small else 4)


def test_the_parts_of_a_small_sum_are_all_hidden():
    groups = {name: CountPart(count, None) for name, count in (("a", 2), ("b", 5), ("c", 0))}
    assert hidden_parts(groups) == ({"a", "b"}, True)
    ones = {name: CountPart(1, None) for name in "abcde"}
    assert hidden_parts(ones) == ({*"abcde"}, False)
    assert hidden_parts({"a": CountPart(7, None)}) == (set(), True)
