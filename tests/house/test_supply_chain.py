"""The packages of the program: their licences are allowed, and an audit proves what it audited."""

import json
import re
import tomllib

import pytest

from streams.devtools import supply_chain
from streams.devtools.supply_chain import (
    NOT_DONE,
    PAGE,
    ROOT,
    RUN_LOCK,
    VULNERABLE,
    audit_result,
    bill_of,
    is_allowed,
    known_licences,
    licence_of,
    locked_packages,
    write_bill,
)

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PACKAGES = locked_packages(RUN_LOCK.read_text())
LISTED = {
    name: (tuple(versions.split(", ")), licence)
    for name, versions, licence in re.findall(
        r"^\| `([\w.-]+)` \| (.*) \| (.*) \|$", PAGE.read_text(), re.MULTILINE
    )
}
LICENCES = known_licences(PAGE.read_text())


def test_the_page_of_licences_has_each_package_of_the_lock_in_its_version():
    """After a change of the lock: `make licences`."""
    assert {name: versions for name, (versions, _) in LISTED.items()} == {
        name: package.versions for name, package in PACKAGES.items()
    }


def test_every_licence_is_allowed():
    assert [name for name, (_, licence) in LISTED.items() if not is_allowed(licence)] == []


def test_the_page_says_what_the_packages_say():
    installed = {name: licence_of(name) for name in LISTED}
    assert {
        name: (licence, LISTED[name][1])
        for name, licence in installed.items()
        if licence not in (None, LISTED[name][1])
    } == {}


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("MPL-2.0 AND (Apache-2.0 OR MIT)", True),
        ("GPL-3.0-only", False),
        ("MIT AND (GPL-3.0-only OR AGPL-3.0-only)", False),
        ("MIT AND (GPL-3.0-only OR MIT)", True),
        ("unknown", False),
        ("", False),
    ],
)
def test_a_licence_is_allowed_as_its_expression_says(expression, allowed):
    assert is_allowed(expression) is allowed


SKIPPED = {
    "name": "aiohttp",
    "skip_reason": "Dependency not found and could not be audited: aiohttp (3.14.5)",
}
CLEAN = {"name": "click", "version": "8.3.3", "vulns": []}
BAD = {
    "name": "asyncssh",
    "version": "2.22.0",
    "vulns": [
        {"id": "CVE-2026-54591", "fix_versions": ["2.23.1"], "aliases": [], "description": ""}
    ],
}
"""Findings as pip-audit 2.10.1 wrote them."""


@pytest.mark.parametrize(
    ("packages", "status", "said"),
    [
        ([], NOT_DONE, "none of 0 packages was looked up"),
        ([SKIPPED], NOT_DONE, "no vulnerability data: none of 1 packages was looked up"),
        ([SKIPPED, CLEAN], NOT_DONE, "could not be done for 1 of 2 packages: aiohttp"),
        ([CLEAN], 0, "audited 1 packages: no known vulnerability"),
        ([CLEAN, BAD, SKIPPED], VULNERABLE, "asyncssh 2.22.0: CVE-2026-54591"),
    ],
    ids=["nothing", "all-skipped", "some-skipped", "clean", "vulnerable"],
)
def test_an_audit_is_green_only_when_every_package_was_looked_up(packages, status, said):
    """pip-audit itself ends with 0 when it has passed over every package."""
    got, sentence = audit_result([{"dependencies": packages, "fixes": []}]).verdict()
    assert (got, said in sentence) == (status, True), sentence
    assert ("run `make audit` again where" in sentence) is (status == NOT_DONE)


def test_an_audit_that_gave_no_report_could_not_be_done(monkeypatch):
    class Done:
        stdout, stderr = "", "ERROR: a connection\nConnectionError: no answer\n"

    monkeypatch.setattr(supply_chain, "_run", lambda *_: Done)
    status, sentence = supply_chain.audit(["requirements.lock"])
    why, what_to_do = sentence.split("; ", 1)
    assert (status, why) == (
        NOT_DONE,
        "could not be done: pip-audit of requirements.lock: ConnectionError: no answer",
    )
    assert what_to_do.startswith("run `make audit` again where")


def test_a_bill_of_materials_has_what_is_locked_with_its_hashes_and_nothing_else(tmp_path):
    write_bill(tmp_path / "bill" / "sbom.cdx.json")
    bill = json.loads((tmp_path / "bill" / "sbom.cdx.json").read_text())
    found = {(part["name"], part["version"]): part for part in bill["components"]}
    assert list(found) == [
        (name, version) for name, package in PACKAGES.items() for version in package.versions
    ]
    assert len(found) == len(re.findall(r"^[^\s#]+==", RUN_LOCK.read_text(), re.MULTILINE)) > 50
    for (name, version), part in found.items():
        assert part["purl"] == f"pkg:pypi/{name}@{version}"
        assert [each["expression"] for each in part["licenses"]] == [LISTED[name][1]]
        assert is_allowed(LISTED[name][1])
        hashes = [each["value"] for each in part["properties"]]
        assert hashes == list(PACKAGES[name].hashes) != []
    program = bill["metadata"]["component"]
    assert (program["name"], program["version"]) == ("ydelsesrefusion", PROJECT["version"])


def test_a_bill_of_materials_says_what_needs_what():
    """Each package is there because something needs it, in the end this program."""
    bill = bill_of({"name": "ydelsesrefusion", "version": "1", "license": "x"}, PACKAGES, LICENCES)
    needs = {each["ref"]: each["dependsOn"] for each in bill["dependencies"]}
    assert needs.keys() == {part["bom-ref"] for part in bill["components"]} | {"ydelsesrefusion"}
    reached, new = set(), {"ydelsesrefusion"}
    while new:
        reached |= new
        new = {on for each in new for on in needs[each]} - reached
    assert reached == needs.keys()
    named = {re.split(r"[<>=!~ ;\[]", each)[0].lower() for each in PROJECT["dependencies"]}
    assert named <= {each.partition("==")[0] for each in needs["ydelsesrefusion"]}


def test_a_package_of_which_no_licence_is_known_is_no_part_of_a_bill():
    lock = "unheard-of==1.0 \\\n    --hash=sha256:" + "0" * 64 + "\n    # via ydelsesrefusion\n"
    with pytest.raises(KeyError):
        bill_of({"name": "a", "version": "1", "license": "x"}, locked_packages(lock), LICENCES)
