"""The register of reporters is read from its file, and refused with place and remedy."""

import io
import json

import pytest

from domain.basics.weeks import day
from streams.citizens.register_file import RegisterError, load_register
from streams.offline.settle import settle
from streams.settings import Settings, SettingsError
from streams.wire.reporters import RegisteredReporter
from tests.support.lines import payment

GOOD = """
- cvr: "12345678"
  name: Randers Kommune
  kind: municipality
  municipality: "730"
  source: kmd
  benefits: [KTH, SDP-B]
  contact: ydelse@example.dk
  valid_from: 2024-01-01
  valid_to: 2024-12-31
- cvr: "87654321"
  name: Udbetaling Danmark
  kind: udbetaling_danmark
  source: null
"""


def settings(path):
    return Settings.load({"REFUSION_DEMO": "1", "REFUSION_REPORTERS": str(path)})


@pytest.fixture
def file(tmp_path):
    """Write a register, and give the settings that name it."""

    def write(text):
        path = tmp_path / "reporters.yaml"
        path.write_text(text)
        return settings(path)

    return write


def test_every_field_is_read_and_those_left_out_have_their_meaning(file):
    register = load_register(file(GOOD))
    assert register is not None
    assert register._entries["12345678"] == [
        RegisteredReporter(
            "12345678", "Randers Kommune", "municipality", "730", "kmd",
            frozenset({"KTH", "SDP-B"}), "ydelse@example.dk", day("2024-01-01"), day("2024-12-31"),
        )
    ]  # fmt: skip
    assert register._entries["87654321"] == [
        RegisteredReporter(
            "87654321", "Udbetaling Danmark", "udbetaling_danmark", None, "", None, "",
            day("0001-01-01"), day("9999-12-31"),
        )
    ]  # fmt: skip
    assert register.sources == ["kmd"]


def test_without_the_setting_there_is_no_register():
    assert load_register(Settings.load({"REFUSION_DEMO": "1"})) is None
    with pytest.raises(SettingsError, match=r"REFUSION_REPORTERS is .*no-such-file.* no file"):
        load_register(settings("/no-such-file"))


FIRST = '- {cvr: "12345678", name: A, kind: other'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not a list of at least one reporter"),
        ("reporters: []", "is not a list of at least one reporter"),
        ("- 12345678", "entry 1: is not a mapping"),
        (GOOD + "- {name: B, kind: other}", "entry 3: field cvr: is missing"),
        (FIRST + ", colour: red}", "entry 1: field 4 is unknown; known are cvr, name"),
        ("- {cvr: 1234567, name: A, kind: other}", "entry 1: field cvr: is not 8 digits"),
        ('- {cvr: "12345678", name: A, kind: kommune}', "field kind: is none of municipality"),
        (FIRST + ', municipality: "999"}', "field municipality: is not the code"),
        (FIRST + ", source: a.b}", "field source: is not 1-64 of the characters"),
        (FIRST + ", benefits: KTH}", "field benefits: is not a list of codes"),
        (FIRST + ", benefits: [KTH, XYZ]}", "field benefits: item 2 is in no rule set"),
        (FIRST + ', contact: "010180-1234"}', "field contact: has what looks like a CPR"),
        (FIRST + ", valid_from: 2024-02-30}", "field valid_from: is not a date"),
        (FIRST + ", valid_from: 2024-02-01, valid_to: 2024-01-31}", "valid_to: lies before"),
        (
            FIRST + "}\n" + FIRST + "}",
            "reporter 12345678 has two entries that are valid on one day",
        ),
        (FIRST + ", cvr: 1}", "line 1: the key 'cvr' stands twice"),
        ("- &a {cvr: x}\n- *a", "line 2: an alias (*) is not allowed"),
        ("- {", "line 2: did not find"),
        ("#" * (5 << 20), "more than 4,194,304 bytes"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(file, text, said):
    with pytest.raises(RegisterError) as error:
        load_register(file(text))
    assert str(error.value).startswith("REFUSION_REPORTERS: reporters.yaml: ")
    assert said in str(error.value)
    assert "0101801234" not in str(error.value).replace("-", "")


def test_settle_holds_lines_against_the_register_and_their_source_where_one_is_given(file):
    known = file(GOOD)
    lines = [
        payment(cpr="6101901357", report_id=f"P{number}", **fields)
        for number, fields in enumerate(
            (
                {"benefit": "KTH", "reported_at": "2024-06-01T08:00:00Z"},
                {"benefit": "KTH", "reporter": "87654321"},
                {"benefit": "KTH", "reporter": "11111111"},
                {"benefit": "UDH", "reported_at": "2024-06-01T08:00:00Z"},
            )
        )
    ]

    def reasons(source, jobs=1):
        rejects = io.BytesIO()
        settle(lines, known, jobs, io.BytesIO(), rejects, source=source)
        return [
            (value["line"], value["reason"])
            for value in map(json.loads, rejects.getvalue().splitlines())
        ]

    assert reasons(None) == [(3, "unknown_reporter"), (4, "not_allowed")]
    of_the_source = [(2, "foreign_reporter"), (3, "unknown_reporter"), (4, "not_allowed")]
    assert reasons("kmd") == of_the_source
    assert reasons("kmd", jobs=2) == of_the_source
