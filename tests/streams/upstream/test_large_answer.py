"""An answer about very many persons is converted whole, in memory that does not grow with it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.streams.upstream.test_eindkomst import CPR, LINE, answer, folder, period, refund
from tests.support.sizes import sized

__all__ = ["folder"]  # the fixture
PERSONS = sized(50_000, 100_000)
MEGABYTE = 1 << 20
GROWTH_BYTES = PERSONS * 200
"""Less than a conversion would take that kept anything of each person."""
PROGRAM = """
import atexit, os, pathlib
status, memory = pathlib.Path("/proc/self/status"), pathlib.Path(os.environ["MEMORY_FILE"])
atexit.register(lambda: memory.write_text(status.read_text()))
from streams.cli.main import main
main()
"""
"""The program, which tells its own memory at its end: that of a child is its parent's at first."""


def number(person):
    day, rest = 61 + person % 28, person // 28
    return f"{day}{1 + rest % 12:02d}{rest // 12 % 100:02d}{1000 + rest // 1200}"


def converted(folder: Path, persons: int):
    """Give the summary of an answer that comes through a pipe, and the most memory in bytes."""
    head, tail = answer(("{}",)).split("<IndkomstOplysningPersonStruktur>")[0], "</Svar>"
    lines = period(refund((*LINE[:3], (205, "{}")), income=((58, "12000.00"), (199, "90.00"))))
    one = answer(("{}", lines)).removeprefix(head).removesuffix(tail)
    assert CPR not in one
    with (folder / "reports").open("wb") as reports, (folder / "summary").open("wb") as summary:
        process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                PROGRAM,
                "convert",
                "eindkomst",
                "-",
                "--json",
                "--tables",
                folder,
            ],
            stdin=subprocess.PIPE,
            stdout=reports,
            stderr=summary,
            env=os.environ | {"REFUSION_DEMO": "1", "MEMORY_FILE": str(folder / "memory")},
        )
        assert process.stdin is not None
        with process.stdin as given:
            given.write(head.encode())
            for person in range(persons):
                given.write(one.replace("{}", number(person)).encode())
            given.write(tail.encode())
        process.wait()
    assert process.returncode == 0, (folder / "summary").read_text()
    (folder / "lines.sqlite").unlink()
    (kilobytes,) = re.findall(r"VmHWM:\s+(\d+) kB", (folder / "memory").read_text())
    return json.loads((folder / "summary").read_text()), int(kilobytes) * 1024


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_very_many_persons_are_converted_in_bounded_memory(folder):
    assert len({number(person) for person in range(PERSONS)}) == PERSONS
    _, few_bytes = converted(folder, 2_000)
    summary, many_bytes = converted(folder, PERSONS)
    assert (summary["persons"], summary["periods"]) == (PERSONS, PERSONS)
    assert summary["reports"]["benefit_payment"] == {"KTH": PERSONS}
    assert summary["out_ore"] == {"KTH": 1_200_000 * PERSONS, "atp": 9_000 * PERSONS, "pension": 0}
    assert (summary["rejects"], summary["difference_ore"]) == ({}, 0)
    with (folder / "reports").open("rb") as file:
        assert sum(1 for _ in file) == PERSONS
    assert many_bytes < 100 * MEGABYTE
    assert many_bytes - few_bytes < GROWTH_BYTES
