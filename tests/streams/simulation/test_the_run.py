"""A simulation gives the same bytes anywhere; it tells how far it is, and leaves nothing behind."""

import hashlib
import io
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from datetime import date

import pytest

from domain.basics.weeks import month_number
from streams.simulation import simulate
from streams.simulation.arrival import deliveries
from streams.simulation.lives import MOST_CITIZENS
from tests.support.places import ROOT
from tests.support.simulated_lines import options, output


def test_a_small_run_is_known_to_the_byte():
    digest = hashlib.sha256(output(options(60, "2019-11..2021-02", seed=1))).hexdigest()
    assert digest == "fc621b7a516cfafe31e0e69a5abc4495466782051f1393a9292ce20093a3e88f"


@pytest.mark.parametrize("jobs", [2, 3])
def test_the_number_of_processes_cannot_be_seen(jobs):
    asked = options(700, "2024-01..2025-12")
    assert output(replace(asked, jobs=jobs)) == output(asked)


def test_another_seed_gives_another_population():
    assert output(options(20, "2024-01..2024-06", seed=1)) != output(
        options(20, "2024-01..2024-06", seed=2)
    )


def test_citizens_do_not_depend_on_how_many_there_are():
    few, many = options(10, "2024-01..2024-06"), options(1000, "2024-01..2024-06")
    assert [deliveries(few, n) for n in range(10)] == [deliveries(many, n) for n in range(10)]


def test_progress_counts_citizens_up_to_all():
    told: list[int] = []
    simulate(options(250, "2024-01..2024-03"), io.BytesIO(), told.append)
    assert told == sorted(told)
    assert told[-1] == 250


def test_nobody_has_no_reports():
    assert output(options(0, "2024-01..2024-01")) == b""


@pytest.mark.parametrize("jobs", [1, 2])
def test_the_temporary_folder_goes_when_the_run_is_broken_off(jobs, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def interrupt(_: int) -> None:
        assert list(tmp_path.iterdir())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(options(200, "2024-01..2024-03", jobs=jobs), io.BytesIO(), interrupt)
    assert not list(tmp_path.iterdir())


def test_ctrl_c_leaves_neither_files_nor_processes(tmp_path):
    program = (
        "import sys; from streams.simulation import *; from domain.basics.weeks import"
        " month_number as m;"
        "simulate(SimulationOptions(100000, m('2015-01'), m('2024-12'), 1, jobs=2),"
        " sys.stdout.buffer)"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    running = subprocess.Popen(
        [sys.executable, "-c", program],
        env=environment, start_new_session=True, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
    )  # fmt: skip
    deadline = time.monotonic() + 30
    while not any(tmp_path.glob("*/*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(running.pid, signal.SIGINT)
    assert running.wait(30) != 0
    assert not list(tmp_path.iterdir())
    with pytest.raises(ProcessLookupError):
        os.killpg(running.pid, 0)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"citizens": -1}, "citizens"),
        ({"citizens": MOST_CITIZENS + 1}, "citizens"),
        ({"first_month": month_number("2014-06")}, "2014-07"),
        ({"last_month": month_number("2014-01")}, "months"),
        ({"late": 1.5}, "late"),
        ({"faults": frozenset({"gremlins"})}, "gremlins"),
    ],
)
def test_impossible_options_are_refused_with_a_sentence(wrong, said):
    with pytest.raises(ValueError, match=said):
        replace(options(1, "2024-01..2024-12"), **wrong)


def test_the_last_possible_citizen_has_a_number():
    cpr, _ = deliveries(options(MOST_CITIZENS, "2024-01..2024-01"), MOST_CITIZENS - 1)
    assert date(2000, int(cpr[2:4]), int(cpr[:2]) - 60)
