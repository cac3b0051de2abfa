"""The repository is in order: format, lint, types, imports, purity, packaging, documents."""

import ast
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest
import yaml

from streams.cli.main import main
from tests.support.places import ROOT

TOOLS = Path(sys.executable).parent
PRODUCT = ("domain", "projections", "streams")
NOT_OURS = {".git", ".hypothesis", ".venv", "__pycache__", "build", "dist"}

LONGEST_FUNCTION = 60
"""Lines of a function. A longer one does more than one thing."""
LONGEST_FILE = 400
"""Lines of a file of the product. A longer one holds more than one idea."""


def files_of_ours(*suffixes):
    """Every file that belongs to the repository, caches and environments left out."""
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [
            name
            for name in folders
            if name not in NOT_OURS and not name.endswith(("_cache", ".egg-info"))
        ]
        ours = [name for name in names if name not in NOT_OURS]  # `.git` may be a file
        yield from (Path(folder, name) for name in ours if not suffixes or name.endswith(suffixes))


def relative(path):
    return str(path.relative_to(ROOT))


def run(program, *arguments, **more):
    """A program of the environment, run in the repository."""
    command = [TOOLS / program, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, **more)


def product_files():
    return [path for package in PRODUCT for path in sorted((ROOT / package).rglob("*.py"))]


@pytest.mark.parametrize(
    "command",
    ["ruff check .", "ruff format --check .", "mypy", "lint-imports", "vulture"],
    ids=lambda command: command.split()[0] + ("-format" if "--check" in command else ""),
)
def test_tool(command):
    done = run(*command.split())
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"


# --- purity -------------------------------------------------------------------------------------

IMPURE_MODULES = {
    "asyncio", "glob", "io", "logging", "multiprocessing", "os", "pathlib", "random", "secrets",
    "shutil", "socket",
    "subprocess", "sys", "tempfile", "threading", "time", "urllib", "uuid",
}  # fmt: skip
IMPURE_CALLS = {"breakpoint", "eval", "exec", "input", "open", "print"}
CLOCKS = {"now", "utcnow", "today", "fromtimestamp"}


def impurities(tree):
    """Yield each call or import of a module that reads a clock or the world, as `line: name`."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                impure = {alias.name.split(".")[0] for alias in names} & IMPURE_MODULES
            case ast.ImportFrom(module=str(module)):
                impure = {module.split(".")[0]} & IMPURE_MODULES
            case ast.Call(func=ast.Name(id=name)):
                impure = {name} & IMPURE_CALLS
            case ast.Call(func=ast.Attribute(attr=name)):
                impure = {name} & CLOCKS
            case _:
                continue
        yield from (f"{node.lineno}: {what}" for what in sorted(impure))


@pytest.mark.parametrize(
    "source",
    [
        "import os.path",
        "from time import monotonic",
        "print(1)",
        "x = open('f')",
        "d = date.today()",
        "datetime.now(UTC)",
    ],
)
def test_an_impurity_is_found(source):
    assert list(impurities(ast.parse(source)))


@pytest.mark.parametrize("package", ["domain", "projections"])
def test_the_law_and_its_projections_read_no_clock_and_do_no_io(package):
    impure = [
        f"{relative(path)}:{what}"
        for path in sorted((ROOT / package).rglob("*.py"))
        for what in impurities(ast.parse(path.read_text()))
    ]
    assert impure == []


def test_functions_stay_small():
    long = [
        f"{relative(path)}:{node.lineno} {node.name}"
        for path in product_files()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno >= LONGEST_FUNCTION
    ]
    assert long == []


def test_files_stay_small():
    sizes = {relative(path): len(path.read_text().splitlines()) for path in product_files()}
    assert {path: lines for path, lines in sizes.items() if lines > LONGEST_FILE} == {}


# --- packaging ----------------------------------------------------------------------------------


def test_the_compose_file_meets_the_compose_specification():
    done = run("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_worker_scales():
    worker = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["worker"]
    assert "container_name" not in worker
    assert "ports" not in worker


def test_the_dockerfile_copies_what_exists_and_reaches_the_builder():
    sent = {
        line[1:]
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    copies = [
        line.split()[1:-1]
        for line in (ROOT / "Dockerfile").read_text().splitlines()
        if line.startswith("COPY ")
    ]
    sources = {source for copy in copies if not copy[0].startswith("--from") for source in copy}
    assert {source for source in sources if not (ROOT / source).exists()} == set()
    assert sources == sent


LOCKS = {  # each lock, and the groups of pyproject.toml that it pins
    "requirements.lock": ("dependencies", "build"),
    "requirements-local.lock": ("local",),
    "requirements-dev.lock": ("dev",),
    "requirements-audit.lock": ("audit",),
}


def wanted_packages():
    """The names of the packages that each group of pyproject.toml asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = {**project["dependency-groups"], "dependencies": project["project"]["dependencies"]}
    return {
        name: {re.split(r"[^\w.-]", line)[0].lower() for line in lines}
        for name, lines in groups.items()
    }


def locked(lock):
    """Each package of a lock with its version and the number of its hashes."""
    text = (ROOT / lock).read_text()
    entries = re.findall(r"^([\w.-]+)==(\S+)(.*?)(?=^\S|\Z)", text, re.MULTILINE | re.DOTALL)
    return {name: (version, rest.count("--hash=sha256:")) for name, version, rest in entries}


def test_the_locks_pin_every_direct_dependency():
    groups = wanted_packages()
    assert {name for names in LOCKS.values() for name in names} == groups.keys()
    for lock, names in LOCKS.items():
        assert set().union(*(groups[name] for name in names)) <= locked(lock).keys()


def test_the_locks_have_hashes_and_name_no_host():
    for lock in LOCKS:
        assert [name for name, (_, hashes) in locked(lock).items() if not hashes] == []
        assert "://" not in (ROOT / lock).read_text()


def test_the_locks_agree_on_versions():
    pins = [(name, version) for lock in LOCKS for name, (version, _) in locked(lock).items()]
    assert len(dict(pins)) == len(set(pins))


MACHINE = re.compile(
    r"(?<![\w./-])/(home|work|Users|root)/\w|python[h]osted|index[-_]url\s*=|pypi\.org|repo1?\.maven"
)


def test_no_file_names_a_machine_or_a_registry():
    named = [
        f"{relative(path)}:{number}"
        for path in files_of_ours()
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if MACHINE.search(line)
    ]
    assert named == []


# --- documents ----------------------------------------------------------------------------------

LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)[^)]*\)")
JSON_BLOCK = re.compile(r"```json\n(.*?)```", re.DOTALL)
SHELL_BLOCK = re.compile(r"```(?:sh|shell|bash|console)\n(.*?)```", re.DOTALL)


def test_links_between_documents_resolve():
    broken = [
        f"{relative(path)}: {target}"
        for path in files_of_ours(".md")
        for target in LINK.findall(path.read_text())
        if "://" not in target and not (path.parent / target).exists()
    ]
    assert broken == []


def readme_commands():
    """The commands in the README's shell blocks and its inline code, each as a list of words."""
    text = (ROOT / "README.md").read_text()
    lines = [
        line
        for block in SHELL_BLOCK.findall(text)
        for line in block.replace("\\\n", " ").splitlines()
    ]
    lines += re.findall(r"`((?:make|refusion) [^`\n]+)`", text)
    parts = [part for line in lines for part in re.split(r"\s[|>&]+\s", line.removeprefix("$ "))]
    return [shlex.split(part, comments=True) for part in parts if part.strip()]


def programs(commands):
    """The subcommands of `refusion` among the commands; settings may stand before the program."""
    for words in commands:
        bare = [word for word in words if not re.match(r"[A-Z_]+=", word)]
        if Path(bare[0]).name == "refusion":
            yield bare[1]


def test_the_readme_gives_only_commands_that_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    commands = readme_commands()
    assert ["make", "run"] in commands
    assert ["make", "test"] in commands
    assert {words[1] for words in commands if words[0] == "make"} <= targets
    assert [
        name for name in sorted(programs(commands)) if run("refusion", name, "--help").returncode
    ] == []


def test_the_readme_names_every_command():
    text = (ROOT / "README.md").read_text()
    names = main.list_commands(click.Context(main))
    assert len(names) >= 10
    assert [name for name in names if f"| `refusion {name}" not in text] == []


def test_the_readme_shows_what_the_program_prints():
    report, posting = JSON_BLOCK.findall((ROOT / "README.md").read_text())
    done = run("refusion", "settle", "-", input=report, env=os.environ | {"REFUSION_DEMO": "1"})
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == json.loads(posting)


def test_every_make_target_is_declared_as_one():
    text = (ROOT / "Makefile").read_text()
    targets = re.findall(r"^([a-z-]+):", text, re.MULTILINE)
    assert [f".PHONY: {' '.join(targets)}"] == re.findall(r"^\.PHONY: .*$", text, re.MULTILINE)


def test_the_changelog_knows_the_version():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text()


def test_each_entry_of_the_changelog_says_its_kind_its_periods_and_its_figures():
    entries = (ROOT / "CHANGELOG.md").read_text().split("\n### ")[1:]
    assert len(entries) >= 3
    for entry in entries:
        assert re.search(r"^\* \*\*Kind\*\*: (law|behaviour|new|inside)\b", entry, re.MULTILINE), (
            entry
        )
        assert "\n* **Periods**: " in entry, entry
        assert "\n* **Figures**: " in entry, entry
