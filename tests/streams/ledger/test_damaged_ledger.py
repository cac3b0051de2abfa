"""A ledger whose files are damaged or cannot be written: one sentence, and no stack of its library.

A ledger is a copy of the topic, so the sentence says that it can be made again.
"""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from projections.ledger.entries import LedgerProgress
from streams.ledger.cuts import cuts_of, opened
from streams.ledger.native import PanicFilter, native_errors
from streams.ledger.table import LedgerError, LedgerTable, NoLedgerError
from tests.support.places import ROOT
from tests.support.postings import append, ledger_of, marker, new_ledger, posting

ANNA = "6101801234"
MADE_AGAIN = "delete the ledger, and `refusion worker projections` makes it again"


@pytest.fixture
def folder(tmp_path):
    """A ledger with two runs of one partition."""
    row = {"amount_ore": 270968, "refusion_ore": 216774}
    ledger_of(tmp_path, [posting(ANNA, 1, row), marker(49), posting(ANNA, 2, row, row), marker(50)])
    return tmp_path


def missing(path):
    path.unlink()


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def overwritten(path):
    path.write_bytes(b"\0" * path.stat().st_size)


@pytest.mark.parametrize("damage", [missing, cut, overwritten])
@pytest.mark.parametrize(
    "read",
    [
        lambda ledger: list(ledger.rows("SELECT * FROM ledger")),
        lambda ledger: cuts_of(ledger, 50),
        lambda ledger: ledger.progress(0),
    ],
    ids=["rows", "cuts", "progress"],
)
def test_a_damaged_data_file_is_one_sentence_that_says_what_to_do(folder, damage, read):
    for path in folder.rglob("*.parquet"):
        damage(path)
    with pytest.raises(LedgerError, match=MADE_AGAIN) as caught:
        read(LedgerTable.open(str(folder)))
    assert "\n" not in str(caught.value)


def test_a_damaged_log_is_one_sentence_that_says_what_to_do(folder):
    cut(max((folder / "_delta_log").glob("*.json")))
    with pytest.raises(LedgerError, match=MADE_AGAIN):
        LedgerTable.open(str(folder))


@pytest.mark.parametrize("stated", ['":"many"', '":"999999999999"', '":"0"', '":""', 's":"1"'])
def test_a_table_that_does_not_say_its_partitions_is_no_ledger_of_ours(folder, stated):
    path = min((folder / "_delta_log").glob("*.json"))
    path.write_text(
        path.read_text().replace('refusion.partitions":"1"', f"refusion.partitions{stated}")
    )
    with pytest.raises(LedgerError, match="no ledger of this program"):
        cuts_of(LedgerTable.open(str(folder)), 50)


def test_export_says_so_in_one_line_and_leaves_no_file(folder, tmp_path_factory):
    missing(min(folder.rglob("*.parquet")))
    out = tmp_path_factory.mktemp("out")
    command = ["export", "--run", "50", "--no-wait", "--without-notices", "--out", str(out)]
    done = subprocess.run(
        [str(Path(sys.executable).parent / "refusion"), *command],
        cwd=ROOT,
        env=os.environ | {"REFUSION_DEMO": "1", "REFUSION_LEDGER": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
    assert MADE_AGAIN in done.stderr
    assert list(out.iterdir()) == []


NO_ROOM = """
import sys
from tests.streams.ledger.test_damaged_ledger import fill
fill(sys.argv[1])
"""


def fill(folder):
    """Append a file that is larger than this process may write."""
    ledger, progress = new_ledger(folder), LedgerProgress(0)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
    try:
        rows = [{"account": os.urandom(30).hex()} for _ in range(2_000)]
        append(ledger, progress, [posting(ANNA, 1, *rows)])
    except LedgerError as error:
        sys.stderr.write(f"refusion: {error}\n")


@pytest.mark.parametrize("stack", ["0", "1"])
def test_a_panic_of_the_library_is_one_line_without_a_stack(tmp_path, stack):
    done = subprocess.run(
        [sys.executable, "-c", NO_ROOM, str(tmp_path)],
        cwd=ROOT,
        env=os.environ | {"RUST_BACKTRACE": stack},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "refusion: the ledger at" in done.stderr
    assert "cannot be written" in done.stderr
    assert "the library of the ledger failed at" in done.stderr
    assert MADE_AGAIN not in done.stderr
    assert not any(word in done.stderr for word in ("stack", "panicked", "note:", "Traceback"))


BLOCKS = [
    b"",
    b"thread 'tokio-rt-worker' (27) panicked at /a/b/object_store-0.13.2/src/buffered.rs:369:41:",
    b"Already shut down",
    b"more of it",
]
SAID = b"the library of the ledger failed at object_store-0.13.2/src/buffered.rs:369: Already shut"


def test_panics_become_one_line_each_and_all_else_passes():
    panics = PanicFilter()
    lines = [b"before", *BLOCKS, b"stack backtrace:", b"   0: x", b"note: y", b"", *BLOCKS[1:]]
    text = b"".join(map(panics.passed, lines)) + panics.ended()
    text += b"".join(map(panics.passed, [b"after", b""])) + panics.ended()
    assert text.splitlines() == [b"before", SAID + b" down", SAID + b" down", b"after", b""]


def test_a_defect_of_ours_is_not_taken_for_one_of_the_library():
    with pytest.raises(TypeError), native_errors(lambda _: LedgerError("no")):
        raise TypeError


def test_a_ledger_before_its_first_commit_is_waited_for(tmp_path):
    asked = []

    def closed():
        asked.append(1)
        new_ledger(tmp_path / "ledger")  # the worker comes to it
        return True

    assert opened(str(tmp_path / "ledger"), closed, look_s=0.0).partitions == 1
    assert asked == [1]


def test_nobody_waits_for_a_ledger_of_a_run_that_was_never_closed(tmp_path):
    with pytest.raises(NoLedgerError, match="there is no ledger at"):
        opened(str(tmp_path), lambda: False)
    with pytest.raises(NoLedgerError):
        opened(str(tmp_path), lambda: True, wait_s=0.01, look_s=0.001)


KILLED = """
import logging, os, signal, sys
from streams.kit.logs import set_up_logs
from streams.ledger.native import quiet_panics
set_up_logs()
quiet_panics()
logging.getLogger("refusion").warning("the last line")
sys.stderr.write("and what Python writes\\n")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_no_line_of_ours_is_lost_with_a_process_that_is_killed():
    done = subprocess.run(
        [sys.executable, "-c", KILLED], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == -9
    assert "the last line\nand what Python writes\n" in done.stderr
