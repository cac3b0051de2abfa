"""Makes a release: the changelog gets its version, and a folder what is given out.

    python -m streams.devtools.release VERSION

The first call writes the version into `pyproject.toml` and the Kubernetes base, and the day into
the changelog, and ends with status 1: somebody reads and commits it. The second one, on what was
committed, makes `dist/VERSION`: the wheel, the bill of materials, the licences, the entries of the
changelog, and SHA-256 of each. The same sources give the same wheel, byte for byte, whoever builds
it and when: times in it are the release's day, modes are ours, and nothing but listed sources goes
in.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

from streams.devtools.supply_chain import PAGE, ROOT, licences_page, write_bill

SOURCES: Final = (
    "pyproject.toml", "README.md", "LICENSE", "domain", "projections", "streams",
)  # fmt: skip
"""A wheel is built of these, as in the Dockerfile."""
NAMED_IN: Final = {
    "pyproject.toml": r'^version = "([^"]*)"$',
    "examples/kubernetes/kustomization.yaml": r'^ +newTag: "([^"]*)"$',
}
"""The files that name the version, and where."""
NOT_COMMITTED: Final = 1
NOT_DONE: Final = 2
BUILD_S: Final = 600.0
_VERSION: Final = re.compile(r"\d+\.\d+\.\d+")
_HEADING: Final = re.compile(r"^## (\S+) \((unreleased|\d{4}-\d\d-\d\d)\)$", re.MULTILINE)


class ReleaseError(Exception):
    """A release cannot be made; the message says why and what to do."""


def dated(changelog: str, version: str, day: date) -> str:
    """Give the entries that are not released yet a version and a day. Raises ReleaseError."""
    headings = list(_HEADING.finditer(changelog))
    if not headings or headings[0][2] != "unreleased":
        raise ReleaseError("the changelog has nothing that is not released yet")
    if version in {heading[1] for heading in headings[1:]}:
        raise ReleaseError(f"{version} was released before; take a higher version")
    begin, end = headings[0].span()
    return f"{changelog[:begin]}## {version} ({day}){changelog[end:]}"


def versions_named() -> dict[str, str]:
    """Return the version by the file that names it. Raises ReleaseError where one names none."""
    return {name: _place_of_version(name).group(1) for name in NAMED_IN}


def _name_version(version: str) -> None:
    for name in NAMED_IN:
        found = _place_of_version(name)
        begin, end = found.span(1)
        (ROOT / name).write_text(f"{found.string[:begin]}{version}{found.string[end:]}")


def _place_of_version(name: str) -> re.Match[str]:
    found = re.search(NAMED_IN[name], (ROOT / name).read_text(), re.MULTILINE)
    if found is None:
        raise ReleaseError(f"{name} names no version")
    return found


def entries_of(changelog: str, version: str) -> tuple[date, str]:
    """Return the day and the entries of a released version. Raises ReleaseError."""
    headings = list(_HEADING.finditer(changelog))
    for number, heading in enumerate(headings):
        if heading[1] == version and heading[2] != "unreleased":
            after = headings[number + 1 :]
            end = after[0].start() if after else len(changelog)
            return date.fromisoformat(heading[2]), changelog[heading.start() : end].strip() + "\n"
    raise ReleaseError(f"the changelog has no released version {version}")


def build_wheel(folder: Path, day: date) -> Path:
    """Build the wheel of the sources into a folder. Raises ReleaseError."""
    with tempfile.TemporaryDirectory() as made:
        sources = Path(made) / "sources"
        sources.mkdir()
        for name in SOURCES:
            _copied(ROOT / name, sources / name)
        midnight = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
        command += ["--no-build-isolation", "--no-index", "--wheel-dir", made, str(sources)]
        done = subprocess.run(  # noqa: S603 - our own interpreter
            command,
            env=os.environ | {"SOURCE_DATE_EPOCH": str(midnight), "PYTHONHASHSEED": "0"},
            capture_output=True,
            text=True,
            check=False,
            timeout=BUILD_S,
            umask=0o022,
        )
        wheels = list(Path(made).glob("*.whl"))
        if done.returncode or not wheels:
            raise ReleaseError(f"the wheel could not be built:\n{done.stderr.strip()}")
        folder.mkdir(parents=True, exist_ok=True)
        return Path(shutil.move(wheels[0], folder / wheels[0].name))


def _copied(source: Path, target: Path) -> None:
    """Copy sources with modes of ours, whatever those of the working tree are."""
    if source.is_dir():
        target.mkdir()
        for path in sorted(source.iterdir()):
            if path.name != "__pycache__" and not path.name.endswith(".pyc"):
                _copied(path, target / path.name)
    else:
        shutil.copyfile(source, target)
    target.chmod(0o755 if source.is_dir() else 0o644)


def write_release(folder: Path, version: str) -> list[Path]:
    """Write all that is given out. Raises ReleaseError where something is not as it must be."""
    day, entries = entries_of((ROOT / "CHANGELOG.md").read_text(), version)
    page = PAGE.read_text()
    if licences_page(page) != page:
        raise ReleaseError("the page of licences is not that of the lock: run `make licences`")
    wheel = build_wheel(folder, day)
    bill, changes = (
        folder / f"ydelsesrefusion-{version}.cdx.json",
        folder / f"changes-{version}.txt",
    )
    write_bill(bill)
    changes.write_text(entries)
    given = (ROOT / "LICENSE", PAGE)
    copies = [Path(shutil.copyfile(path, folder / path.name)) for path in given]
    files = [wheel, bill, changes, *copies]
    sums = (f"{sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(files))
    (folder / "SHA256SUMS").write_text("".join(sums))
    return [*files, folder / "SHA256SUMS"]


def main(words: Sequence[str]) -> int:
    """Do the next step of a release; return the exit status."""
    version = words[0] if words else ""
    if not _VERSION.fullmatch(version):
        sys.stderr.write("which version? make release VERSION=1.2.3\n")
        return NOT_DONE
    try:
        return _next_step(version)
    except ReleaseError as error:
        sys.stderr.write(f"{error}\n")
        return NOT_DONE


def _next_step(version: str) -> int:
    changelog = ROOT / "CHANGELOG.md"
    if not re.search(rf"^## {re.escape(version)} \(\d", changelog.read_text(), re.MULTILINE):
        text = dated(changelog.read_text(), version, datetime.now(UTC).date())
        _name_version(version)
        changelog.write_text(text)
        sys.stderr.write(
            f"CHANGELOG.md, {' and '.join(NAMED_IN)} say {version} now: read and commit them, then"
            " run the same command again\n"
        )
        return NOT_COMMITTED
    files = *SOURCES, *NAMED_IN, "CHANGELOG.md", "requirements.lock"
    changed = _git("status", "--porcelain", "--", *files)
    if changed:
        raise ReleaseError(f"commit first what is changed:\n{changed}")
    if others := [name for name, named in versions_named().items() if named != version]:
        raise ReleaseError(f"{' and '.join(others)} must say {version}, as the changelog does")
    folder = ROOT / "dist" / version
    for path in write_release(folder, version):
        sys.stdout.write(f"{path.relative_to(ROOT)}\n")
    sys.stderr.write(f"tag it with `git tag --sign v{version}`, and give out the folder\n")
    return 0


def _git(*words: str) -> str:
    done = subprocess.run(  # noqa: S603
        ["git", *words],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ReleaseError(f"git could not be asked: {done.stderr.strip()}")
    return done.stdout.rstrip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
