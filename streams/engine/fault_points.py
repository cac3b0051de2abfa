"""Places of the protocol where a test lets this process die or stand still. Without the settings below: nothing.

    REFUSION_TEST_KILL="citizens:before_commit:3"   SIGKILL when the citizens stage gets there the third time
    REFUSION_TEST_STOP="citizens:before_commit:3"   SIGSTOP there; the test sends SIGCONT

The places are those that call `reached`; step numbers are those of `streams.engine.loop`.
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
    """The signal to raise, by place and how many times it was reached."""
    plans = {}
    for setting, name in SIGNALS.items():
        if plan := environ.get(setting):
            place, _, times = plan.rpartition(":")
            plans[place, int(times)] = name
    return plans


_PLANS = _planned(os.environ)
_times: Counter[str] = Counter()


def reached(stage: str, point: Point) -> None:
    """This process is at a point of the protocol."""
    if _PLANS:
        place = f"{stage}:{point}"
        _times[place] += 1
        if name := _PLANS.get((place, _times[place])):
            os.kill(os.getpid(), getattr(signal, name))
