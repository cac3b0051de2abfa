"""Files that the program leaves are readable by their owner alone, whatever the user's umask is."""

import os
import subprocess
import sys
from pathlib import Path

from tests.streams.ledger.conftest import server
from tests.support.lines import payment
from tests.support.postings import ledger_of, marker, posting

__all__ = ["server"]  # a fixture

PROGRAM = Path(sys.executable).parent / "refusion"


def test_rejects_and_notices_are_private_under_an_open_umask(tmp_path):
    """Rejects are whole records with their CPR numbers."""
    lines = payment() + b"\n" + payment(cpr="bad") + b"\n"
    done = subprocess.run(
        [PROGRAM, "settle", "--rejects", tmp_path / "rejects", "--notices", tmp_path / "notices"],
        input=lines,
        capture_output=True,
        check=False,
        env=os.environ | {"REFUSION_DEMO": "1", "REFUSION_DEMO_ANYWHERE": "1"},
        umask=0o022,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "rejects").stat().st_size > 0
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in tmp_path.iterdir()}
    assert modes == {"rejects": "0o600", "notices": "0o600"}


def test_all_that_export_and_deliver_leave_is_private_under_an_open_umask(tmp_path, server):
    """Drafts, files, lists of what is left out, the access log, receipts and locks."""
    row = {"amount_ore": 270968, "refusion_ore": 216774}
    broken = posting("6202801235", 1, row) | {"cpr_sealed": "zzz"}
    ledger_of(tmp_path / "ledger", [posting("6101801234", 1, row), broken, marker(49)])
    left = tmp_path / "left"
    given = {
        "REFUSION_DEMO": "1",
        "REFUSION_STATE_DIR": str(left / "state"),
        "REFUSION_LEDGER": str(tmp_path / "ledger"),
        "REFUSION_SFTP_KNOWN_HOSTS": str(server.keys / "known_hosts"),
        "REFUSION_SFTP_KEY": str(server.keys / "client"),
    }

    def run(status, *words):
        done = subprocess.run(
            [PROGRAM, *words],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | given,
            umask=0o000,
        )
        assert done.returncode == status, done.stderr

    out = ["--out", left / "files", "--no-wait", "--without-notices", "--parquet"]
    run(1, "export", "--run", "49", *out)
    to = f"sftp://refusion@127.0.0.1:{server.port}/in/{{municipality}}"
    files = ["--from", left / "files", "--to", to, "--municipality", "730"]
    run(0, "deliver", "--run", "49", *files)
    names = {path.name for path in left.rglob("*")}
    assert {"access-log.jsonl", "receipts.jsonl", "left-out-run-0049.jsonl"} <= names
    assert len(names) > 98 * 4
    assert [path for path in left.rglob("*") if path.stat().st_mode & 0o077] == []
