"""The program as a user meets it: files, errors in one line, signals, secrets."""

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from domain.basics.weeks import month_number
from streams.cli.main import main
from streams.kit.foreign import Foreign, passed_over
from streams.settings import MASK
from streams.simulation import SimulationOptions, simulate
from tests.support.lines import CANARY, case_fact, income, payment, reversal, run

PROGRAM = Path(sys.executable).parent / "refusion"
NO_KEYS = {name: value for name, value in os.environ.items() if not name.startswith("REFUSION_")}
DEMO = NO_KEYS | {"REFUSION_DEMO": "1", "REFUSION_DEMO_ANYWHERE": "1"}
KEYS = {"REFUSION_PSEUDONYM_KEY": "0f" * 32, "REFUSION_SEAL_KEY": "a1" * 32}


def refusion(*arguments, given: bytes = b"", env=DEMO, **more):
    return subprocess.run(
        [PROGRAM, *arguments], input=given, env=env, capture_output=True, check=False, **more
    )


def posted(done) -> list[dict]:
    assert done.returncode == 0, done.stderr.decode()
    return [json.loads(line) for line in done.stdout.splitlines()]


def refused(done, status=2) -> str:
    """The one line that says what is wrong."""
    assert (done.returncode, done.stdout) == (status, b"")
    text = done.stderr.decode()
    assert text.count("\n") == 1, text
    assert text.startswith("refusion: ")
    return text


def many_payments(number: int) -> bytes:
    """One for each of many citizens."""
    return b"".join(payment(cpr=f"01018{at:05d}") + b"\n" for at in range(number))


SECOND = payment(report_id="2024-03-0001", period_start="2024-03-01", period_end="2024-03-31")

# --- input and output ---------------------------------------------------------------------------


def test_standard_input_is_read_without_a_file_and_for_a_dash():
    assert (
        posted(refusion("settle", given=payment()))
        == posted(refusion("settle", "-", given=payment()))
        != []
    )


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\n\n \n"])
@pytest.mark.parametrize("last_end", [b"", b"\n"])
def test_line_ends_do_not_matter(end, last_end):
    done = refusion("settle", given=payment() + end + SECOND + last_end)
    assert done.stdout == refusion("settle", given=payment() + b"\n" + SECOND + b"\n").stdout
    assert len(posted(done)) == 2


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_nothing_in_nothing_out(jobs):
    done = refusion("settle", "--jobs", jobs)
    assert posted(done) == []
    assert done.stderr == b"0 lines: 0 messages, 0 notices, 0 rejected\n"


def test_lines_of_several_files_are_numbered_on(tmp_path):
    first, second, rejects = tmp_path / "first", tmp_path / "second", tmp_path / "rejects"
    first.write_bytes(payment() + b"\n\nbad")  # no line end: the next file begins a line of its own
    second.write_bytes(SECOND + b"\nbad\n")
    done = refusion("settle", first, "-", second, "--rejects", rejects, given=b"bad\n")
    assert len(posted(done)) == 2
    assert [json.loads(line)["line"] for line in rejects.read_bytes().splitlines()] == [3, 4, 6]


def test_the_summary_tells_what_is_lost_and_a_program_gets_json(tmp_path):
    given = payment() + b"\nbad\n"
    done = refusion("settle", given=given)
    assert b"1 rejected (give --rejects FILE to keep them with reasons)\n" in done.stderr
    done = refusion("settle", "--rejects", tmp_path / "rejects", given=given)
    assert done.stderr == b"2 lines: 1 messages, 0 notices, 1 rejected\n"
    done = refusion("settle", "--json", given=given)
    assert json.loads(done.stderr) == {"lines": 2, "rejected": 1, "noticed": 0, "posted": 1}


def test_simulate_writes_the_same_bytes_as_the_library_and_settle_takes_them_all():
    arguments = ["simulate", "--citizens", "40", "--months", "2024-01..2024-06", "--seed", "7"]
    out = io.BytesIO()
    simulate(
        SimulationOptions(40, month_number("2024-01"), month_number("2024-06"), 7, jobs=1), out
    )
    for jobs in ("0", "1", "3"):
        assert refusion(*arguments, "--jobs", jobs).stdout == out.getvalue()
    assert b" 0 rejected" in refusion("settle", given=out.getvalue()).stderr
    assert refusion(*arguments, "--faults", "late,reversed").stdout != out.getvalue()
    assert b'"reversal"' not in refusion(*arguments, "--faults", "none").stdout


# --- errors that a person can act on ------------------------------------------------------------


def test_a_file_that_is_not_there_is_named():
    assert "nowhere.jsonl: No such file or directory" in refused(
        refusion("settle", "nowhere.jsonl")
    )


def test_a_folder_that_is_not_there_is_named(tmp_path):
    done = refusion("settle", "--rejects", tmp_path / "none" / "rejects", given=payment())
    assert "none/rejects: No such file or directory" in refused(done)


@pytest.mark.parametrize("option", ["--rejects", "--notices"])
def test_the_input_is_not_overwritten(tmp_path, option):
    path = tmp_path / "reports.jsonl"
    path.write_bytes(payment())
    assert "choose another file" in refused(refusion("settle", path, option, path))
    assert path.read_bytes() == payment()


def test_rejects_and_notices_do_not_share_a_file(tmp_path):
    done = refusion(
        "settle", "--rejects", tmp_path / "x", "--notices", tmp_path / "x", given=payment()
    )
    assert "choose another file" in refused(done)


@pytest.mark.parametrize("missing", KEYS)
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_outside_demo_mode_a_missing_key_is_named_with_what_to_do(missing, jobs):
    env = NO_KEYS | {name: key for name, key in KEYS.items() if name != missing}
    text = refused(refusion("settle", "--jobs", jobs, given=payment(), env=env))
    assert f"{missing} is not set" in text
    assert "openssl rand -hex 32" in text


def test_a_wrong_setting_is_named():
    assert "REFUSION_DEMO must be 0 or 1" in refused(
        refusion("settle", env=NO_KEYS | {"REFUSION_DEMO": "yes"})
    )


SIMULATE = ("simulate", "--citizens", "1", "--seed", "1")


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        ((*SIMULATE, "--months", "2024-01"), "YYYY-MM..YYYY-MM"),
        ((*SIMULATE, "--months", "2024-13..2025-01"), "YYYY-MM..YYYY-MM"),
        ((*SIMULATE, "--months", "2024-02..2024-01"), "the first not after the last"),
        ((*SIMULATE, "--months", "2013-02..2024-01"), "between 2014-07 and"),
        (
            (*SIMULATE, "--months", "2024-01..2024-01", "--faults", "gremlins"),
            "unknown fault gremlins: choose from",
        ),
        (
            ("simulate", "--citizens", "999999999", "--seed", "1", "--months", "2024-01..2024-01"),
            "citizens must be",
        ),
    ],
)
def test_a_simulation_that_cannot_be_says_what_can(arguments, advice):
    assert advice in refused(refusion(*arguments))


@pytest.mark.parametrize(
    "arguments", [("settle", "--jobs", "0"), ("settle", "--job"), ("unsettle",), ("simulate",)]
)
def test_a_wrong_command_line_is_explained_without_a_stack_trace(arguments):
    done = refusion(*arguments)
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"Error: " in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("command", [[], ["settle"], ["simulate"], ["settings"]])
def test_help_says_what_a_command_does(command):
    long, short = refusion(*command, "--help"), refusion(*command, "-h")
    assert long.returncode == 0
    assert long.stdout == short.stdout
    usage, *lines = long.stdout.decode().splitlines()
    assert usage.startswith("Usage: refusion")
    assert not any(line.endswith("...") for line in lines), "a sentence is cut off"
    assert all(len(line) <= 100 for line in lines)


@pytest.mark.parametrize(
    "arguments",
    [
        ["simulate", "--citizens", "3000", "--months", "2024-01..2024-12", "--seed", "1"],
        ["settle", "--jobs", "2"],
    ],
)
def test_a_reader_that_has_enough_is_no_error(arguments, tmp_path):
    (tmp_path / "in").write_bytes(many_payments(6_000))
    with (tmp_path / "in").open("rb") as source, (tmp_path / "errors").open("wb") as errors:
        process = subprocess.Popen(
            [PROGRAM, *arguments], stdin=source, stdout=subprocess.PIPE, stderr=errors, env=DEMO
        )
        assert process.stdout is not None
        assert process.stdout.read(100)
        process.stdout.close()
        assert process.wait(60) == 128 + signal.SIGPIPE
    assert (tmp_path / "errors").read_bytes() == b""


# --- secrets ------------------------------------------------------------------------------------


def test_no_cpr_leaves_but_in_the_record_that_was_rejected(tmp_path):
    rejects, notices = tmp_path / "rejects", tmp_path / "notices"
    good = [
        payment(),
        SECOND,
        income(report_id="i"),
        case_fact(report_id="c", fact="death"),
        reversal(report_id="r"),
    ]
    doubtful = [payment(reporter="87654321"), payment(report_id="f", period_end="2024-12-31")]
    bad = [
        payment(amount_ore=1),
        payment(benefit=CANARY),
        payment(**{CANARY: 1}),
        payment()[:-1],
        run(cpr=CANARY),
    ]
    lines = good + doubtful + bad
    arguments = ["settle", "--jobs", "2", "--rejects", rejects, "--notices", notices]
    done = refusion(*arguments, given=b"\n".join(lines), env=DEMO | {"TMPDIR": str(tmp_path)})
    assert len(posted(done)) >= 3
    assert len(rejects.read_bytes().splitlines()) == len(bad)
    assert len(notices.read_bytes().splitlines()) >= 2
    for text in (done.stdout, done.stderr, notices.read_bytes()):
        assert CANARY.encode() not in text
    for line in rejects.read_bytes().splitlines():
        assert CANARY not in json.dumps(json.loads(line) | {"record": ""})


@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_settings_are_shown_with_secrets_masked(as_json):
    done = refusion("settings", *as_json, env=NO_KEYS | KEYS | {"REFUSION_PARTITIONS": "7"})
    text = done.stdout.decode()
    assert done.returncode == 0
    assert not any(key in text for key in KEYS.values())
    assert text.count(MASK) == len(KEYS)
    if as_json:
        rows = {row["name"]: row for row in json.loads(text)}
        assert rows["REFUSION_PARTITIONS"]["value"] == "7"
        assert rows["REFUSION_BOOTSTRAP"]["value"] is None
    else:
        assert "REFUSION_PARTITIONS = 7  (environment)" in text
        assert "REFUSION_BOOTSTRAP  (not set)" in text


# --- memory -------------------------------------------------------------------------------------


@pytest.mark.long
def test_a_hundred_thousand_citizens_settle_in_bounded_memory(tmp_path):
    path = tmp_path / "reports.jsonl"
    with path.open("wb") as out:
        arguments = [
            "simulate",
            "--citizens",
            "100000",
            "--months",
            "2024-01..2024-03",
            "--seed",
            "1",
        ]
        subprocess.run([PROGRAM, *arguments], stdout=out, env=DEMO, check=True)
    measure = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL,"
        " check=True);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    command = [sys.executable, "-c", measure, PROGRAM, "settle", path]
    done = subprocess.run(command, env=DEMO, capture_output=True, text=True, check=True)
    bytes_a_unit = 1 if sys.platform == "darwin" else 1024
    assert int(done.stdout) * bytes_a_unit < 400e6


def _crash(**_):
    raise ValueError("010190-1234 is in the text")


def test_a_defect_is_told_by_type_and_place_and_its_status_is_none_of_the_contracts(monkeypatch):
    monkeypatch.setattr("streams.cli.settings.settings.callback", _crash)
    done = CliRunner().invoke(main, ["settings"])
    assert done.exit_code == 70
    assert "ValueError at test_cli.py:" in done.stderr
    assert "010190" not in done.output


def test_foreign_records_are_named_once_at_the_end_of_a_command(monkeypatch):
    def met(**_):
        passed_over(Foreign("refusion.reports", 3, 17))

    monkeypatch.setattr("streams.cli.settings.settings.callback", met)
    for _ in range(2):
        done = CliRunner().invoke(main, ["settings"])
        assert done.exit_code == 0
        assert done.stderr.count("1 record that nobody of ours wrote") == 1
        assert "refusion.reports/3/17" in done.stderr
