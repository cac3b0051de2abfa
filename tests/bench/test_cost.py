"""The cost of a citizen and year: what was used times a table of prices."""

import pytest

from bench.cost import DISK, MOVED, PROCESSOR, Used, cost, read_prices
from bench.rig import BenchError

HEAD = "what;unit;kroner;seen;source\n"
PRICES = {PROCESSOR: 0.36, DISK: 0.5, MOVED: 0.1}


def test_what_was_used_costs_its_price():
    """A thousand citizens use 100 s of a core, 2 MB on each of three brokers, 4 MB elsewhere."""
    used = Used(1000, cpu_s=100.0, topic_bytes=2_000_000, other_bytes=4_000_000)
    assert cost(used, PRICES) == pytest.approx(
        {PROCESSOR: 0.01 / 1000, DISK: 0.5 * 12 * 0.010 / 1000, MOVED: 0.1 * 0.010 / 1000}
    )


def test_a_year_goes_on_like_the_months_that_were_measured():
    used = Used(1000, cpu_s=25.0, topic_bytes=500_000, other_bytes=1_000_000)
    assert used.of_a_year(3) == Used(1000, 100.0, 2_000_000, 4_000_000)


def test_a_price_that_is_missing_or_no_number_is_named(tmp_path):
    table = tmp_path / "prices.csv"
    table.write_text(HEAD + "processor;hour;0.36;2026-01-01;x\ndisk;GB;free;2026-01-01;x\n")
    with pytest.raises(BenchError, match="'free'"):
        read_prices(table)
    table.write_text(HEAD + "processor;hour;0.36;2026-01-01;x\n")
    with pytest.raises(BenchError, match="disk"):
        read_prices(table)
    assert set(read_prices()) == {PROCESSOR, DISK, MOVED}
