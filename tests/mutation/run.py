"""Mutation testing of the law: small defects put into `domain/` one by one, each of which some test
must notice.

    python -m tests.mutation.run FOLDER [--sample N] [--children C] [PATTERN...]

mutmut makes the mutants and runs the tests that reach each, the quick ones first ([tool.mutmut] in
pyproject.toml). It works on a copy of the sources in FOLDER, which also keeps the results; without
--sample all mutants are tried. A JSON object of the results by mutant comes out on the last line.
"""

import argparse
import ast
import fnmatch
import json
import os
import shutil
import sys
from hashlib import blake2b
from pathlib import Path
from typing import Any

from tests.support.places import ROOT

COPIED = ("domain", "projections", "streams", "tests")


def main() -> None:
    """Copy, mutate, try, report."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sample", type=int)
    parser.add_argument("--children", type=int, default=2)
    parser.add_argument("patterns", nargs="*", default=["*"])
    given = parser.parse_args()
    copy_sources(given.folder)
    os.chdir(given.folder)
    sys.path.insert(0, "")
    names = [
        name for name in generated() for pattern in given.patterns if fnmatch.fnmatch(name, pattern)
    ]
    if given.sample:
        names = sampled(names, given.sample)
    results = tried(names, given.children)
    print(json.dumps(results))  # noqa: T201


def copy_sources(folder: Path) -> None:
    """Copy what the tests need, without what Python or mutmut have made of it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in COPIED:
        skipped = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, folder / name, dirs_exist_ok=True, ignore=skipped)
    shutil.copy(ROOT / "pyproject.toml", folder)


def generated() -> list[str]:
    """The names of all mutants, which mutmut has then written."""
    import mutmut.__main__ as mutmut  # noqa: PLC0415 - it reads its settings in the folder it is imported in

    Path("mutants").mkdir(exist_ok=True)
    mutmut.copy_src_dir()
    mutmut.copy_also_copy_files()
    mutmut.setup_source_paths()
    mutmut.create_mutants(2)
    return [name for data in _data() for name in data["exit_code_by_key"]]


def sampled(names: list[str], number: int) -> list[str]:
    """Choose mutants by their own text, so that a change elsewhere does not change the choice.

    Each mutant is named by its function and the source that it was made into; those with the
    smallest digests are chosen. A run decides the same twice; a new mutant displaces at most one.
    """
    texts = {}
    for path in Path("mutants").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and "__mutmut_" in node.name:
                function, _, _ = node.name.rpartition("__mutmut_")
                lines = ast.unparse(node).replace(node.name, function)
                module = ".".join(path.relative_to("mutants").with_suffix("").parts)
                texts[f"{module}.{node.name}"] = f"{module}.{lines}"
    digest = {name: blake2b(texts[name].encode()).digest() for name in names}
    return sorted(sorted(names, key=digest.__getitem__)[:number])


def tried(names: list[str], children: int) -> dict[str, str]:
    """The fate of each mutant: killed, survived, timeout ..."""
    import mutmut.__main__ as mutmut  # noqa: PLC0415

    mutmut._run(names, children)
    codes: dict[str, Any] = {
        name: code for data in _data() for name, code in data["exit_code_by_key"].items()
    }
    return {name: mutmut.status_by_exit_code[codes[name]] for name in names}


def _data() -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(Path("mutants").rglob("*.py.meta"))]


if __name__ == "__main__":
    main()
