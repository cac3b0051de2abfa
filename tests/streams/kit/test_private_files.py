"""Files that the program leaves are readable by their owner alone, whatever the user's umask is."""

import os
import subprocess
import sys
from pathlib import Path

from tests.support.lines import payment

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
