"""The example that reads the tables of LIS shows the sums of the ledger's rows."""

import random
from collections import defaultdict

import pytest
from click.testing import CliRunner

from domain.basics.kroner import kroner
from examples.read_marts import main
from tests.properties.test_lis import built
from tests.support.run_histories import ledger_of_lives

SEED = 5
"""Its lives have rows that are settled by the run of their own month."""
RUN_OF = {"2024-01": 49, "2024-02": 50, "2024-03": 51}


@pytest.fixture(scope="module")
def lives(tmp_path_factory):
    folder = tmp_path_factory.mktemp("example")
    rows, _ = ledger_of_lives(random.Random(SEED), SEED, folder / "ledger")
    built(folder)
    return rows, str(folder / "lis")


def expected(rows, place):
    """Count plainly, by month, what was settled and what is known."""
    settled: defaultdict[str, int] = defaultdict(int)
    now: defaultdict[str, int] = defaultdict(int)
    for row in rows:
        month, ore = row["month"], row["refusion_ore"] - row["medfinansiering_ore"]
        if row["municipality"] == place:
            now[month] += ore
            if row["run"] is not None and row["run"] == RUN_OF.get(month):
                settled[month] += ore if row["kind"] != "opening" else 0
    return settled, now


def test_each_month_has_what_was_settled_and_what_is_known(lives):
    rows, folder = lives
    places = {row["municipality"] for row in rows}
    some_settled = False
    for place in places:
        done = CliRunner().invoke(main, [folder, place])
        assert done.exit_code == 0, done.output
        settled, now = expected(rows, place)
        found = [line.split() for line in done.output.splitlines()[2:]]
        assert [(line[0], line[2]) for line in found] == [
            (month, kroner(now[month])) for month in sorted(now)
        ]
        told = {line[0]: line[1] for line in found if line[1] != "-"}
        assert {month: kroner(ore) for month, ore in settled.items()} == told
        some_settled |= bool(told)
    assert some_settled


def test_a_folder_without_tables_is_said(tmp_path):
    done = CliRunner().invoke(main, [str(tmp_path / "none"), "730"])
    assert done.exit_code == 1
    assert "there are no marts" in done.output
