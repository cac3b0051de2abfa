"""`refusion explain` as a user meets it: its screens, its JSON, and its errors."""

import json

import pytest

from streams.cli.explain import week_number
from streams.kit.errors import UserError
from tests.streams.cli.test_cli import DEMO, NO_KEYS, refused, refusion
from tests.support.lines import CANARY, PAYMENT, REPORTS, changed, run
from tests.support.told import JANUARY, X1, paid, taken_back


def line(report):
    return json.dumps(report).encode() + b"\n"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "reports.jsonl"
    others = [changed(each, cpr=CANARY) + b"\n" for each in REPORTS]
    bad = line(paid("bad", "2024-01-01", "2024-01-31") | {"benefit": "XYZ"})
    path.write_bytes(
        b"".join(
            [*others, line(JANUARY), bad, run() + b"\n", *map(line, X1), line(taken_back("b0"))]
        )
    )
    return path


def test_a_cpr_is_read_from_standard_input_and_stands_nowhere(file):
    done = refusion("explain", "--reports", file, given=b"610180-1234\n")
    assert (done.returncode, done.stderr) == (0, b"")
    text = done.stdout.decode()
    assert "6101801234" not in text
    assert "2024 11112" in text
    assert "Line 6 about this citizen was rejected (unknown_benefit)" in text
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 80
    assert not [line for line in text.splitlines() if line.endswith(" ")]


def test_by_pseudonym_and_for_programs(file):
    by_cpr = refusion("explain", "--reports", file, "--json", given=b"6101801234")
    life = json.loads(by_cpr.stdout)
    citizen = life["explanation"]["citizen"]
    assert refusion("explain", citizen, "--reports", file, "--json").stdout == by_cpr.stdout
    assert [each["line"] for each in life["rejected"]] == [6]
    done = refusion("explain", citizen, "--reports", file, "--json", "--week", "2024-W05")
    reason = json.loads(done.stdout)["explanation"]
    assert reason["rows"][0]["result_ore"] == 46_452
    assert {report["fate"] for report in reason["reports"]} == {"counts"}


def test_a_week_is_shown_with_its_arithmetic(file):
    done = refusion("explain", "--reports", file, "--week", "2024-02-04", given=b"6101801234")
    text = " ".join(done.stdout.decode().split())
    assert "12345678/january 1,161.29 3 of 31 days of 12,000.00" in text
    assert "= refusion 40 % = 464.5160 kr., rounded 464.52 kr. (week 5)" in text
    assert (
        "staircase.2 verified benefit weeks 5-26: refusion 40 %, medfinansiering 60 %. lov"
        " 994/2015 § 5" in text
    )
    assert "22 more benefit weeks until 30 %" in text


def test_another_split_is_not_told_as_days(file, tmp_path):
    rules = tmp_path / "weekdays.yaml"
    rules.write_text(
        "{name: by-weekdays, based_on: R-1, valid_from: 2014-07-01, valid_to: null, note: tænkt,"
        " switches: {SPLIT: WEEKDAYS}}"
    )
    arguments = ("--reports", file, "--rules", rules, "--week", "2024-02-04")
    text = " ".join(refusion("explain", *arguments, given=b"6101801234").stdout.decode().split())
    assert "12345678/january 1,565.22 by WEEKDAYS for 3 of 31 days of 12,000.00" in text


def test_rules_of_a_file_are_followed(file, tmp_path):
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        """
name: what-if
based_on: R-1
valid_from: 2014-07-01
valid_to: null
note: hvad hvis
overrides:
  reset.yaml:
    reset:
      self_support_weeks:
        value: 2
        unit: whole calendar weeks
        valid_from: 2014-07-01
        valid_to: null
        reference: "tænkt"
        evidence: assumed
"""
    )
    done = refusion("explain", "--reports", file, "--rules", rules, "--json", given=b"6101801234")
    life = json.loads(done.stdout)["explanation"]
    assert (life["rule_set"], life["earned"]["needed"]) == ("what-if", 2)
    assert life["rules"]["reset.self_support_weeks"]["reference"] == "tænkt"


@pytest.mark.parametrize(
    ("arguments", "given", "said"),
    [
        (["6101801234"], b"", "a CPR does not belong on a command line"),
        (["610180-1234"], b"", "a CPR does not belong on a command line"),
        (["abc"], b"", "CITIZEN is a pseudonym of 32 digits"),
        ([], b"6113801234", "that is no CPR"),
        ([], b"", "that is no CPR"),
        ([], b"0202021234", "no report of citizen"),
        (["0" * 32], b"", "among those of 2 citizens"),
        (["--week", "2013-W01"], b"", "weeks count from 2014-W27"),
        (["--week", "2024-W54"], b"", "--week is a date"),
        (["--week", "soon"], b"", "--week is a date"),
    ],
)
def test_what_is_wrong_is_said_in_a_line_without_a_cpr(file, arguments, given, said):
    text = refused(refusion("explain", "--reports", file, *arguments, given=given))
    assert said in text
    assert given.decode() == "" or given.decode() not in text
    assert "6101801234" not in text


def test_a_missing_key_or_file_is_told_before_a_cpr_is_asked_for(file, tmp_path):
    assert "REFUSION_PSEUDONYM_KEY" in refused(refusion("explain", "--reports", file, env=NO_KEYS))
    assert "No such file" in refused(refusion("explain", "--reports", tmp_path / "none"))
    assert "standard input cannot give both" in refused(refusion("explain", "--reports", "-"))
    assert (
        refusion("explain", "0" * 32, "--reports", "-", env=DEMO, given=line(PAYMENT)).returncode
        == 2
    )


def test_weeks_are_named_by_a_day_or_as_iso_writes_them():
    assert week_number("2024-W05") == week_number("2024-01-29") == week_number("2024-02-04")
    with pytest.raises(UserError):
        week_number("2100-01-11")


def test_an_explanation_is_told_in_danish_too(file):
    life = refusion("explain", "--reports", file, "--language", "da", given=b"6101801234")
    text = " ".join(life.stdout.decode().split())
    assert "Ved udgangen af den sidste uge med støtte" in text
    assert "Linje 6 om denne borger blev afvist (unknown_benefit)" in text
    arguments = ("--reports", file, "--language", "da", "--week", "2024-02-04")
    week = " ".join(refusion("explain", *arguments, given=b"6101801234").stdout.decode().split())
    assert "KTH gør den til en uge med ydelser" in week
    assert "12345678/january 1.161,29 3 af 31 dage af 12.000,00" in week
    assert "= refusion 40 % = 464,5160 kr., afrundet 464,52 kr. (uge 5)" in week
    done = refusion("explain", *arguments, "--json", given=b"6101801234")
    reason = json.loads(done.stdout)["explanation"]
    assert reason["ahead"]["sentences"][0].startswith("22 uger mere med ydelser")
    assert reason["rows"][0]["why_none"] == ""
