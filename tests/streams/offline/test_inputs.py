"""Files of every form: packed, in another encoding, an array; and lines of any length."""

import gzip
import io
import json
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
from click.testing import CliRunner

from streams.cli.main import main
from streams.kit.errors import UserError
from streams.kit.input_form import odd_form
from streams.offline.inputs import KEPT_BYTES, WHOLE_BYTES, CutLine, Reader, checked, opened
from streams.offline.settle import blocks, numbered
from tests.support.lines import payment

PROGRAM = Path(sys.executable).parent / "refusion"
DEMO = {"PATH": os.environ["PATH"], "REFUSION_DEMO": "1"}
CPR = "6101901357"
REPORT = payment(cpr=CPR)
OTHER = payment(cpr=CPR, report_id="other", period_start="2024-03-01", period_end="2024-03-31")
MEMORY = (
    "import resource as r, subprocess, sys; done = subprocess.run(sys.argv[1:]);"
    "print(r.getrusage(r.RUSAGE_CHILDREN).ru_maxrss, done.returncode, file=sys.stderr)"
)
PEAK_KB = 250_000
"""Far below the length of the lines that are given; the program alone has some 100 MB."""


def lines_of(path, read=checked):
    with ExitStack() as stack:
        return list(Reader([opened(stack, str(path))], read))


def refusion(*arguments):
    return CliRunner().invoke(main, [*map(str, arguments)], env=DEMO)


def settle(path):
    done = refusion("settle", path)
    return done.exit_code, done.stdout_bytes, done.stderr


# --- forms --------------------------------------------------------------------------------------

TEXT = REPORT.decode() + "\n" + OTHER.decode() + "\n"
PRETTY = json.dumps(json.loads(REPORT), indent=2).encode() + b"\n"
FORMS = {
    "UTF-16": TEXT.encode("utf-16"),
    "UTF-16; ": TEXT.encode("utf-16-be"),
    "UTF-32": TEXT.encode("utf-32-le"),
    "JSON array": b"[" + REPORT + b",\n" + OTHER + b"]\n",
    "JSON array; ": b"[\n  " + REPORT + b",\n  " + OTHER + b",\n]\n",
    "pretty-printed": PRETTY,
    "XML": b"<?xml version='1.0'?>\n<a/>\n",
    "table (CSV)": b"cpr;amount\n0101901234;5\n",
    "ZIP archive": b"PK\x03\x04 and more\n",
    "carriage return": REPORT + b"\r" + OTHER + b"\r",
}


@pytest.mark.parametrize("said", FORMS)
def test_a_file_of_another_form_is_named_by_it_and_is_no_success(tmp_path, said):
    path = tmp_path / "reports"
    path.write_bytes(FORMS[said])
    status, posted, errors = settle(path)
    assert (status, posted) == (1, b"")
    *_, sentence = errors.splitlines()
    assert sentence.startswith(f"refusion: {path} is ")
    assert said.rstrip("; ") in sentence


def test_an_array_is_named_also_where_its_last_line_happens_to_be_an_object(tmp_path):
    path = tmp_path / "reports"
    path.write_bytes(b"[\n" + REPORT + b",\n" + OTHER + b"\n]\n")
    status, posted, errors = settle(path)
    assert (status, posted.count(b"\n")) == (0, 1)
    assert "is a JSON array" in errors.splitlines()[-1]


def test_one_bad_line_hides_no_other_and_a_mark_is_named(tmp_path):
    path = tmp_path / "reports"
    path.write_bytes(b"\xef\xbb\xbf" + REPORT + b"\n" + OTHER + b"\n")
    status, posted, errors = settle(path)
    assert (status, posted.count(b"\n")) == (0, 1)
    assert "byte order mark" in errors.splitlines()[-1]


def test_lines_of_nothing_known_are_no_success_and_nothing_is_one(tmp_path):
    path = tmp_path / "reports"
    path.write_bytes(b"[1]\n\xff\nnull\n")
    status, _, errors = settle(path)
    assert status == 1
    assert "no line is a JSON object" in errors
    path.write_bytes(b'{"a": 1}\n')
    assert settle(path)[0] == 0  # an object, though a bad one
    path.write_bytes(b"\n")
    assert settle(path)[0] == 0


@pytest.mark.parametrize(
    "head", [b"", b"{", REPORT, b'{"a": [1]}\r\n', b"not json\n", b"\n\n", b'"a": 1\n', b"[1, 2]\n"]
)
def test_what_may_be_json_lines_is_not_odd(head):
    assert odd_form(head) is None


def test_what_is_sent_without_being_looked_at_is_refused_before_its_first_line(tmp_path):
    path = tmp_path / "reports"
    path.write_bytes(PRETTY)
    with pytest.raises(UserError, match="pretty-printed"):
        lines_of(path)


@pytest.mark.parametrize("command", [["compare", "R-1", "R-1"], ["explain", "0" * 32, "--reports"]])
def test_other_commands_say_it_too(tmp_path, command):
    path = tmp_path / "reports"
    path.write_bytes(TEXT.encode("utf-16"))
    done = refusion(*command, path)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "is in UTF-16" in done.stderr


# --- packed -------------------------------------------------------------------------------------


def test_a_packed_file_is_read_whatever_its_name(tmp_path):
    path = tmp_path / "reports"
    path.write_bytes(gzip.compress(REPORT + b"\n") + gzip.compress(OTHER))  # as `cat a.gz b.gz`
    plain = tmp_path / "plain"
    plain.write_bytes(REPORT + b"\n" + OTHER)
    assert settle(path) == settle(plain)
    given = subprocess.run(
        [PROGRAM, "settle"], input=path.read_bytes(), env=DEMO, capture_output=True, check=True
    )
    assert given.stdout == settle(plain)[1]


@pytest.mark.parametrize("kept", [0.5, 0.999])
def test_a_packed_file_that_is_cut_off_is_named(tmp_path, kept):
    path = tmp_path / "reports.gz"
    packed = gzip.compress(b"".join(payment(report_id=f"r{n}") + b"\n" for n in range(500)))
    path.write_bytes(packed[: int(len(packed) * kept)])
    status, _, errors = settle(path)
    assert status == 2
    assert f"{path} is packed with gzip, and is damaged or cut off" in errors


# --- length -------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", [b"\n", b""])
def test_a_long_line_is_cut_while_it_is_read_and_its_neighbours_are_whole(tmp_path, end):
    path = tmp_path / "reports"
    path.write_bytes(REPORT + b"\n" + b"x" * (3 * WHOLE_BYTES) + b"\n" + OTHER + end)
    first, cut, last = lines_of(path)
    assert (first, last) == (REPORT + b"\n", OTHER + end)
    assert isinstance(cut, CutLine)
    assert (cut, cut.length) == (b"x" * KEPT_BYTES, 3 * WHOLE_BYTES + 1)


@pytest.mark.parametrize("length", [WHOLE_BYTES - 1, WHOLE_BYTES])
def test_a_line_of_the_limit_is_whole(tmp_path, length):
    path = tmp_path / "reports"
    path.write_bytes(b"x" * length + b"\ny")
    assert lines_of(path) == [b"x" * length + b"\n", b"y"]


@pytest.mark.parametrize(
    ("byte", "jobs"),
    [
        (b"\xff", "1"),
        *(pytest.param(byte, "1", marks=pytest.mark.long) for byte in (b"a", b"\0")),
        *(pytest.param(byte, "2", marks=pytest.mark.long) for byte in (b"a", b"\xff")),
    ],
)
def test_a_giant_line_costs_little_memory_and_is_too_large(tmp_path, jobs, byte):
    """400 MB, packed in 400 kB."""
    path, rejects = tmp_path / "reports.gz", tmp_path / "rejects"
    giant = gzip.compress(byte * 40_000_000, 1)
    part = gzip.compress(REPORT + b"\n"), *[giant] * 10, gzip.compress(b"\n" + OTHER + b"\n")
    path.write_bytes(b"".join(part))
    command = [PROGRAM, "settle", "--jobs", jobs, "--rejects", rejects, path]
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, *command], env=DEMO, capture_output=True, check=True
    )
    peak_kb, status = map(int, done.stderr.splitlines()[-1].split())
    assert (status, done.stdout.count(b"\n")) == (0, 2)
    assert [json.loads(line)["reason"] for line in rejects.read_bytes().splitlines()] == [
        "too_large"
    ]
    assert peak_kb < PEAK_KB


def test_many_long_lines_come_in_small_blocks():
    lines = numbered(io.BytesIO((b"y" * 60_000 + b"\n") * 1_000 + b"z\n" * 10_000))
    sizes = [len(block) for block in blocks(lines)]
    assert max(sizes[:10]) <= 50
    assert sum(sizes) == 11_000
