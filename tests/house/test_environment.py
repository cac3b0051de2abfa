"""`make install` does what is needed and no more; Python and pip are stand-ins that write it
down.
"""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support.places import ROOT

STAND_IN = """#!/bin/sh
echo "$@" >> calls
case "$*" in
  *sys.version_info*) exit {too_old} ;;
  *sys.version*) echo '{version}' ;;
  *'-m venv'*) rm -rf .venv; mkdir -p .venv/bin; cp "$0" .venv/bin/python ;;
esac
"""
LOCKS = ("requirements.lock", "requirements-local.lock")


class Place:
    """A folder with the script, two locks, and a Python that only notes how it is called."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / ".ci").mkdir(parents=True)
        shutil.copy(ROOT / ".ci" / "environment", folder / ".ci" / "environment")
        for name in (*LOCKS, "pyproject.toml"):
            (folder / name).write_text(f"# {name}\n")

    def python(self, version: str, *, too_old: bool = False) -> Path:
        path = self.folder / f"python{version}"
        path.write_text(STAND_IN.format(version=version, too_old=int(too_old)))
        path.chmod(0o755)
        return path

    def install(self, *options: str | Path, locks=LOCKS):
        """Run the script; return it, and what pip was told to install."""
        (self.folder / "calls").unlink(missing_ok=True)
        done = subprocess.run(
            [self.folder / ".ci" / "environment", *options, *locks],
            capture_output=True,
            text=True,
            check=False,
        )
        calls = self.folder / "calls"
        lines = calls.read_text().splitlines() if calls.exists() else []
        return done, [line.partition("-version-check ")[2] for line in lines if "-m pip" in line]


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path / "en sti med å")


@pytest.fixture
def python(place):
    """A Python with which all is installed."""
    python = place.python("3.12")
    done, _ = place.install("--python", python)
    assert done.returncode == 0, done.stderr
    return python


def test_everything_is_installed_the_first_time_and_checked_against_hashes(place):
    done, installed = place.install("--python", place.python("3.12"))
    assert done.returncode == 0, done.stderr
    assert installed == [
        *(f"--require-hashes --requirement {lock}" for lock in LOCKS),
        "--no-deps --no-build-isolation --editable .",
    ]


@pytest.mark.usefixtures("python")
def test_nothing_is_done_or_said_when_nothing_changed(place):
    done, installed = place.install()
    assert (done.returncode, done.stdout, done.stderr, installed) == (0, "", "", [])


@pytest.mark.usefixtures("python")
def test_a_new_time_is_no_change(place):
    for name in (*LOCKS, "pyproject.toml"):
        (place.folder / name).touch()
    assert place.install()[1] == []


@pytest.mark.usefixtures("python")
@pytest.mark.parametrize(
    ("name", "installed"),
    [
        ("requirements-local.lock", "--require-hashes --requirement requirements-local.lock"),
        ("pyproject.toml", "--no-deps --no-build-isolation --editable ."),
    ],
)
def test_what_changed_is_installed_again(place, name, installed):
    (place.folder / name).write_text("# changed\n")
    assert place.install()[1] == [installed]
    assert place.install()[1] == []


def test_another_python_makes_it_anew(place, python):
    assert place.install("--python", python)[1] == []
    assert len(place.install("--python", place.python("3.13"))[1]) == 3


def test_another_folder_makes_it_anew(place, python):
    moved = place.folder.rename(place.folder.parent / "flyttet")
    place.folder = moved
    assert len(place.install("--python", moved / python.name)[1]) == 3


def test_a_copied_folder_makes_it_anew_and_leaves_the_original_alone(place, python):
    """The scripts in a copied .venv would run the original folder's code."""
    original, copied = place.folder, place.folder.parent / "kopi (2)"
    shutil.copytree(original, copied, symlinks=True)
    place.folder = copied
    assert len(place.install("--python", copied / python.name)[1]) == 3
    place.folder = original
    assert place.install()[1] == []


def test_an_old_python_is_refused_with_what_to_do(place):
    done, installed = place.install("--python", place.python("3.9", too_old=True))
    assert done.returncode == 1
    assert "make PYTHON=/path/to/python3.11 install" in done.stderr
    assert installed == []


# --- with a real Python -----------------------------------------------------------------------

PROJECT = """
[project]
name = "hus"
version = "1"
scripts = {hus = "hus:main"}
[tool.setuptools]
packages = ["hus"]
"""
MAIN = "def main():\n    print('at home')\n"


@pytest.fixture
def latin1(tmp_path):
    """An environment with a locale of Latin-1, which few machines have ready."""
    folder = tmp_path / "locales"
    folder.mkdir()
    command = ["localedef", "-i", "da_DK", "-f", "ISO-8859-1", folder / "da_DK.ISO-8859-1"]
    if shutil.which(command[0]) is None or subprocess.run(command, check=False).returncode:
        pytest.skip("no locale can be made here (Debian: apt-get install locales)")
    return {"PATH": os.environ["PATH"], "LOCPATH": str(folder), "LC_ALL": "da_DK.ISO-8859-1"}


@pytest.mark.long
def test_the_programs_in_a_folder_with_other_letters_run_in_any_locale(place, latin1, tmp_path):
    """Names of folders have other bytes in Latin-1; pip wrote a program that found no Python."""
    setuptools = find_spec("setuptools")
    assert setuptools is not None
    assert setuptools.origin is not None
    (tmp_path / "tools").mkdir()  # what the locks would bring
    (tmp_path / "tools" / "setuptools").symlink_to(Path(setuptools.origin).parent)
    tools = latin1 | {"PYTHONPATH": str(tmp_path / "tools")}
    (place.folder / "pyproject.toml").write_text(PROJECT)
    (place.folder / "hus").mkdir()
    (place.folder / "hus" / "__init__.py").write_text(MAIN)
    script = [place.folder / ".ci" / "environment", "--python", sys.executable, *LOCKS]
    subprocess.run(script, env=tools, check=True)
    for environment in (latin1, latin1 | {"LC_ALL": "C.UTF-8"}, latin1 | {"LC_ALL": "C"}):
        done = subprocess.run(
            [place.folder / ".venv" / "bin" / "hus"],
            cwd="/", env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stdout, done.stderr) == (0, "at home\n", "")
