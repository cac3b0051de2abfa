"""Defects put into the law by a machine: the tests notice nearly all; those that they do not are
printed.
"""

import json
import subprocess
import sys

import pytest

from tests.support.places import ROOT
from tests.support.sizes import sized

SAMPLE = sized(40, 300)
NOTICED_AT_LEAST = 0.85
"""Survivors are named in `survivors.md`, each with its reason: most change nothing that could be
seen. A drop below this is a law that no test holds."""


@pytest.mark.long
def test_a_sample_of_defects_in_the_law_is_noticed(tmp_path):
    command = [
        sys.executable,
        "-m",
        "tests.mutation.run",
        str(tmp_path),
        "--sample",
        str(SAMPLE),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    results = json.loads(done.stdout.splitlines()[-1])
    assert len(results) == SAMPLE
    noticed = [
        name for name, result in results.items() if result in ("killed", "timeout", "segfault")
    ]
    survivors = sorted(results.keys() - set(noticed))
    sys.stdout.write(f"{len(noticed)} of {SAMPLE} defects noticed; not so:\n")
    for name in survivors:
        show = [sys.executable, "-m", "mutmut", "show", name]
        sys.stdout.write(
            subprocess.run(show, capture_output=True, text=True, check=False, cwd=tmp_path).stdout
        )
    assert len(noticed) >= NOTICED_AT_LEAST * SAMPLE
