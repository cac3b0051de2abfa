"""The auditor's package of a run: what is in it, and that a stranger can compute it again."""

import os
import subprocess
import zipfile

import orjson
import pytest
from click.testing import CliRunner

from streams.cli.main import main
from streams.dossier.check import check_package
from streams.dossier.package import Doors, run_digests
from streams.dossier.package_content import ROOT
from streams.dossier.run_part import PackageError
from streams.dossier.tables import controls
from streams.dossier.zip_file import packed, read_package, write_package
from tests.support.package_world import FIRST_RUN, RUN, PackageWorld, table_in
from tests.support.pipeline import PROGRAM


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return PackageWorld(tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="module")
def files(world, tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    world.export(folder)
    return folder


@pytest.fixture(scope="module")
def made(world, files):
    return world.make(files=files)


@pytest.fixture
def file(made, tmp_path):
    path = tmp_path / "package.zip"
    write_package(path, packed(made.content))
    return path


def test_a_package_has_the_proof_the_sums_the_sample_and_no_finding(made):
    assert made.findings == []
    proof = table_in(made.content, "genberegning/partitioner.csv")
    assert [row["ens"] for row in proof] == ["ja"] * 4
    assert sum(int(row["raekker"]) for row in proof) > 20
    sums = table_in(made.content, "afstemning/kontrolsummer.csv")
    assert {row["forskel"] for row in sums} == {"0,00"}
    assert any(row["refusion_beregning"] not in {"", "0,00"} for row in sums)
    for row in sums:
        assert row["refusion_posteringer"] == row["refusion_ledger"] == row["refusion_beregning"]
    rows = table_in(made.content, "stikproever/raekker.csv")
    assert {row["forskel"] for row in rows} == {"0,00"}
    assert {row["revisors_note"] for row in rows} == {""}
    assert len({row["kommune"] for row in rows}) == 4
    acts = [orjson.loads(line)["act"] for line in
            made.content["handlinger/handlinger.jsonl"].splitlines()]  # fmt: skip
    assert acts == ["run close", "export"]
    register = made.content["regler/regelregister-R-1.txt"].decode()
    assert "lov 994/2015" in register


def test_the_same_system_gives_the_same_bytes_and_another_draw_another_sample(world, files, made):
    again = world.make(files=files)
    assert packed(again.content) == packed(made.content)
    other = world.make(files=files, seed=2)
    samples = "stikproever/udtraek.csv"
    assert other.content[samples] != made.content[samples]


def test_no_cpr_number_and_no_seal_is_in_a_package(world, made):
    whole = packed(made.content)
    records = [each for at in world.topics.of["reports.raw"].values() for each in at]
    numbers = {orjson.loads(each.value)["cpr"].encode() for each in records}
    assert len(numbers) > 100
    assert not [number for number in numbers if number in whole]
    seals = {
        orjson.loads(each.value)["cpr_sealed"].encode()
        for at in world.topics.of["reports"].values()
        for each in at
        if each.key
    }
    assert not [seal for seal in seals if seal in whole]


def test_a_stranger_checks_it_in_another_folder_with_the_program_alone(file, tmp_path):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    environment = {name: value for name, value in os.environ.items() if "REFUSION" not in name}
    done = subprocess.run(
        [PROGRAM, "audit", "check", file, "--json"], env=environment, cwd=folder,
        capture_output=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    said = orjson.loads(done.stdout)
    assert (said["fine"], said["run"], said["partitions"]) == (True, RUN, 4)
    assert said["citizens"] > 4
    with zipfile.ZipFile(file) as package:
        package.extractall(folder)
    sums = ["sha256sum", "--check", "--quiet", "--strict", "CHECKSUMS"]
    assert subprocess.run(sums, cwd=folder, check=False).returncode == 0


def test_any_flipped_byte_is_found_and_its_file_is_named(file):
    whole = file.read_bytes()
    with zipfile.ZipFile(file) as package:
        places = {entry.filename: entry.header_offset for entry in package.infolist()}
    for name, start in places.items():
        at = start + 30 + len(name) + 5
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        _, findings = read_package(file)
        assert any(name in finding for finding in findings) or name == "CHECKSUMS"
        assert findings
    for at in range(10, len(whole), 4_999):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        assert read_package(file)[1], at


@pytest.mark.parametrize(
    ("start", "old", "new", "said"),
    [
        ("stikproever/", b'"revision": 1,', b'"revision": 9,', "otherwise"),
        ("stikproever/", b'"amount_ore": ', b'"amount_ore": 1', "citizen"),
        ("afstemning/kontrolsummer.csv", b";0,00\r", b";0,01\r", "apart by 0,01"),
    ],
)
def test_who_makes_the_checksums_anew_is_found_by_the_computation(
    made, tmp_path, start, old, new, said
):
    name = next(
        each for each in sorted(made.content)
        if each.startswith(start) and old in made.content[each]
    )  # fmt: skip
    changed = made.content | {name: made.content[name].replace(old, new, 1)}
    path = tmp_path / "forged.zip"
    write_package(path, packed(changed))
    findings = check_package(path).findings
    assert any(said in finding for finding in findings)


def test_what_is_booked_otherwise_than_the_journal_gives_is_a_finding(world):
    topics = world.topics.copy()
    at, index, record, message = topics.message(lambda each: each["rows"])
    message["rows"][0]["ordinal"] += 1
    topics.replace("postings", at, index, record._replace(value=orjson.dumps(message)))
    made = world.make(topics, run=FIRST_RUN)
    said = f"partition {at}: what is booked in run {FIRST_RUN} is not what the journal gives anew"
    assert any(finding.startswith(said) for finding in made.findings)
    noted = table_in(made.content, "afvigelser.csv")
    assert [row["afvigelse"] for row in noted] == made.findings
    assert f"**{len(made.findings)} afvigelser**" in made.content["LAES-MIG.txt"].decode()


@pytest.mark.parametrize("value", [b"", b"[]", b'{"type":"postings"}', b'{"type":"run","run":[]}'])
def test_records_that_nobody_of_ours_wrote_change_nothing(world, made, files, value):
    topics = world.topics.copy()
    for topic in ("postings", "reports"):
        at, index, first = topics.find(topic, lambda record: record.offset > 0)
        for number, key in enumerate((None, b"x", b"\xff", first.key)):
            headers = [("ce_id", b"x")]
            foreign = first._replace(key=key, value=value, headers=headers)
            topics.of[topic][at].insert(index + number, foreign)
    again = world.make(topics, files=files)
    assert packed(again.content) == packed(made.content)


def test_the_live_topics_are_held_against_the_digests(world, file):
    def live(topics):
        doors = Doors(topics.open(), world.acts.open)
        return lambda asked: run_digests(
            world.settings, asked._replace(jobs=1), lambda *_: None, doors
        )

    assert check_package(file, live(world.topics)).findings == []
    changed = world.topics.copy()
    last = max(range(4), key=lambda at: len(changed.of["reports"][at]))
    place = next(
        index for index, each in enumerate(changed.of["reports"][last])
        if each.key and b"benefit_payment" in each.value
    )  # fmt: skip
    changed.drop("reports", last, place)
    findings = check_package(file, live(changed)).findings
    assert findings == [f"partition {last}: the journal gives other postings of the run now"]


def test_a_run_that_is_not_closed_and_a_file_that_is_no_package_are_said(world, tmp_path):
    with pytest.raises(PackageError, match="no marker of run 60"):
        world.make(run=60)
    nothing = tmp_path / "x.zip"
    nothing.write_bytes(b"PK")
    done = CliRunner().invoke(main, ["audit", "check", str(nothing)])
    assert (done.exit_code, "is no zip file" in done.stderr) == (2, True)


def test_results_of_tests_are_in_it_and_a_failed_one_is_a_finding(world, tmp_path):
    results = tmp_path / "tests.xml"
    results.write_text(
        '<testsuites><testsuite><testcase classname="a" name="good[0101801234]"/>'
        '<testcase classname="a" name="bad"><failure message="0101801234"/></testcase>'
        "</testsuite></testsuites>"
    )
    made = world.make(tests=results)
    rows = table_in(made.content, "proever.csv")
    assert [(row["proeve"], row["udfald"]) for row in rows] == [
        ("bad", "fejlede"), ("good[**********]", "bestod")
    ]  # fmt: skip
    assert made.findings == ["1 of the tests in tests.xml failed"]
    results.write_text("<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>")
    with pytest.raises(PackageError, match="no file of test results"):
        world.make(tests=results)


def test_each_control_is_coded_and_tested_where_the_package_says():
    for control in controls():
        assert (ROOT / control["coded"]).is_file(), control["id"]
        for test in control["tests"]:
            path, name = test.split("::")
            assert f"def {name}(" in (ROOT / path).read_text(), test
    assert len({control["id"] for control in controls()}) == len(controls()) >= 20
