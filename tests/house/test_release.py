"""A release is what its sources say: the same wheel twice, its own entries, its sums."""

import os
import tomllib
import zipfile
from datetime import date
from hashlib import sha256

import pytest
import yaml

from streams.devtools import release
from streams.devtools.release import ReleaseError, build_wheel, dated, entries_of
from tests.house.test_house import files_of_ours, relative
from tests.support.places import DOCS, ROOT

CHANGELOG = """\
# Changelog

Words.

## 0.2.0 (unreleased)

### Something new

## 0.1.0 (2026-01-31)

### Something old
"""
DAY = date(2026, 11, 30)


def test_what_is_not_released_gets_the_version_and_the_day():
    text = dated(CHANGELOG, "0.3.0", DAY)
    assert "## 0.3.0 (2026-11-30)\n\n### Something new" in text
    assert "unreleased" not in text
    day, entries = entries_of(text, "0.3.0")
    assert (day, entries) == (DAY, "## 0.3.0 (2026-11-30)\n\n### Something new\n")
    assert entries_of(text, "0.1.0")[1].endswith("### Something old\n")


def test_a_version_is_released_once_and_not_without_entries():
    with pytest.raises(ReleaseError, match="released before"):
        dated(CHANGELOG, "0.1.0", DAY)
    with pytest.raises(ReleaseError, match="nothing that is not released"):
        dated(dated(CHANGELOG, "0.2.0", DAY), "0.3.0", DAY)
    with pytest.raises(ReleaseError, match="no released version"):
        entries_of(CHANGELOG, "0.2.0")


def test_the_first_call_writes_the_version_and_the_second_demands_that_it_is_committed(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(release, "ROOT", tmp_path)
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\nversion = "0.1.0"\n')
    base = tmp_path / "examples/kubernetes/kustomization.yaml"
    base.parent.mkdir(parents=True)
    base.write_text('images:\n  - name: x\n    newTag: "0.1.0"\n')
    assert release.main([]) == 2
    assert release.main(["next"]) == 2
    assert release.main(["0.2.0"]) == 1
    assert 'version = "0.2.0"' in (tmp_path / "pyproject.toml").read_text()
    assert base.read_text() == 'images:\n  - name: x\n    newTag: "0.2.0"\n'
    assert "commit them" in capsys.readouterr().err
    monkeypatch.setattr(release, "_git", lambda *_words: " M CHANGELOG.md")
    assert release.main(["0.2.0"]) == 2
    assert "commit first" in capsys.readouterr().err
    monkeypatch.setattr(release, "_git", lambda *_words: "")
    base.write_text(base.read_text().replace("0.2.0", "0.1.0"))
    assert release.main(["0.2.0"]) == 2
    assert "kustomization.yaml must say 0.2.0" in capsys.readouterr().err


def test_all_that_names_the_version_names_one():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert release.versions_named() == dict.fromkeys(release.NAMED_IN, project["version"])
    tag = yaml.safe_load((ROOT / "examples/kubernetes/kustomization.yaml").read_text())["images"]
    assert [each["newTag"] for each in tag] == [project["version"]]


def test_what_is_given_out_has_the_sum_of_each_file(tmp_path, monkeypatch):
    def built(folder, _day):
        folder.mkdir(parents=True)
        (folder / "x.whl").write_bytes(b"wheel")
        return folder / "x.whl"

    (tmp_path / "CHANGELOG.md").write_text(dated(CHANGELOG, "0.2.0", DAY))
    (tmp_path / "LICENSE").write_text("EUPL")
    monkeypatch.setattr(release, "ROOT", tmp_path)
    monkeypatch.setattr(release, "build_wheel", built)
    monkeypatch.setattr(release, "write_bill", lambda path: path.write_text("{}"))
    folder = tmp_path / "dist"
    files = release.write_release(folder, "0.2.0")
    assert {path.name for path in files} == {
        "x.whl", "ydelsesrefusion-0.2.0.cdx.json", "changes-0.2.0.txt", "LICENSE", "licences.md",
        "SHA256SUMS",
    }  # fmt: skip
    sums = dict(line.split("  ")[::-1] for line in (folder / "SHA256SUMS").read_text().splitlines())
    assert sums == {
        path.name: sha256(path.read_bytes()).hexdigest()
        for path in files
        if path.name != "SHA256SUMS"
    }


def documents_of_ours():
    """The files that the site has as pages; `streams/web/handbook` leads to their folder."""
    return (path for path in DOCS.rglob("*") if path.suffix in {".md", ".yaml"})


@pytest.mark.long
def test_the_same_sources_give_the_same_wheel_byte_for_byte(tmp_path):
    first = build_wheel(tmp_path / "a", DAY)
    before = os.umask(0o077)
    try:
        second = build_wheel(tmp_path / "b", DAY)
    finally:
        os.umask(before)
    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as wheel:
        names = wheel.namelist()
        times = {info.date_time for info in wheel.infolist()}
    assert times == {(2026, 11, 30, 0, 0, 0)}
    packages = ("domain/", "projections/", "streams/")
    ours = [name for name in map(relative, files_of_ours()) if name.startswith(packages)]
    ours += [f"streams/web/handbook/{path.relative_to(DOCS)}" for path in documents_of_ours()]
    assert sorted(name for name in names if not name.startswith("ydelsesrefusion-")) == sorted(ours)
