"""The recipes of CONTRIBUTING.md, followed to the letter in a copy of the repository."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.places import ROOT

PAGE = (ROOT / "CONTRIBUTING.md").read_text()
RECIPES = dict(part.split("\n", 1) for part in PAGE.split("\n## Recipes\n")[1].split("\n### ")[1:])

STEP = re.compile(
    r"""(?:`(?P<path>[\w./-]+)`,\s+
           (?:(?P<new>a\s+new\s+file)
             |(?P<how>after|in\s+place\s+of)\s+the\s+line\s+with\s+
              (?P<ticks>`+)\s?(?P<anchor>.+?)\s?(?P=ticks))
           :\n\n)?
        ```(?P<language>\w+)\n(?P<block>.*?)```""",
    re.VERBOSE | re.DOTALL,
)
"""A block of a recipe: a new file, lines for a file that is there, or commands."""

MAKE = 'make() { command make -o install -o install-run "$@"; }\n'
"""The copy borrows .venv, which `make install` would make anew for the folder it is in."""

MUST_HAVE = {"Add a benefit", "Add a command", "Add a field"}


class Copy(NamedTuple):
    """A copy of the repository with the packages of the original."""

    root: Path

    def follow(self, recipe):
        for step in STEP.finditer(recipe):
            if step["new"]:
                self.write(step["path"], step["block"])
            elif step["path"]:
                self.edit(
                    step["path"],
                    " ".join(step["anchor"].split()),
                    step["block"],
                    replace=step["how"] != "after",
                )
            else:
                assert step["language"] == "sh", f"a block that is no step: {step['block']}"
                self.run(step["block"])

    def write(self, name, text):
        assert not (self.root / name).exists(), f"{name} is there already"
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).write_text(text)

    def edit(self, name, anchor, text, *, replace):
        lines = (self.root / name).read_text().splitlines(keepends=True)
        (at,) = [number for number, line in enumerate(lines) if anchor in line]
        lines[at : at + 1] = [text] if replace else [lines[at], text]
        (self.root / name).write_text("".join(lines))

    def run(self, commands):
        done = subprocess.run(
            ["/bin/bash", "-euo", "pipefail", "-c", MAKE + commands],
            cwd=self.root,
            env=os.environ | {"PYTHONPATH": str(self.root), "PYTEST_XDIST_AUTO_NUM_WORKERS": "0"},
            capture_output=True,
            text=True,
            errors="replace",  # a letter of the locale in what make says
            check=False,
        )
        assert done.returncode == 0, f"{commands}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"


@pytest.fixture
def copy(tmp_path):
    root = tmp_path / "en kopi på å"
    not_ours = [name.rstrip("/") for name in (ROOT / ".gitignore").read_text().split()]
    shutil.copytree(ROOT, root, ignore=shutil.ignore_patterns(".git", *not_ours))
    (root / ".venv").symlink_to(Path(sys.executable).parent.parent)
    return Copy(root)


def test_the_recipes_are_there():
    assert RECIPES.keys() >= MUST_HAVE


@pytest.mark.long
@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_can_be_followed_with_the_tools_at_hand(name, copy):
    copy.follow(RECIPES[name])


def test_a_line_that_is_not_there_is_found(copy):
    with pytest.raises(ValueError, match="unpack"):
        copy.edit("README.md", "no such line", "x\n", replace=False)
