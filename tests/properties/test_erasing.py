"""Whoever is erased, whatever the histories: no other citizen's rows change."""

from collections import defaultdict
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.archive.sameness import differences
from streams.settings import Settings
from tests.streams.archive.test_rekey import NewSystem, posted, series
from tests.support.histories import fictive_cpr
from tests.support.lives import short_life
from tests.support.stages_in_memory import StagesInMemory

MOST = 4
"""Citizens of one system."""
BEGINNING = 2
"""Digits with which the names of all of them begin."""


@settings(max_examples=12)
@given(
    seeds=st.lists(st.integers(0, 10_000), min_size=2, max_size=MOST),
    is_erased=st.lists(st.booleans(), min_size=MOST, max_size=MOST),
    cut_percent=st.integers(0, 100),
    partitions=st.integers(1, 3),
)
def test_erasing_citizens_changes_no_other_citizens_rows(seeds, is_erased, cut_percent, partitions):
    with TemporaryDirectory() as folder:
        old = settled(Path(folder) / "old", seeds, cut_percent)
        cprs = [fictive_cpr(number) for number, _ in zip(alike(), seeds, strict=False)]
        erased = {cpr for cpr, is_one in zip(cprs, is_erased, strict=False) if is_one}
        identity = old.settings.identity()
        names = {identity.of(cpr)[0] for cpr in erased}
        new = NewSystem(old, Path(folder) / "new", partitions=partitions)
        try:
            new.rekey(names)
            new.stages.settle()
        finally:
            new.stages.close()
        before = series(old)
        assert before.keys() <= set(cprs)
        assert series(new.topics) == {cpr: of for cpr, of in before.items() if cpr not in erased}
        assert differences(posted(old, names), posted(new.topics)) == []


@cache
def alike():
    """The numbers of citizens whose names are as alike as some of a thousand are.

    Where the names begin in different ways, whoever is left out by the beginning of a name alone
    is left out rightly.
    """
    identity = demo_settings("").identity()
    by_beginning = defaultdict(list)
    for number in range(1_000):
        by_beginning[identity.of(fictive_cpr(number))[0][:BEGINNING]].append(number)
    found = max(by_beginning.values(), key=len)
    assert len(found) >= MOST
    return found


def settled(folder, seeds, cut_percent):
    """The topics of citizens whose reports come in turns, with a run that is closed between two."""
    lives = [
        [orjson.dumps(report) for report in short_life(seed, number)]
        for number, seed in zip(alike(), seeds, strict=False)
    ]
    longest = max(map(len, lives))
    lines = [life[at] for at in range(longest) for life in lives if at < len(life)]
    cut = len(lines) * cut_percent // 100
    stages = StagesInMemory(demo_settings(folder), folder)
    try:
        stages.state_keys()
        for number, portion in enumerate((lines[:cut], lines[cut:])):
            stages.publish(portion)
            stages.settle()
            stages.close_run(f"2033-0{number + 1}")
            stages.settle()
    finally:
        stages.close()
    return stages.topics


def demo_settings(folder):
    return Settings.load(
        {
            "REFUSION_BOOTSTRAP": "localhost:1",
            "REFUSION_PREFIX": "old.",
            "REFUSION_PARTITIONS": "2",
            "REFUSION_STATE_DIR": str(folder),
            "REFUSION_DEMO": "1",
            "REFUSION_DEMO_ANYWHERE": "1",
        }
    )
