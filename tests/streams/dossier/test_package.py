"""The auditor's package of a run: what is in it, and that a stranger can compute it again."""

import os
import subprocess
import zipfile
from collections import Counter

import orjson
import pytest
from click.testing import CliRunner

from streams.citizens.rule_sets import LawBook
from streams.cli.main import main
from streams.dossier import tables
from streams.dossier.check import check_package
from streams.dossier.package import Doors, read_run
from streams.dossier.package_content import ROOT, PackageRequest
from streams.dossier.package_frame import PackageFrame
from streams.dossier.recomputation import Recomputation
from streams.dossier.run_part import PackageError
from streams.dossier.sample_check import check_citizens, controls_of
from streams.dossier.stated_figures import sum_findings
from streams.dossier.tables import controls, sample_rows_table
from streams.dossier.zip_file import packed, read_package, write_package
from streams.wire.cloudevents import source_offset
from tests.support.lines import rules
from tests.support.package_world import (
    FIRST_RUN,
    RUN,
    PackageWorld,
    live_a_reversed_report,
    table_in,
    table_of,
)
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
    return forged(tmp_path / "package.zip", made, {})


def forged(path, made, changes):
    """Write a package with files changed, or left out (None), and its checksums anew."""
    content = made.content | changes
    write_package(path, packed({name: each for name, each in content.items() if each is not None}))
    return path


def live(world, topics):
    """Make what reads a run in the topics for a check."""
    doors = Doors(topics.open(), world.acts.open)
    return lambda asked: read_run(world.settings, asked._replace(jobs=1), lambda *_: None, doors)


@pytest.fixture(scope="module")
def known_run(world):
    """Read the run in the topics, once for many checks."""
    extent = PackageRequest(RUN)
    return live(world, world.topics)(extent)


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
    assert check_package(file, live(world, world.topics)).findings == []
    changed = world.topics.copy()
    last = max(range(4), key=lambda at: len(changed.of["reports"][at]))
    place = next(
        index for index, each in enumerate(changed.of["reports"][last])
        if each.key and b"benefit_payment" in each.value
    )  # fmt: skip
    changed.drop("reports", last, place)
    findings = check_package(file, live(world, changed)).findings
    said = f"partition {last}: the journal gives other postings of the run now"
    assert findings[0] == said
    assert all("records" in finding for finding in findings[1:])


PROOF = "genberegning/partitioner.csv"
SUMS = "afstemning/kontrolsummer.csv"
DRAWN = "stikproever/udtraek.csv"
ROWS = "stikproever/raekker.csv"
RECORDS = ("journal", "postings")


@pytest.mark.parametrize("kept", [0, 1, 3])
def test_a_partition_that_is_left_out_of_the_proof_is_found(made, tmp_path, known_run, kept):
    rows = table_in(made.content, PROOF)
    whole = table_of(rows).splitlines(keepends=True)
    path = forged(tmp_path / "x.zip", made, {PROOF: b"".join(whole[: kept + 1])})
    said = f"the proof of replay has {kept} rows, and not one for each of the 4 partitions"
    assert [said in finding for finding in check_package(path).findings] == [True]
    frame = orjson.loads(made.content["pakke.json"]) | {"partitions": kept or 1}
    changes = {PROOF: b"".join(whole[: kept + 1]), "pakke.json": orjson.dumps(frame)}
    forged(path, made, changes)
    findings = check_package(path, lambda _asked: known_run).findings
    for at in range(kept, 4):
        assert f"partition {at}: the topics have it, and the package does not" in findings
    forged(path, made, {PROOF: table_of([*rows[:3], rows[0]])})
    assert "has 4 rows, and not one for each" in check_package(path).findings[0]


def test_a_citizen_who_is_left_out_of_the_sample_is_found(made, tmp_path, known_run):
    drawn = table_in(made.content, DRAWN)
    of_place = Counter(row["kommune"] for row in drawn)
    gone, path = next(row for row in drawn if of_place[row["kommune"]] > 1), tmp_path / "x.zip"
    place, citizen, due = gone["kommune"], gone["borger"], of_place[gone["kommune"]]
    name = f"stikproever/{place}-{citizen}.json"
    forged(path, made, {name: None})
    assert check_package(path).findings == [f"{name}: the citizen was drawn, and is not there"]
    left = [row for row in drawn if row is not gone]
    assert f"{name}: nobody has drawn the citizen" in check_package(
        forged(path, made, {DRAWN: table_of(left)})
    ).findings  # fmt: skip
    rows = [row for row in table_in(made.content, ROWS)
            if (row["kommune"], row["borger"]) != (place, citizen)]  # fmt: skip
    changes = {name: None, DRAWN: table_of(left), ROWS: table_of(rows)}
    findings = check_package(forged(path, made, changes)).findings
    assert findings == [
        f"municipality {place}: {due - 1} citizens are in the sample, and not {due}"
    ]
    for row in left:
        if row["kommune"] == place:
            row["borgere_i_koerslen"] = str(due - 1)
    forged(path, made, changes | {DRAWN: table_of(left)})
    assert check_package(path).findings == []
    said = f"citizen {citizen} of {place}: drawn from the topics, and not in the package"
    assert said in check_package(path, lambda _asked: known_run).findings


def test_a_citizen_or_a_municipality_who_is_chosen_is_found(made, tmp_path):
    drawn, path = table_in(made.content, DRAWN), tmp_path / "x.zip"
    chosen = drawn[0]["kommune"]
    forged(path, made, {DRAWN: table_of([drawn[0] | {"rang": "0" * 32}, *drawn[1:]])})
    said = f"citizen {drawn[0]['borger']} of {chosen}: the rank is not that of draw 1"
    assert check_package(path).findings == [said]
    left = [row for row in drawn if row["kommune"] != chosen]
    forged(path, made, {DRAWN: table_of(left)})
    said = f"municipality {chosen}: it is left out of the sample against draw 1"
    assert said in check_package(path).findings
    places = [row["kommune"] for row in table_in(made.content, SUMS)]
    other = next(place for place in places if place not in {row["kommune"] for row in drawn})
    forged(path, made, {DRAWN: table_of([row | {"kommune": other} if row["kommune"] == chosen
                                         else row for row in drawn])})  # fmt: skip
    assert f"municipality {other}: it is taken into the sample" in str(check_package(path).findings)


def test_records_of_a_citizen_that_nobody_published_are_found_in_the_topics(
    made, tmp_path, known_run
):
    frame = PackageFrame.read(tmp_path, made.content["pakke.json"])
    sound = check_citizens(made.content, frame, LawBook(None))
    assert sound.findings == []
    index = next(at for at, one in enumerate(sound.citizens) if len(one.postings) > 2)
    left = sound.citizens[index]
    last = left.postings[-1]
    at = source_offset(last.parts[2])
    forgery = left._replace(
        journal=[each for each in left.journal if each.offset < at], postings=left.postings[:-1]
    )
    citizens = [*sound.citizens[:index], forgery, *sound.citizens[index + 1 :]]
    recomputation = Recomputation(LawBook(None), frame.partitions, frame.journal_topic)
    done = [
        (one, recomputation.of(one, controls_of(made.content, one.partition))) for one in citizens
    ]
    explanation = orjson.loads(done[index][1].explanation)
    name = f"stikproever/{left.municipality}-{left.citizen}.json"
    changes = {
        name: orjson.dumps(
            forgery._asdict()
            | {"explanation": explanation}
            | {kind: [[*each] for each in getattr(forgery, kind)] for kind in RECORDS}
        ),
        ROWS: sample_rows_table(done),
    }
    path = forged(tmp_path / "x.zip", made, changes)
    assert check_package(path).findings == []
    said = f"citizen {left.citizen}: the topics have other records than the package"
    assert check_package(path, lambda _asked: known_run).findings == [said]


def test_control_sums_are_compared_column_by_column_and_with_the_topics(made, tmp_path, known_run):
    rows, path = table_in(made.content, SUMS), tmp_path / "x.zip"
    place, whole = rows[0]["kommune"], "1000000,00"
    for name in [name for name in rows[0] if name not in {"kommune", "forskel"}]:
        findings = [*sum_findings([rows[0] | {name: whole}, *rows[1:]])]
        said = f"municipality {place}: the control sums are said to be apart by 0,00, and apart by"
        assert [finding.startswith(said) for finding in findings] == [True]
    forged(path, made, {SUMS: table_of([rows[0] | {name: whole}, *rows[1:]])})
    assert check_package(path).findings[0].startswith(said)
    forgery = {name: whole for name in rows[0] if name.startswith("refusion_")}
    forged(path, made, {SUMS: table_of([rows[0] | forgery, *rows[1:]])})
    assert check_package(path).findings == []
    findings = check_package(path, lambda _asked: known_run).findings
    assert findings == [f"municipality {place}: the postings in the topics have other sums"]
    forged(path, made, {SUMS: table_of(rows[1:])})
    assert findings == check_package(path, lambda _asked: known_run).findings


def test_money_below_nothing_is_a_number_to_a_spreadsheet(tmp_path):
    world = PackageWorld(tmp_path, live_a_reversed_report)
    world.export(tmp_path)
    made = world.make(files=tmp_path)
    sums = table_in(made.content, SUMS)
    assert any(row["refusion_posteringer"].startswith("-") for row in sums)
    for name, content in made.content.items():
        assert b";'-" not in content, name
    path = forged(tmp_path / "x.zip", made, {})
    assert check_package(path, live(world, world.topics)).findings == made.findings == []


@pytest.mark.parametrize(
    "name",
    [
        "x/../../../home/rev/.bashrc", "regler/egne/..", "regler/egne/../../x.yaml", "regler//x",
        "regler/egne/a/b.yaml", "./pakke.json", "regler/", "tilfoejelse.txt", "stikproever/x.json",
    ],
)  # fmt: skip
def test_a_file_that_leads_elsewhere_or_is_of_no_known_kind_is_refused(made, tmp_path, name):
    path = forged(tmp_path / "x.zip", made, {name: b"{}"})
    assert f"{name!a}: no package has such a file" in check_package(path).findings
    assert name not in read_package(path)[0]


@pytest.mark.parametrize("records", RECORDS)
@pytest.mark.parametrize(
    "damage",
    [
        {"key": 5}, {"headers": [[1, "x"]]}, {"headers": 7}, {"value": None}, {"value": {}},
        {"value": {"schema": 1, "type": "postings", "rules": "R-none"}}, {"offset": "x"},
    ],
)  # fmt: skip
def test_a_damaged_record_is_a_finding_and_no_defect_of_the_program(
    made, tmp_path, records, damage
):
    name = next(each for each in sorted(made.content) if each.startswith("stikproever/"))
    value = orjson.loads(made.content[name])
    fields = ("offset", "key", "value", "headers")
    record = dict(zip(fields, value[records][0], strict=True)) | damage
    value[records][0] = [*record.values()]
    path = forged(tmp_path / "x.zip", made, {name: orjson.dumps(value)})
    done = CliRunner().invoke(main, ["audit", "check", str(path)])
    assert (done.exit_code, "defect" in done.output) == (1, False)
    assert name in done.output or value["citizen"] in done.output


def test_a_rule_set_that_is_not_known_is_a_finding_beside_the_others(made, tmp_path):
    at = next(name for name in made.content if "kontrolposter-" in name)
    kept = orjson.loads(made.content[at])
    rule = orjson.loads(rules(rules="R-none"))
    kept["journal"].insert(0, [0, "", rule, kept["journal"][0][3]])
    changes = {at: orjson.dumps(kept), DRAWN: made.content[DRAWN].replace(b"\r\n1;", b"\r\n2;", 1)}
    findings = check_package(forged(tmp_path / "x.zip", made, changes)).findings
    assert any("R-none is not known here" in finding for finding in findings)
    assert any("the rank is not that of draw 1" in finding for finding in findings)


def test_a_run_that_is_not_closed_and_a_file_that_is_no_package_are_said(world, tmp_path):
    with pytest.raises(PackageError, match="no marker of run 60"):
        world.make(run=60)
    nothing = tmp_path / "x.zip"
    nothing.write_bytes(b"PK")
    done = CliRunner().invoke(main, ["audit", "check", str(nothing)])
    assert (done.exit_code, "is no zip file" in done.stderr) == (2, True)


def results_of(tests):
    """Make results of tests, by module, name and what is within the element of each."""
    cases = [
        f'<testcase classname="{module}" name="{name}">{within}</testcase>'
        for module, name, within in tests
    ]
    return f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>"


def passed_controls():
    """The tests of all controls as passed."""
    tests = [test.split("::") for control in controls() for test in control["tests"]]
    return [(path.removesuffix(".py").replace("/", "."), name, "") for path, name in tests]


def test_results_of_tests_are_in_it_and_a_failed_one_is_a_finding(world, tmp_path):
    results = tmp_path / "tests.xml"
    failed = ("a", "bad", '<failure message="0101801234"/>')
    tests = [*passed_controls(), ("a", "good[0101801234]", ""), failed]
    results.write_text(results_of(tests))
    made = world.make(tests=results)
    rows = table_in(made.content, "proever.csv")
    assert len(rows) == len(tests)
    assert [(row["proeve"], row["udfald"]) for row in rows if row["modul"] == "a"] == [
        ("bad", "fejlede"), ("good[**********]", "bestod")
    ]  # fmt: skip
    assert made.findings == ["1 of the tests in tests.xml failed"]
    results.write_text("<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>")
    with pytest.raises(PackageError, match="no file of test results"):
        world.make(tests=results)


def test_results_without_a_test_of_a_control_or_with_a_skipped_one_are_a_finding(tmp_path):
    results, tests = tmp_path / "tests.xml", passed_controls()
    (module, name, _), *others = tests
    test = f"{module.replace('.', '/')}.py::{name}"
    results.write_text(results_of(tests))
    assert tables.tests_table(results)[1] == []
    for nothing in ("<testsuites/>", results_of([("another.project", "test_x", "")])):
        results.write_text(nothing)
        findings = tables.tests_table(results)[1]
        assert len(findings) == len(tests) == 34
        assert findings[0] == f"control K-01: tests.xml has no result of {test}"
    results.write_text(results_of([(module, f"{name}[a]", ""), *others]))
    assert tables.tests_table(results)[1] == []
    results.write_text(results_of([*tests, (module, f"{name}[b]", "<skipped/>")]))
    assert tables.tests_table(results)[1] == [f"control K-01: {test} was skipped in tests.xml"]


def test_each_control_is_coded_and_tested_where_the_package_says():
    for control in controls():
        assert (ROOT / control["coded"]).is_file(), control["id"]
        for test in control["tests"]:
            path, name = test.split("::")
            assert f"def {name}(" in (ROOT / path).read_text(), test
    assert len({control["id"] for control in controls()}) == len(controls()) >= 20
