"""The state is all that is known: what is written and read again says what it said when it was
open.
"""

import random

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.citizen.records import Part, SeenReport
from domain.citizen.state import Head
from domain.law.staircase import entering
from domain.law.week_counts import WeekCounts, WeekSets
from streams.citizens.store import RocksStore
from streams.citizens.store_port import MemoryStore
from tests.support import product
from tests.support.histories import fictive_cpr, histories
from tests.support.lives import RULES, THEMES, life

MONTH = 2024 * 12
CODES = st.sampled_from(("KTH", "KTH!", "SDP-B", "SU", "FLT"))
WEEK_SETS = st.dictionaries(CODES, st.integers(1, 2**700), max_size=4)
FACTS = st.dictionaries(
    st.sampled_from(("death", "flex_referral", "flex_job_start", "disability_pension_award")),
    st.dictionaries(st.integers(734_500, 736_000), st.integers(1, 3), min_size=1, max_size=3),
)


def as_read(store: dict[bytes, bytes]) -> dict[bytes, object]:
    """The entries of a store without what does not count: the order of names in a JSON object."""
    return {
        key: orjson.loads(value) if value.startswith(b"[") else value
        for key, value in store.items()
    }


def of(thing: object) -> dict[str, object]:
    """All fields of an entry, those that the law computes from others too."""
    return {name: getattr(thing, name) for name in type(thing).__slots__}  # type: ignore[attr-defined]


@pytest.mark.parametrize("theme", THEMES)
def test_a_worker_that_restarts_after_every_report_posts_and_writes_what_one_that_stays_does(theme):
    for seed in range(7000, 7012):
        reports = life(theme, seed)
        stayed = MemoryStore()
        found = product.outcomes(reports, stayed, batch=len(reports) + 1)
        for batch in (1, 5):
            restarted = MemoryStore()
            assert product.outcomes(reports, restarted, batch, restarts=True) == found
            assert as_read(restarted) == as_read(stayed)


@given(histories(RULES))
def test_a_worker_that_restarts_and_what_differs_shrinks(reports):
    stayed = MemoryStore()
    restarted = MemoryStore()
    assert product.outcomes(reports, restarted, restarts=True) == product.outcomes(reports, stayed)
    assert as_read(restarted) == as_read(stayed)


def test_rocksdb_is_a_dict(tmp_path):
    """The same outcomes and, entry by entry, the same bytes, though the worker restarts after
    every second report.
    """
    for seed in range(20):
        reports = [
            report for theme in ("plan_of", "a_faulty_upstream") for report in life(theme, seed)
        ]
        random.Random(seed).shuffle(reports)
        in_memory = MemoryStore()
        on_disk = RocksStore(tmp_path / str(seed))
        found = product.outcomes(reports, in_memory, batch=2, restarts=True)
        assert product.outcomes(reports, on_disk, batch=2, restarts=True) == found
        assert {key: on_disk.get(key) for key in in_memory} == in_memory
        assert on_disk.get(b"nobody/head") is None
        on_disk.close()


@given(
    st.builds(
        SeenReport,
        st.sampled_from("PICR?"),
        st.booleans(),
        st.sampled_from(("", "24289", "death:738000", "x-1 æ")),
    )
)
def test_what_is_known_of_an_id_is_read_as_written(known):
    assert SeenReport.decode(known.encode()) == known


@given(
    WEEK_SETS,
    WEEK_SETS,
    FACTS,
    st.lists(st.integers(0, 900), unique=True).map(sorted),
    st.integers(-1, 2000),
)
def test_a_head_is_read_as_written(touched, overpaid, facts, resets, last):
    """The states of the weeks are not written: they follow from the touched weeks."""
    head = Head(product.law())
    head.touched, head.overpaid, head.facts = touched, overpaid, facts
    head.last_week_with_money = last
    head.months, head.revision = touched.get("KTH", 0), last + 1
    status = product.law().status(facts)
    benefit, busy = product.law().states(touched, status)
    second = WeekSets(benefit | entering(touched, status), busy, resets[1:])
    head.weeks = WeekCounts(
        WeekSets(benefit, busy, resets), status, second if status.enters else None
    )
    assert of(Head.decode(product.law(), head.encode())) == of(head)


@pytest.mark.parametrize("theme", THEMES)
def test_every_entry_of_a_life_is_read_as_written(theme):
    """Down to the byte, so that a changelog does not grow by reading."""
    read_back = set()
    for seed in range(7100, 7110):
        store = MemoryStore()
        product.outcomes(life(theme, seed), store, batch=9)
        for key, value in store.items():
            name = key.decode().partition("/")[2]
            assert _decoded(name, value).encode() == value
            read_back.add(type(_decoded(name, value)))
    assert read_back == {Head, Part, SeenReport}


def _decoded(name, value):
    if name == "head":
        return Head.decode(product.law(), value)
    return Part.decode(int(name), value) if name.isdecimal() else SeenReport.decode(value)


def test_no_cpr_is_in_the_state():
    store = MemoryStore()
    cpr = fictive_cpr(7)
    product.outcomes(life("plan_of", 7, citizen=7), store)
    assert store
    assert not any(cpr.encode() in key + value for key, value in store.items())
