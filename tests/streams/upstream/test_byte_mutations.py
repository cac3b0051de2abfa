"""Answers whose bytes were spoiled never crash the conversion, and no money is lost in any."""

import io
import json
import random
import tempfile
from pathlib import Path

import pytest

from streams.settings import Settings
from streams.upstream.conversion import AnswerConversion
from streams.upstream.tables import UpstreamTables
from tests.fuzz.mutations import spoil_bytes
from tests.streams.upstream.test_eindkomst import CPR, LINE, answer, folder, period, refund
from tests.support.memory_folder import MEMORY
from tests.support.sizes import sized

__all__ = ["folder"]  # the fixture
DEMO = Settings.load({"REFUSION_DEMO": "1"})
TEXT = answer((CPR, period(refund(LINE))), (CPR, period(refund(LINE), report="B")))
ANSWERS = [
    TEXT.encode(),
    TEXT.encode("utf-8-sig"),
    TEXT.replace("UTF-8", "ISO-8859-1").encode("latin-1"),
    TEXT.replace("UTF-8", "UTF-16").encode("utf-16"),
]
FEW, MANY = 1_000, sized(2_000, 100_000)
AT_ONCE = 1_000
"""Answers that are converted together: what is kept is committed once for them all."""


def spoiled(seed):
    """Spoil up to six places of an answer, or as all kinds of bad input are spoiled."""
    rng = random.Random(seed)
    whole = bytearray(rng.choice([ANSWERS[0], *ANSWERS]))  # three of five are in plain UTF-8
    if rng.random() < 0.3:
        return spoil_bytes(rng, bytes(whole), ANSWERS)
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(whole))
        if rng.random() < 0.5:
            whole[at] = rng.choice(b"<>/&\"'0159-. \x00\xe6a")
        else:
            del whole[at : at + rng.randint(1, 40)]
    return bytes(whole)


def check(folder, seeds):
    """Convert a spoiled answer for each seed, a part of them at a time."""
    tables = UpstreamTables(folder)
    for first in seeds[::AT_ONCE]:
        with tempfile.TemporaryDirectory(prefix="spoiled-", dir=MEMORY) as name:
            some = range(first, min(first + AT_ONCE, seeds.stop))
            for seed in some:
                (Path(name) / f"{seed}.xml").write_bytes(spoiled(seed))
            rejects = io.BytesIO()
            conversion = AnswerConversion(DEMO, tables, io.BytesIO(), rejects)
            conversion.convert([name])
        found = conversion.totals.as_object()
        assert found["difference_ore"] == 0, some
        assert sum(found["reports"]["benefit_payment"].values()) > len(some) / 10
        refused = {json.loads(line)["file"] for line in rejects.getvalue().splitlines()}
        assert len(refused) > len(some) / 3
        assert CPR.encode() not in rejects.getvalue()


def test_answers_with_spoiled_bytes_never_crash_and_lose_no_money(folder):
    check(folder, range(FEW))


@pytest.mark.long
def test_answers_with_bytes_that_were_spoiled_many_times(folder):
    check(folder, range(FEW, MANY))
