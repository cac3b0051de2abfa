"""The cost of a citizen and year: what was used times a table of prices."""

import pytest

from bench.cost import DISK, MOVED, PROCESSOR, Used, cost, cost_rows, read_prices
from bench.cost import PRICES as PRICE_TABLE
from bench.rig import BenchError

HEAD = "what;unit;kroner;seen;source\n"
PRICES = {PROCESSOR: 0.36, DISK: 0.5, MOVED: 0.1}


def test_what_was_used_costs_its_price():
    """A thousand citizens use 100 s of a core, 2 MB on each of three brokers, 4 MB elsewhere.

    1 MB of raw reports is moved five times, like the 2 MB that stay.
    """
    used = Used(
        1000, cpu_s=100.0, topic_bytes=2_000_000, other_bytes=4_000_000, raw_bytes=1_000_000
    )
    assert cost(used, PRICES) == pytest.approx(
        {PROCESSOR: 0.01 / 1000, DISK: 0.5 * 12 * 0.010 / 1000, MOVED: 0.1 * 0.015 / 1000}
    )


def test_a_year_goes_on_like_the_months_that_were_measured():
    used = Used(1000, cpu_s=25.0, topic_bytes=500_000, other_bytes=1_000_000, raw_bytes=250_000)
    assert used.of_a_year(3) == Used(1000, 100.0, 2_000_000, 4_000_000, 1_000_000)


def test_a_cost_is_told_of_a_citizen_and_of_an_inhabitant(tmp_path, monkeypatch):
    """1,400 citizens, 7 kr. of processor time: 0.5 øre each, 0.117 øre of 6,000 inhabitants."""
    table = tmp_path / "prices.csv"
    table.write_text(HEAD + "processor;h;1;x;x\ndisk;GB;1;x;x\nmoved;GB;1;x;x\n")
    monkeypatch.setattr("bench.cost.PRICES", table)
    used = Used(1400, cpu_s=7 * 3600.0, topic_bytes=0, other_bytes=1_400_000_000, raw_bytes=0)
    rows = {what: figures for what, *figures in cost_rows(used)}
    assert rows["a citizen and year: processor"][1] == "0.500 øre"
    assert rows["a citizen and year: disk"][1] == "1.200 øre"  # 1.4 GB for twelve months: 16.8 kr.
    assert rows["all of what is used"] == ["1.700 øre", "0.397 øre an inhabitant: 0.00084"]
    in_year_ten = rows["with the disks of the 10th year, as nothing is deleted"]
    assert in_year_ten == ["12.500 øre", "2.917 øre an inhabitant: 0.00614"]


def test_a_price_that_is_missing_or_no_number_is_named(tmp_path):
    table = tmp_path / "prices.csv"
    table.write_text(HEAD + "processor;hour;0.36;2026-01-01;x\ndisk;GB;free;2026-01-01;x\n")
    with pytest.raises(BenchError, match="'free'"):
        read_prices(table)
    table.write_text(HEAD + "processor;hour;0.36;2026-01-01;x\n")
    with pytest.raises(BenchError, match="disk"):
        read_prices(table)
    assert set(read_prices(PRICE_TABLE)) == {PROCESSOR, DISK, MOVED}
