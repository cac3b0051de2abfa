"""Hides small numbers of persons, so that none can be worked out from what is shown.

A count of 1 to 4 persons is not shown. Where a sum over several counts is shown, one hidden count
could be worked out from it; so further counts are hidden until the hidden ones of the sum could be
divided among themselves in many ways, or else the sum itself is not shown. Whoever subtracts may
know this page too, and which of the hidden counts are the small ones.
"""

from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import Final, NamedTuple, TypeVar

SMALLEST_SHOWN: Final = 5
"""A count from this on is shown, and so is 0."""
SLACK: Final = 4
"""The persons that a sum of hidden counts is above the least that it could be, and below the most.

So each of the small ones could be 1, 2, 3 or 4, whoever adds and subtracts.
"""

Place = TypeVar("Place", bound=Hashable)


def is_small(count: int) -> bool:
    """Tell whether a count of persons is small enough to point at them.

    >>> is_small(0), is_small(4), is_small(5)
    (False, True, False)
    """
    return 0 < count < SMALLEST_SHOWN


def is_telling(part: int, whole: int) -> bool:
    """Tell whether a share lets a small count be worked out, when the whole is known.

    It does where the part or the rest is small.

    >>> is_telling(2, 100), is_telling(98, 100), is_telling(50, 100)
    (True, True, False)
    """
    return is_small(part) or is_small(whole - part)


def hidden_counts(
    counts: Mapping[Place, int],
    own: Collection[Place],
    sums: Sequence[Collection[Place]],
    *,
    hides_more: bool = True,
) -> tuple[set[Place], list[bool]]:
    """Choose the counts to hide, and say of each sum whether it may be shown.

    Counts of `own` are shown whatever they are. `sums` are areas, and last the whole of them where
    there are several: every place is in one area. Where the sum of an area may not be shown, the
    whole is not shown either, since the area's could be worked out from it. Without `hides_more` no
    count is hidden for the sake of a sum: one that would need it is not shown.
    """
    hidden = {place for place, count in counts.items() if is_small(count) and place not in own}
    areas = sums[:-1] if len(sums) > 1 else sums
    shown = []
    for places in areas:
        partners = _partners(counts, own, places, hidden, hides_more)
        hidden.update(partners or ())
        shown.append(partners is not None)
    return hidden, shown if areas is sums else [*shown, all(shown)]


def _partners(
    counts: Mapping[Place, int],
    own: Collection[Place],
    places: Collection[Place],
    hidden: Collection[Place],
    hides_more: bool,
) -> list[Place] | None:
    """Choose the counts to hide beside the small ones of a sum; None where it may not be shown.

    They are the smallest of the others, as many as it takes.
    """
    small = [counts[place] for place in places if place in hidden]
    if not small:
        return []
    others = sorted(
        (place for place in places if counts[place] and place not in hidden and place not in own),
        key=lambda place: (counts[place], str(place)),
    )
    for number in range(len(others) + 1 if hides_more else 1):
        larger = [counts[place] for place in others[:number]]
        if _is_safe(small, larger, counts[others[number]] if number < len(others) else None):
            return others[:number]
    return None


def _is_safe(small: Sequence[int], larger: Sequence[int], next_count: int | None) -> bool:
    """Tell whether the sum of hidden counts may be shown.

    The small ones are 1 to 4; those that are hidden beside them are 5 or more, and less than the
    next count, which is shown, if there is one.

    >>> _is_safe([4, 4], [], 50), _is_safe([4, 4], [5], 6), _is_safe([4, 4], [5], 50)
    (False, False, True)
    """
    whole = sum(small) + sum(larger)
    least = len(small) + SMALLEST_SHOWN * len(larger)
    if whole < least + SLACK:
        return False
    if larger and next_count is None:
        return True
    most = (SMALLEST_SHOWN - 1) * len(small) + ((next_count or 0) - 1) * len(larger)
    return whole <= most - SLACK


# --- one sum, divided in several ways ---------------------------------------------------------


class CountPart(NamedTuple):
    """The persons of a group, and those of them whose share is shown; None where it has no share.

    Groups of one sum may overlap: the sum is then less, and says less.
    """

    whole: int
    part: int | None


def hidden_parts(groups: Mapping[Place, CountPart]) -> tuple[set[Place], bool]:
    """Choose the groups whose counts are hidden, so that their sum may be shown; or say it may not.

    A visitor asks for each group, then for all of them, and subtracts. Where there are too few
    persons to hide behind, all groups are hidden: their sum tells nothing but where each has one.

    >>> groups = {"a": CountPart(2, None), "b": CountPart(50, None), "c": CountPart(9, None)}
    >>> sorted(hidden_parts(groups)[0])
    ['a', 'c']
    """
    counts = {name: group.whole for name, group in groups.items() if group.whole}
    hidden, (is_safe,) = hidden_counts(counts, (), [counts])
    if is_safe or len(counts) < 2 or sum(counts.values()) == len(counts):
        return hidden, is_safe
    return {*counts}, True


def hidden_shares(groups: Mapping[Place, CountPart]) -> tuple[set[Place], bool]:
    """Choose the groups whose shares are hidden, so that the share of all may be shown; or not.

    A share with its count tells how many persons are in the part. Beside those that tell of few,
    one is hidden that tells of many: what is left of the sum could be anybody's.
    """
    with_share = {name: (g.whole, g.part) for name, g in groups.items() if g.part is not None}
    telling = {
        name for name, (whole, part) in with_share.items()
        if is_small(whole) or is_telling(part, whole)
    }  # fmt: skip
    if not telling:
        return set(), True
    others = [name for name, (whole, part) in with_share.items() if name not in telling and part]
    if not others:  # of two or more the sum tells nothing of each
        return telling, len(telling) > 1
    return telling | {min(others, key=lambda name: (with_share[name], str(name)))}, True
