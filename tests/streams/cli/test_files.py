"""Files that a user names: those that cannot be read or written, and those that Windows wrote."""

import os
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest
from click.testing import CliRunner

from projections.imports.opening_files import HEADER
from streams.citizens.register_file import read_register
from streams.citizens.rule_sets import LawBook
from streams.cli.main import main
from streams.kit.errors import UnworkableError
from streams.lis.inquiry import InquiryError, budgets_in, inhabitants_in
from streams.offline.inputs import opened
from tests.support.lines import payment

MARK = b"\xef\xbb\xbf"
ROW = "2024-01-08;6101902000;Kontanthjælp;Randers;2709,68;2709,68;80;2167,74;0;0,00"
TABLE = f"{';'.join(HEADER[:10])}\n{ROW}\n"
RULES = 'name: R-next\nbased_on: R-1\nvalid_from: 2014-07-01\nvalid_to: null\nnote: "Ny."\n'
REGISTER = '- cvr: "12345678"\n  name: Randers\n  kind: municipality\n  municipality: "730"\n'
INHABITANTS = "municipality;year;inhabitants_16_66;region\n730;2024;60000;Midtjylland på ø\n"


def refusion(*arguments, **environment):
    """Run a command in this process."""
    given = {"REFUSION_DEMO": "1", "REFUSION_DEMO_ANYWHERE": "1", **environment}
    return CliRunner(env=given).invoke(main, list(map(str, arguments)))


@pytest.fixture
def unreadable(tmp_path):
    """Make what bears a file's name and cannot be read as one."""

    def made(kind):
        path = tmp_path / kind
        if kind == "a folder":
            path.mkdir()
        elif kind == "a link to itself":
            path.symlink_to(path)
        elif kind == "a link to nothing":
            path.symlink_to("nowhere")
        elif kind == "a file of somebody else":
            path.write_bytes(payment())
            path.chmod(0)
            if os.access(path, os.R_OK):
                pytest.skip("root may read any file")
        return path

    return made


@pytest.mark.parametrize(
    "kind",
    [
        "nothing",
        "a folder",
        "a link to itself",
        "a link to nothing",
        "a file of somebody else",
    ],
)
@pytest.mark.parametrize(
    "command",
    [
        ["settle"],
        ["compare", "R-1", "R-1"],
        ["explain", "6101901357", "--reports"],
        ["opening", "load", "--dry-run"],
        ["publish"],
    ],
)
def test_a_file_that_cannot_be_read_is_named_and_nothing_is_done(unreadable, kind, command):
    path = unreadable(kind)
    done = refusion(*command, path)
    assert (done.exit_code, done.stdout) == (2, ""), done.output
    assert str(path) in done.stderr
    assert "not exist" not in done.stderr or kind == "nothing"
    assert "Traceback" not in done.output


def test_a_pipe_with_a_name_is_read_to_its_end(tmp_path):
    pipe = tmp_path / "pipe.jsonl"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(payment() + b"\n",))
    writer.start()
    done = refusion("settle", pipe)
    writer.join(10)
    assert done.stderr == "1 lines: 1 messages, 0 notices, 0 rejected\n"


def test_a_file_that_is_cut_or_grows_while_it_is_read_ends_where_it_ends(tmp_path):
    path = tmp_path / "changes.jsonl"
    line = b"x" * 99 + b"\n"
    path.write_bytes(line * 100_000)
    with ExitStack() as stack:
        lines = iter(opened(stack, str(path)))
        assert next(lines) == line
        os.truncate(path, 50 * len(line) + 7)
        cut = 1 + sum(1 for _ in lines)
        assert 51 <= cut < 100_000
        with path.open("ab") as file:
            file.write(b"\n" + line)
        assert next(lines, b"") == b"", "the end of a file is its end, though it grows later"


def test_a_folder_of_rule_sets_that_cannot_be_read_is_not_an_empty_one(tmp_path):
    with pytest.raises(UnworkableError, match=rf"REFUSION_RULES: {tmp_path}/gone: No such file"):
        LawBook(tmp_path / "gone")


@pytest.mark.parametrize("option", ["--rejects", "--notices"])
def test_a_file_that_finds_no_room_is_named(option, tmp_path):
    reports = tmp_path / "reports.jsonl"
    noticed = {"period_start": "2023-12-01", "period_end": "2023-12-31"}
    reports.write_bytes(b"{}\n" + payment(benefit="LYG", **noticed) + b"\n")
    done = refusion("settle", option, "/dev/full", reports)
    assert (done.exit_code, done.stderr) == (2, "refusion: /dev/full: No space left on device\n")


def test_a_byte_order_mark_changes_no_table_and_no_rule_file(tmp_path):
    def both(name: str, text: str) -> tuple[Path, Path]:
        plain, marked = tmp_path / name, tmp_path / f"marked-{name}"
        plain.write_bytes(text.encode())
        marked.write_bytes(MARK + text.encode())
        return plain, marked

    loads = [
        refusion("opening", "load", "--dry-run", "--municipality", "730", path)
        for path in both("opening.csv", TABLE)
    ]
    assert [done.exit_code for done in loads] == [0, 0]
    assert loads[0].stdout == loads[1].stdout
    catalogue = LawBook().catalogue()
    registers = [read_register(path, catalogue) for path in both("register.yaml", REGISTER)]
    assert registers[0] == registers[1]
    inhabitants = [inhabitants_in(path) for path in both("inhabitants.csv", INHABITANTS)]
    assert inhabitants[0] == inhabitants[1]
    (tmp_path / "reports.jsonl").write_bytes(payment() + b"\n")
    settled = [
        refusion("settle", "--rules", path, tmp_path / "reports.jsonl").stdout
        for path in both("R-next.yaml", RULES)
    ]
    assert settled[0] == settled[1] != ""


def test_a_table_that_was_saved_in_the_letters_of_windows_is_told_how_to_be_saved(tmp_path):
    table = tmp_path / "opening.csv"
    table.write_bytes(TABLE.encode("cp1252"))
    done = refusion("opening", "load", "--dry-run", "--municipality", "730", table)
    assert done.exit_code == 2
    assert "line 1 is not in UTF-8; save it as CSV UTF-8" in done.stderr
    inhabitants = tmp_path / "inhabitants.csv"
    inhabitants.write_bytes(INHABITANTS.encode("cp1252"))
    for read in (inhabitants_in, budgets_in):
        with pytest.raises(InquiryError, match=r"is no text in UTF-8; save it as CSV UTF-8"):
            read(inhabitants)
