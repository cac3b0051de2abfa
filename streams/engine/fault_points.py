"""Lets a test kill or stop this process at a point of the protocol.

Without a setting it does nothing.

    REFUSION_TEST_KILL="citizens:before_commit:3"   SIGKILL when the citizens stage reaches the
                                                    point for the third time
    REFUSION_TEST_STOP="citizens:before_commit:3"   SIGSTOP there; the test sends SIGCONT

In the steps of `streams.engine.loop`: `in_restore` is in step 1, `before_transaction` before 4,
`before_commit` inside 4, `after_commit` between 4 and 5, `in_revocation` in 6; `in_recalculation`
is in step 3 of the citizens stage.
"""

import os
import signal
from collections import Counter
from collections.abc import Mapping
from typing import Literal

Point = Literal[
    "in_restore",
    "in_recalculation",
    "before_transaction",
    "before_commit",
    "after_commit",
    "in_revocation",
]

SIGNALS = {"REFUSION_TEST_KILL": "SIGKILL", "REFUSION_TEST_STOP": "SIGSTOP"}


def _planned(environ: Mapping[str, str]) -> dict[tuple[str, int], str]:
    """Read the settings: the signal to raise at the n-th time a place is reached."""
    plans = {}
    for setting, name in SIGNALS.items():
        if plan := environ.get(setting):
            place, _, times = plan.rpartition(":")
            plans[place, int(times)] = name
    return plans


_PLANS = _planned(os.environ)
_times: Counter[str] = Counter()


def reached(stage: str, point: Point) -> None:
    """Raise the signal that a test has planned for this point of the protocol, if any."""
    if _PLANS:
        place = f"{stage}:{point}"
        _times[place] += 1
        if name := _PLANS.get((place, _times[place])):
            os.kill(os.getpid(), getattr(signal, name))
