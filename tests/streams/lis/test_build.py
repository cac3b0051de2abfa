"""Building the marts: the former or the whole, equal when built again, and what is said."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from shutil import rmtree

import pytest
from click.testing import CliRunner
from deltalake import DeltaTable

from projections.ledger.entries import COUNTERS
from projections.lis.tables import MARTS
from streams.cli.lis import lis
from streams.kit.errors import UserError
from streams.ledger.table import LedgerTable
from streams.lis.build import BuildRequest, build
from streams.lis.completeness import Kept
from streams.lis.control_sums import KeptSum
from streams.lis.engine import engine
from streams.lis.mart_audit import unlike_the_ledger
from streams.lis.marts import open_marts
from streams.lis.store import FORMAT, LisError, MartStore
from tests.support import product
from tests.support.postings import append, ledger_of, marker, new_ledger, posting
from tests.support.run_histories import RUNS, ledger_of_lives

MISSING = BuildRequest()
ANNA, BO = "6101801234", "6202801235"
AMOUNT = {"amount_ore": 1000, "refusion_ore": 800}
KEPT = [Kept(49, "12345678", "KTH", "2024-01", 1, 1000, None, None, None, None)]
KEPT_SUMS = [KeptSum(49, "12345678", "KTH", "2024-01", 1, 1000, 0, 0, 0, 0, 1000, '{"0":999}')]


def built(folder, wanted=MISSING, kept=()):
    ledger = LedgerTable.open(str(folder / "ledger"))
    store = MartStore(str(folder / "lis"))
    return build(ledger, store, lambda _: product.law(), kept, wanted, lambda *_: None)


def content(folder):
    """All rows of all tables."""
    with open_marts(str(folder / "lis")) as marts:
        return {name: marts.rows(f"SELECT * FROM {name} ORDER BY ALL") for name in MARTS}  # noqa: S608


@pytest.fixture
def two_runs(tmp_path):
    """Anna is corrected after the first run, Bo comes in the open one."""
    ledger_of(
        tmp_path / "ledger",
        [
            posting(ANNA, 1, AMOUNT),
            marker(49),
            posting(ANNA, 2, {"kind": "correction", "reverses": "x", "amount_ore": -1000}),
            marker(50, "2024-02"),
        ],
        [marker(49), marker(50, "2024-02"), posting(BO, 1, AMOUNT)],
    )
    return tmp_path


def test_a_build_says_what_it_built_and_the_next_one_builds_the_open_run_alone(two_runs):
    assert built(two_runs)[:3] == ([49, 50], 50, 2)
    before = content(two_runs)
    assert built(two_runs)[:3] == ([], 50, 2)
    assert content(two_runs) == before
    store = MartStore(str(two_runs / "lis"))
    for name in MARTS:  # each commit carries the version of the ledger
        for part in ("49", "50", "open"):
            assert store.table(name).transaction_version(f"ledger/{part}") == 2


@pytest.mark.parametrize("first", [[], KEPT, KEPT_SUMS], ids=["nothing", "lines", "sums"])
def test_a_run_that_was_built_before_all_of_it_was_kept_is_built_again(two_runs, first):
    """`run close` keeps it after the marker; the stage may build in between."""
    every = [*KEPT, *KEPT_SUMS]
    built(two_runs, kept=first)
    assert built(two_runs, kept=every).runs == [49]
    late = content(two_runs)
    assert [len(late[name]) for name in ("completeness", "controls")] == [1, 1]
    assert built(two_runs, kept=every).runs == []
    rmtree(two_runs / "lis")
    built(two_runs, kept=every)
    assert content(two_runs) == late


@pytest.mark.long
def test_what_is_built_again_is_equal_whether_one_run_all_or_from_nothing(tmp_path):
    ledger_of_lives(random.Random(7), 7, tmp_path / "ledger")
    built(tmp_path)
    first = content(tmp_path)
    of_closing = {"completeness", "controls"}  # kept by `run close`, which was not here
    assert all(first[name] for name in MARTS if name not in of_closing)
    for wanted in (BuildRequest(run=RUNS[0]), BuildRequest(everything=True)):
        built(tmp_path, wanted)
        assert content(tmp_path) == first
    rmtree(tmp_path / "lis")
    built(tmp_path)
    assert content(tmp_path) == first


class DeathError(Exception):
    """Stands for a kill: nothing is written after it."""


@pytest.mark.long
def test_a_builder_that_dies_at_any_step_leaves_the_former_or_the_whole(two_runs, monkeypatch):
    """It dies at the first step, the next one at the second and so on; once the closed run is whole
    it is passed over, and they die at each step of the open one and before the last commit.
    """
    built(two_runs)
    before = content(two_runs)
    close_another(two_runs)
    last = len(MARTS) + 1
    for step in (*range(1, last + 1), *range(2, last + 1)):
        steps = iter(range(1, last + 1))

        def dies(*_, steps=steps, step=step):
            if next(steps) == step:
                raise DeathError

        monkeypatch.setattr("streams.lis.build.reached", dies)
        with pytest.raises(DeathError):
            built(two_runs)
        assert content(two_runs) == before
    monkeypatch.undo()
    built(two_runs)
    after = content(two_runs)
    assert [row[0] for row in after["runs"]] == [49, 50, 51, None]
    rmtree(two_runs / "lis")
    built(two_runs)
    assert content(two_runs) == after


@pytest.mark.long
def test_a_builder_that_is_killed_leaves_the_former(two_runs):
    built(two_runs)
    before = content(two_runs)
    close_another(two_runs)
    killed = refusion(two_runs, "lis", "build", REFUSION_TEST_KILL="lis:before_commit:5")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert content(two_runs) == before
    done = refusion(two_runs, "lis", "build")
    assert (done.returncode, done.stdout) == (
        0,
        "built runs: 51; the marts are of version 4 of the ledger, up to run 51\n",
    )


def close_another(folder):
    """Close the third run in both partitions, after Bo was corrected."""
    ledger = LedgerTable.open(str(folder / "ledger"))
    corrected = posting(BO, 2, {"reverses": "y", "amount_ore": -10}, {"amount_ore": 5})
    append(ledger, ledger.progress(1), [corrected, marker(51, "2024-03")])
    append(ledger, ledger.progress(0), [marker(51, "2024-03")])


def refusion(folder, *arguments, **environ):
    """The program on the ledger and the marts of a folder."""
    places = {"REFUSION_LEDGER": str(folder / "ledger"), "REFUSION_LIS": str(folder / "lis")}
    return subprocess.run(
        [str(Path(sys.executable).parent / "refusion"), *arguments],
        env=os.environ | {"REFUSION_DEMO": "1"} | places | environ,
        capture_output=True,
        text=True,
        check=False,
    )


def asked_to_build(folder, *arguments):
    """The command in this process."""
    places = {"REFUSION_LEDGER": str(folder / "ledger"), "REFUSION_LIS": str(folder / "lis")}
    return CliRunner().invoke(lis, ["build", *arguments], env={"REFUSION_DEMO": "1"} | places)


def test_a_run_that_is_not_closed_everywhere_is_not_built(tmp_path):
    ledger_of(tmp_path / "ledger", [posting(ANNA, 1, AMOUNT), marker(49)], [posting(BO, 1, AMOUNT)])
    assert built(tmp_path)[:2] == ([], None)
    with open_marts(str(tmp_path / "lis")) as marts:
        assert marts.rows("SELECT run, sum(amount_ore) FROM money GROUP BY run") == [(None, 2000)]
        with pytest.raises(LisError, match=r"run 49 is not in the marts, they have none yet"):
            marts.need_run(49)
    with pytest.raises(LisError, match="run 49 is not closed in every partition"):
        built(tmp_path, BuildRequest(run=49))


def test_marts_of_another_ledger_are_refused(two_runs):
    built(two_runs)
    rmtree(two_runs / "ledger")
    new_ledger(two_runs / "ledger", identity="another topic")
    with pytest.raises(LisError, match=r"were made from another ledger.*delete"):
        built(two_runs)


def test_marts_of_another_version_are_refused_with_what_to_do(two_runs):
    built(two_runs)
    DeltaTable(two_runs / "lis" / "builds").update(updates={"format": f"{FORMAT + 1}"})
    with pytest.raises(
        LisError, match=rf"format {FORMAT + 1}, and this one has {FORMAT}; delete them"
    ):
        built(two_runs)
    with pytest.raises(LisError, match="delete them"), open_marts(str(two_runs / "lis")):
        pass


def test_marts_in_an_object_store_are_refused():
    with pytest.raises(LisError, match="set REFUSION_LIS to a folder"):
        MartStore("s3://bucket/lis")


def test_a_ledger_without_counters_is_said_with_what_to_do(two_runs):
    path = two_runs / "ledger"
    ledger = DeltaTable(path)
    ledger.update(updates=dict.fromkeys(COUNTERS, "NULL"))
    done = asked_to_build(two_runs)
    assert done.exit_code == 0
    assert "no counters in the ledger: 2 citizens" in done.stderr
    assert "Delete the ledger" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "there is no ledger at"),
        (("--run", "9"), "there is no ledger at"),
    ],
)
def test_without_a_ledger_the_command_says_what_to_do(tmp_path, arguments, says):
    done = asked_to_build(tmp_path, *arguments)
    assert isinstance(done.exception, UserError)
    assert says in str(done.exception)


def unlike(folder):
    """List what in the marts is not as the ledger has it."""
    ledger = LedgerTable.open(str(folder / "ledger"))
    return list(
        unlike_the_ledger(
            ledger, str(folder / "lis"), lambda _: product.law(), KEPT, lambda *_: None
        )
    )


@pytest.mark.long
def test_marts_of_random_lives_are_as_the_ledger_has_them(tmp_path):
    ledger_of_lives(random.Random(8), 8, tmp_path / "ledger")
    built(tmp_path)
    assert unlike(tmp_path)[0].mart == "completeness"  # it was not kept when they were built
    built(tmp_path, BuildRequest(everything=True), KEPT)
    assert unlike(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "changed", "keys"),
    [
        ("persons", "booked_weeks", "municipality 730, month 2024-01, benefit KTH, rate 80"),
        *(
            pytest.param(*damaged, marks=pytest.mark.long)
            for damaged in (
                ("money", "refusion_ore", "municipality 730, month 2024-01, benefit KTH, rate 80"),
                ("person_months", "weeks", "benefit KTH, rate 80, booked 1"),
                ("standing", "seniority", "citizen "),
                ("step_persons", "persons", "municipality 730, month 2024-01, step 1"),
                ("seniorities", "persons", "municipality 730, seniority "),
                ("corrections", "up_ore", "reason report, benefit KTH, kind None, reporter None"),
                ("completeness", "received", "reporter 12345678, benefit KTH, month 2024-01"),
                ("runs", "run", "run"),
                ("forecast", "net_ore", "months_ahead 0"),
            )
        ),
    ],
)
def test_a_damaged_row_of_any_table_is_found(two_runs, name, changed, keys):
    built(two_runs, kept=KEPT)
    run = 50 if name == "corrections" else 49
    table = DeltaTable(two_runs / "lis" / name)
    if name == "runs":
        table.update(updates={"closed_at": "'2024-02-30T00:00:00Z'"}, predicate="run = 49")
    else:
        table.update(updates={changed: f"{changed} + 1"}, predicate=f"run = {run}")
    store = MartStore(str(two_runs / "lis"))
    left = store.build()
    assert left is not None
    store.commit(left.ledger, left.ledger_version, left.last_run)
    found = unlike(two_runs)
    made_of_it = {"forecast"} if name == "money" else set()
    assert {each.mart for each in found if each.run == run} == {name} | made_of_it
    assert any(keys in each.keys for each in found), found


def test_without_marts_there_is_nothing_to_hold_against_the_ledger(two_runs):
    assert unlike(two_runs) == []


def test_the_engine_draws_nothing_and_downloads_nothing():
    names = ("enable_progress_bar", "autoinstall_known_extensions", "autoload_known_extensions")
    with engine() as connection:
        for name in names:
            asked = connection.cursor().execute("SELECT current_setting(?)", [name])
            assert asked.fetchall() == [(False,)], name
