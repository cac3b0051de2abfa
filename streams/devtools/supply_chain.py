"""Says what the program is made of, by which licences, and whether its packages were audited.

    python -m streams.devtools.supply_chain licences            docs/licences.md anew
    python -m streams.devtools.supply_chain bill FILE           a bill of materials (CycloneDX)
    python -m streams.devtools.supply_chain audit LOCK...       known vulnerabilities

The bill is made of the lock alone, so it has what is installed on other systems too. The tool of
the last one, pip-audit, is in an environment of its own, `build/audit` (`make audit`). An audit is
only done when every package was looked up: pip-audit passes over packages that its source does not
know and calls that success.
"""

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Any, Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]
TOOLS: Final = ROOT / "build" / "audit" / "bin"
RUN_LOCK: Final = ROOT / "requirements.lock"
PAGE: Final = ROOT / "docs" / "licences.md"
VULNERABLE: Final = 1
NOT_DONE: Final = 2
TOOL_S: Final = 600.0
"""Seconds for one run of a tool; an audit asks for each package."""
WHAT_TO_DO: Final = (
    "run `make audit` again where the Python package index itself can be reached, which has the"
    " advisories: a mirror has none; until then nothing is known of what was not looked up"
)

ALLOWED: Final = frozenset(
    {
        "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "EPL-2.0", "LicenseRef-Repoze", "MIT",
        "MIT-0", "MPL-2.0", "PSF-2.0",
    }
)  # fmt: skip
"""Licences that a package of the program may have: permissive ones, and those that the EUPL names
as compatible and that ask for nothing of what merely uses a package."""
SPELLINGS: Final = {
    "Apache 2": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "BSD-derived (Repoze)": "LicenseRef-Repoze",
    "MIT License": "MIT",
    "PSFL": "PSF-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
"""SPDX's names for what packages write."""


class LockedPackage(NamedTuple):
    """A package of a lock; `versions` differ by Python version or system.

    `via` names the packages that need it; for what we need ourselves, this program.
    """

    name: str
    versions: tuple[str, ...]
    hashes: tuple[str, ...]
    via: tuple[str, ...]


def locked_packages(lock: str) -> dict[str, LockedPackage]:
    """Read the text of a lock."""
    packages: dict[str, LockedPackage] = {}
    for name, version, rest in re.findall(
        r"^([\w.-]+)==([^\s;\\]+)(.*?)(?=^\S|\Z)", lock, re.MULTILINE | re.DOTALL
    ):
        before = packages.get(name, LockedPackage(name, (), (), ()))
        hashes = tuple(re.findall(r"--hash=sha256:([0-9a-f]{64})", rest))
        via = tuple(re.findall(r"^ +# +(?:via +)?([\w.-]+)(?: \(.*\)|:\w+)?$", rest, re.MULTILINE))
        packages[name] = LockedPackage(
            name, (*before.versions, version), (*before.hashes, *hashes), (*before.via, *via)
        )
    return packages


# --- licences -------------------------------------------------------------------------------------


def licence_of(name: str) -> str | None:
    """The licence of a package as SPDX has it; None where the package is not installed here."""
    try:
        about = metadata(name)
    except PackageNotFoundError:
        return None
    if expression := about["License-Expression"]:
        return str(expression)
    classified = [
        text.rpartition(" :: ")[2]
        for text in about.get_all("Classifier") or []
        if text.startswith("License ::")
    ]
    written: list[str] = [about["License"] or "", *classified]
    for text in written:
        spdx = SPELLINGS.get(text, text)
        if is_allowed(spdx):
            return spdx
    return "unknown"


def is_allowed(expression: str) -> bool:
    """True if a licence, or one of a choice, and each of a sum, is allowed.

    >>> is_allowed("EPL-2.0 OR GPL-2.0-or-later"), is_allowed("MIT AND GPL-2.0-or-later")
    (True, False)
    """
    inner = re.search(r"\(([^()]*)\)", expression)
    if inner:
        result = "MIT" if is_allowed(inner[1]) else "not-allowed"
        return is_allowed(expression.replace(inner[0], result, 1))
    return any(
        all(part.strip() in ALLOWED for part in choice.split(" AND "))
        for choice in expression.split(" OR ")
    )


def known_licences(before: str) -> dict[str, str]:
    """Return the licences of the lock's packages, as they say it themselves or the page did.

    A package that is not installed here keeps the licence that it had on the page.
    """
    known = dict(re.findall(r"^\| `([\w.-]+)` \| .* \| (.*) \|$", before, re.MULTILINE))
    return {
        name: licence_of(name) or known.get(name, "unknown")
        for name in locked_packages(RUN_LOCK.read_text())
    }


def licences_page(before: str) -> str:
    """Make the page anew."""
    licences = known_licences(before)
    lines = [
        f"| `{package.name}` | {', '.join(package.versions)} | {licences[package.name]} |"
        for package in locked_packages(RUN_LOCK.read_text()).values()
    ]
    return _PAGE.format(rows="\n".join(lines))


_PAGE: Final = """\
# Packages and their licences

What `requirements.lock` installs beside this program, which is under the [EUPL-1.2](../LICENSE).
`make licences` makes this page; a test compares it with the lock, and refuses a licence that
`streams/devtools/supply_chain.py` does not allow. `make sbom` writes the same as a bill of
materials (CycloneDX, with hashes), and `make audit` asks for known vulnerabilities.

| package | version | licence (SPDX) |
|---|---|---|
{rows}
"""


# --- the bill of materials ------------------------------------------------------------------------


def bill_of(
    program: Mapping[str, Any],
    packages: Mapping[str, LockedPackage],
    licences: Mapping[str, str],
) -> dict[str, Any]:
    """Make the bill (CycloneDX 1.6) of a program, as pyproject.toml has it, and of its packages."""
    root = program["name"]
    components = [
        {
            "type": "library",
            "bom-ref": reference,
            "name": package.name,
            "version": version,
            "purl": f"pkg:pypi/{reference.replace('==', '@')}",
            "licenses": [{"expression": licences[package.name]}],
            "properties": [
                {"name": "refusion:sha256-of-a-distribution", "value": value}
                for value in package.hashes
            ],
        }
        for package in packages.values()
        for version, reference in zip(package.versions, _references(package), strict=True)
    ]
    dependencies = [{"ref": root, "dependsOn": _needed_by(root, packages)}] + [
        {"ref": reference, "dependsOn": _needed_by(package.name, packages)}
        for package in packages.values()
        for reference in _references(package)
    ]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": root,
                "name": root,
                "version": program["version"],
                "licenses": [{"expression": program["license"]}],
            }
        },
        "components": components,
        "dependencies": dependencies,
    }


def _references(package: LockedPackage) -> list[str]:
    return [f"{package.name}=={version}" for version in package.versions]


def _needed_by(name: str, packages: Mapping[str, LockedPackage]) -> list[str]:
    needed = [package for package in packages.values() if name in package.via]
    return [reference for package in needed for reference in _references(package)]


def write_bill(path: Path) -> None:
    """Write the bill of what is locked."""
    program = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    packages = locked_packages(RUN_LOCK.read_text())
    bill = bill_of(program, packages, known_licences(PAGE.read_text()))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(bill, indent=1, sort_keys=True) + "\n")


# --- the audit ------------------------------------------------------------------------------------


class AuditResult(NamedTuple):
    """The packages that were looked up, those that were not, and what is known against some."""

    audited: int
    skipped: tuple[str, ...]
    vulnerable: tuple[str, ...]

    def verdict(self) -> tuple[int, str]:
        """The exit status and a sentence."""
        total = self.audited + len(self.skipped)
        if self.vulnerable:
            return VULNERABLE, f"known vulnerabilities: {'; '.join(self.vulnerable)}"
        if not self.audited:
            return NOT_DONE, (
                f"could not be done: no vulnerability data: none of {total} packages was looked up;"
                f" {WHAT_TO_DO}"
            )
        if self.skipped:
            names = ", ".join(self.skipped[:10])
            return NOT_DONE, (
                f"could not be done for {len(self.skipped)} of {total} packages: {names};"
                f" {WHAT_TO_DO}"
            )
        return 0, f"audited {self.audited} packages: no known vulnerability"


def audit_result(reports: Iterable[Mapping[str, Any]]) -> AuditResult:
    """Add up the reports of pip-audit."""
    packages = {
        (package["name"], package.get("version", "")): package
        for report in reports
        for package in report["dependencies"]
    }
    skipped = tuple(sorted({name for (name, _), each in packages.items() if "vulns" not in each}))
    vulnerable = tuple(
        f"{name} {version}: {', '.join(sorted(each['id'] for each in package['vulns']))}"
        for (name, version), package in sorted(packages.items())
        if package.get("vulns")
    )
    return AuditResult(sum("vulns" in each for each in packages.values()), skipped, vulnerable)


def audit(locks: Sequence[str]) -> tuple[int, str]:
    """Audit the packages of locks."""
    reports = []
    for lock in locks:
        done = _run(
            "pip-audit", "--requirement", str(ROOT / lock), "--require-hashes", "--disable-pip",
            "--format", "json", "--progress-spinner", "off",
        )  # fmt: skip
        try:
            reports.append(json.loads(done.stdout))
        except ValueError:
            last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            why = f"pip-audit of {lock}: {last[:200].rstrip('.')}"
            return NOT_DONE, f"could not be done: {why}; {WHAT_TO_DO}"
    return audit_result(reports).verdict()


def _run(program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603 - a tool of ours with paths of ours
        [TOOLS / program, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=TOOL_S,
        cwd=ROOT,
    )


def main(words: Sequence[str]) -> int:
    """Do what was asked, and return the exit status."""
    match words:
        case ["licences"]:
            PAGE.write_text(licences_page(PAGE.read_text() if PAGE.exists() else ""))
            return 0
        case ["bill", path]:
            write_bill(Path(path))
            return 0
        case ["audit", *locks] if locks:
            status, sentence = audit(locks)
            sys.stdout.write(f"audit: {sentence}\n")
            return status
    sys.stderr.write(f"{__doc__}\n")
    return NOT_DONE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
