"""The ledger and the municipalities' files: rows a second into the table, and a month's export.

A national month is 4 million posting rows of 800,000 citizens in 98 municipalities, of which
København has a tenth. The rows are invented, five a message; the measurement covers what the stage
and the command do with them.
"""

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import orjson

from bench.rig import Figure
from projections.ledger.entries import LedgerProgress, Posted, advance, read_page
from streams.citizens.rule_sets import load_rule_set
from streams.ledger.table import Append, LedgerTable, entries_batch
from streams.settings import Settings

PARTITIONS = 12
RUN = 60
ROWS_A_MESSAGE = 5
MESSAGES_AN_APPEND = 4_000
"""The messages of an append, of all partitions together: the size when a ledger is built anew."""
CODES = ("KTH", "SDP-B", "ADP", "REV", "FLT", "FPN")
WEEKS = ("2024-11-04", "2024-11-11", "2024-11-18", "2024-11-25", "2024-10-28")
RATES = (80, 40, 30, 20)
PROGRAM = [sys.executable, "-c", "from streams.cli.main import main; main()"]
MEASURED = (
    "import resource, subprocess, sys; done = subprocess.run(sys.argv[1:]); "
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr); "
    "sys.exit(done.returncode)"
)


class Exported(NamedTuple):
    """The result and the cost of an export."""

    rows: int
    seconds: float
    peak_mb: float


def settings_in(folder: Path) -> Settings:
    """Return settings with demo keys and the ledger in a folder."""
    return Settings.load({"REFUSION_DEMO": "1", "REFUSION_STATE_DIR": str(folder)})


def _messages(settings: Settings, rows: int) -> Iterator[bytes]:
    rules, identity, rng = load_rule_set(), settings.identity(), random.Random(1)
    codes = sorted(rules.municipalities)
    weights = [1 / (7 + rank) for rank in range(len(codes))]
    homes = rng.choices(codes, weights, k=rows // ROWS_A_MESSAGE)
    for number, home in enumerate(homes):
        days = f"{61 + number % 28:02}{1 + number // 28 % 12:02}{number // 336 % 100:02}"
        citizen, sealed = identity.of(f"{days}{number // 33_600:04}")
        code, rate = CODES[number % len(CODES)], RATES[number % len(RATES)]
        is_refusion = rules.benefits[code].mechanism == "refusion"
        yield orjson.dumps(_message(citizen, sealed, number, code, home, is_refusion, rate))


def _message(
    citizen: str, sealed: str, number: int, code: str, home: str, is_refusion: bool, rate: int
) -> dict[str, object]:
    amount_ore = 200_000 + number % 90_000
    result_ore = amount_ore * rate // 100
    row = {
        "kind": "result", "month": "2024-11", "benefit": code,
        "paying": home if is_refusion else None, "financing": home,
        "amount_ore": amount_ore, "ordinal": 7, "rate": rate, "account": None,
        "mechanism": "refusion" if is_refusion else "medfinansiering",
        "refusion_ore": result_ore if is_refusion else 0,
        "medfinansiering_ore": 0 if is_refusion else result_ore,
    }  # fmt: skip
    rows = [row | {"id": f"{citizen[:24]}{at}", "week": week} for at, week in enumerate(WEEKS)]
    common = {
        "schema": 1,
        "type": "postings",
        "citizen": citizen,
        "revision": 1,
        "cause": f"12345678/{number}",
    }
    return common | {"reason": "report", "rules": "R-1", "cpr_sealed": sealed, "rows": rows}


def built(folder: Path, rows: int) -> float:
    """Build the ledger of one closed run; returns rows a second, without making the messages."""
    table = LedgerTable.make(settings_in(folder).ledger, "refusion.postings", "bench", PARTITIONS)
    partitions = [LedgerProgress(number) for number in range(PARTITIONS)]
    spent = 0.0
    messages = _messages(settings_in(folder), rows)
    while portion := tuple(islice(messages, MESSAGES_AN_APPEND)):
        began = time.monotonic()
        _append(table, partitions, [portion[number::PARTITIONS] for number in range(PARTITIONS)])
        spent += time.monotonic() - began
    marker = {
        "schema": 1,
        "type": "run",
        "run": RUN,
        "closed_at": "2024-12-05T10:00:00Z",
        "data_month": "2024-12",
    }
    _append(table, partitions, [(orjson.dumps(marker),)] * PARTITIONS)
    return rows / spent


def _append(
    table: LedgerTable, partitions: list[LedgerProgress], values: list[tuple[bytes, ...]]
) -> None:
    appends = []
    for progress, own in zip(partitions, values, strict=True):
        start = progress.position
        page = read_page(
            progress,
            [Posted(start + at, orjson.loads(value), start + at) for at, value in enumerate(own)],
        )
        advance(progress, page, start + len(own))
        appends.append(
            Append(progress.partition, start, progress.position, entries_batch(page.entries))
        )
    table.append(appends)
    table.keep_house(range(PARTITIONS))


def exported(folder: Path) -> Exported:
    """Export the run as a user does, and measure it."""
    out = folder / "files"
    command = [
        *PROGRAM,
        "export",
        "--run",
        str(RUN),
        "--out",
        str(out),
        "--without-notices",
        "--json",
    ]
    environment = os.environ | {"REFUSION_DEMO": "1", "REFUSION_STATE_DIR": str(folder)}
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *command],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    seconds = time.monotonic() - began
    return Exported(
        orjson.loads(done.stdout)["rows"], seconds, int(done.stderr.splitlines()[-1]) / 1024
    )


def figures(folder: Path, ledger_rows: int) -> list[Figure]:
    """Measure the ledger's table, and a month's files from it."""
    rate = built(folder / "books", ledger_rows)
    done = exported(folder / "books")
    return [
        ("postings into the ledger", f"{rate:,.0f} rows/s", ""),
        (f"export of {done.rows:,} rows, 98 municipalities", f"{done.seconds:.0f} s", ""),
        ("its peak memory", f"{done.peak_mb:.0f} MB", ""),
    ]
