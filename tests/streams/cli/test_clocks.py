"""Machines whose clock is far off: what is settled does not depend on it."""

import os
import subprocess

import pytest

from tests.cluster.machines import FAKETIME
from tests.support.lines import payment, reversal
from tests.support.pipeline import PROGRAM


@pytest.mark.skipif(not FAKETIME.exists(), reason="libfaketime is not installed")
@pytest.mark.parametrize("moment", ["1970-01-01 00:00:10", "2100-03-01 12:00:00"])
def test_the_same_is_settled_in_1970_and_in_2100(moment):
    def settled(**given):
        return subprocess.run(
            [PROGRAM, "settle"],
            env=os.environ | {"REFUSION_DEMO": "1", "REFUSION_DEMO_ANYWHERE": "1"} | given,
            input=payment() + b"\n" + reversal() + b"\n",
            capture_output=True,
            check=True,
        ).stdout

    off = settled(LD_PRELOAD=str(FAKETIME), FAKETIME=f"@{moment}", FAKETIME_DONT_FAKE_MONOTONIC="1")
    assert off == settled() != b""
