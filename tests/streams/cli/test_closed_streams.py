"""Started with standard streams closed, as schedulers do it, the program works or says a sentence,
and no file gets the number of a stream.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.lines import payment

PROGRAM = Path(sys.executable).parent / "refusion"
CLOSED = {"input": "<&-", "output": ">&-", "error": "2>&-"}


def refusion(closed, *arguments, **environment):
    """Run the program with streams closed; returns its status and what it wrote to the others."""
    given = {"PATH": os.environ["PATH"], "REFUSION_DEMO": "1", **environment}
    redirections = " ".join(CLOSED[name] for name in closed)
    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {redirections}', "sh", PROGRAM, *arguments],
        env=given,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def reports(tmp_path):
    path = tmp_path / "reports.jsonl"
    path.write_bytes(payment(cpr="6101901357") + b"\n")
    return path


@pytest.mark.parametrize(("closed", "jobs"), [(["error"], "1"), (["input", "error"], "2")])
def test_without_standard_error_the_work_is_done(reports, tmp_path, closed, jobs):
    rejects = tmp_path / "rejects"
    options = ["--jobs", jobs, "--rejects", str(rejects), str(reports)]
    status, posted, _ = refusion(closed, "settle", *options)
    assert (status, posted.count("\n"), rejects.read_bytes()) == (0, 1, b"")


@pytest.mark.parametrize(
    "command", [["settle"], ["publish"], ["explain", "--reports", "f"], ["compare", "R-1", "R-1"]]
)
def test_without_standard_input_a_sentence_says_so(reports, command):
    command = [str(reports) if word == "f" else word for word in command]
    status, written, errors = refusion(["input"], *command, REFUSION_BOOTSTRAP="127.0.0.1:1")
    assert (status, written) == (2, "")
    assert errors.startswith("refusion: standard input is closed; name a file")


@pytest.mark.parametrize("command", [["settle"], ["verify"], ["run", "status"], ["settings"]])
def test_without_standard_output_nothing_is_done_and_a_sentence_says_so(command):
    """The result would be told to nobody."""
    status, _, errors = refusion(["output"], *command, REFUSION_BOOTSTRAP="127.0.0.1:1")
    assert status == 2
    assert errors.startswith("refusion: standard output is closed, so nothing was done")


@pytest.mark.parametrize("closed", [["error"], ["input", "error"], ["input", "output", "error"]])
def test_an_audit_that_cannot_be_made_is_never_taken_for_violations(closed):
    assert refusion(closed, "verify", REFUSION_BOOTSTRAP="127.0.0.1:1")[0] == 2


@pytest.mark.parametrize("encoding", ["iso-8859-1", "ascii"])
def test_letters_that_a_terminal_does_not_have_end_no_command(reports, encoding):
    """Minus signs, ellipses and æøå are in what people read; JSON is in UTF-8 always."""
    given = {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0", "LC_ALL": "C"}
    for command in (["compare", "R-1", "R-2"], ["explain", "--help"]):
        arguments = [*command, str(reports)] if command[0] == "compare" else command
        assert refusion([], *arguments, **given)[0] == 0
    status, written, errors = refusion([], "settle", str(reports.parent / "æ→ø.jsonl"), **given)
    assert (status, written) == (2, "")
    assert "No such file or directory" in errors


needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="looks at Linux' /dev/full")


def redirected(redirections, *arguments, **environment):
    """Run the program by a shell that sends its streams elsewhere."""
    given = {"PATH": os.environ["PATH"], "REFUSION_DEMO": "1", **environment}
    script = f'set -o pipefail; "$@" {redirections}'
    return subprocess.run(
        ["/bin/bash", "-c", script, "bash", PROGRAM, *arguments],
        env=given, capture_output=True, text=True, check=False,
    )  # fmt: skip


@needs_full
def test_what_cannot_be_written_to_standard_error_changes_no_work_and_no_status(reports):
    done = redirected("2>/dev/full", "settle", str(reports))
    assert (done.returncode, done.stdout.count("\n")) == (0, 1)
    assert redirected("2>/dev/full", "verify").returncode == 2
    assert redirected("2>/dev/full", "worker").returncode == 2


@needs_full
@pytest.mark.parametrize("command", [["--help"], ["settle", "--help"], ["settings"], ["settle"]])
def test_a_full_disk_under_standard_output_is_one_sentence(reports, command):
    given = [*command, str(reports)] if command == ["settle"] else command
    done = redirected(">/dev/full", *given)
    assert (done.returncode, done.stderr) == (2, "refusion: No space left on device\n")


def test_a_reader_who_has_gone_is_told_from_what_is_wrong(reports):
    """rich would end with status 1, which `verify` has for violations."""
    done = redirected("| true", "compare", "R-1", "R-2", str(reports))
    assert (done.returncode, done.stderr) == (141, "")
