"""A country's year, as small as it can be: every step of it is measured."""

import re
from functools import partial

import pytest

from bench import country
from streams.devtools.local_kafka import QUICK_START, LocalKafka


@pytest.mark.long
def test_a_small_country_goes_through_all_of_its_year(monkeypatch, tmp_path):
    monkeypatch.setattr(country, "SIZES", "300")
    monkeypatch.setattr(country, "MONTHS", 2)
    quick = partial(LocalKafka, java_options=QUICK_START)
    monkeypatch.setattr(country, "LocalKafka", quick)
    rows = {subject: figure for subject, figure, _ in country.figures(tmp_path)}
    steps = [
        "2023-01: close, export", "2023-02: close, export", "on disk: state", "on disk: ledger",
        "restore of all state", "everybody settled anew", "verify",
    ]  # fmt: skip
    assert {f"300 citizens, {step}" for step in steps} <= rows.keys()
    of_citizens = re.compile(r"300 citizens, of \d+ citizens [1-9]\d* moved")
    (moved,) = [figure for subject, figure in rows.items() if of_citizens.fullmatch(subject)]
    assert re.fullmatch(r"[1-9]\d* messages, [1-9][\d,]* rows, -[\d,]+\.\d\d kr\.", moved)
    assert rows["a citizen and year: processor"].endswith(" ms")
    assert not list(tmp_path.iterdir()), "the folder of the country is still there"


def test_a_partition_on_its_way_is_not_restored_yet():
    """The words are those of a worker: it tells every ten seconds how far a partition is."""
    told = "citizens/7: restored up to 102255 of 1110250\n"
    assert country.restored_in(told) == 0
    assert country.restored_in(told + "citizens/7: restored 785206 records in 143.8 s\n") == 1
