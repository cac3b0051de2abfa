"""The cores that a process may use: those of its container, however the system tells of it."""

import os

import pytest

from streams.kit.cores import cores

MANY = 64


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine of many cores; gives the cores that a process of a control group counts."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: range(MANY))

    def counted(own_group, **files):
        groups = tmp_path / "groups"
        for name, text in files.items():
            file = groups / name.replace("__", "/").replace("_dot_", ".")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        (tmp_path / "own").write_text(own_group)
        return cores(groups, tmp_path / "own")

    return counted


def test_without_a_container_they_are_those_of_the_machine(machine):
    assert machine("0::/user.slice\n") == MANY
    assert machine("") == MANY


@pytest.mark.parametrize(
    ("told", "number"),
    [
        ("200000 100000\n", 2),
        ("150000 100000\n", 2),
        ("50000 100000\n", 1),
        ("max 100000\n", MANY),
        ("9900000 100000\n", MANY),
        ("0 0\n", MANY),
        ("strange", MANY),
        ("", MANY),
    ],
)
def test_a_container_has_its_share(machine, told, number):
    assert machine("0::/\n", cpu_dot_max=told) == number


def test_a_group_above_may_have_less(machine):
    files = {"a__cpu_dot_max": "300000 100000", "a__b__cpu_dot_max": "800000 100000"}
    assert machine("0::/a/b\n", **files) == 3


def test_the_first_version_has_two_files_and_may_name_a_place_outside_the_container(machine):
    own = "12:cpuset:/docker/0f\n4:cpu,cpuacct:/docker/0f\n"
    files = {"cpu__cpu_dot_cfs_quota_us": "400000", "cpu__cpu_dot_cfs_period_us": "100000"}
    assert machine(own, **files) == 4
    assert machine(own, **files | {"cpu__cpu_dot_cfs_quota_us": "-1"}) == MANY


@pytest.mark.parametrize("kept_to", [{5}, {3, 5, 7}])
def test_a_process_that_is_kept_to_some_cores_counts_those(monkeypatch, tmp_path, kept_to):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: kept_to)
    assert cores(tmp_path, tmp_path / "nothing") == len(kept_to)
