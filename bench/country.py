"""A country for a year: the commands of its months on a real Kafka, and what a citizen costs.

COUNTRY_CITIZENS has the number of citizens, 1,400,000 if it is not set; several (350000,700000)
show what grows faster than the work. COUNTRY_MONTHS has how many months (12); the cost of a year is
that of as many, as if it went on like them. All of the year comes within hours, so closing a run
reads all that came before; in operation it reads nine months.

The whole takes hours. With COUNTRY_FOLDER the country stays in that folder, and the same command
goes on where an earlier one has ended; no step begins when COUNTRY_MINUTES have passed.

1. The year is simulated, and cut into the months in which its reports arrive.
2. For each month two workers settle what `refusion publish` sends, then the run is closed and
   exported.
3. A disk is lost, and all state is restored. Everybody is settled anew by a rule set that halves
   the State's rates: the dry run that comes first, then what moves. `refusion verify` audits all of
   it.
"""

import asyncio
import math
import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from shutil import rmtree
from typing import Final

import orjson

from bench.cost import Used, cost_rows
from bench.rig import (
    PARTITION_NUMBERS,
    Bench,
    BenchError,
    Figure,
    Spent,
    cpu_seconds,
    measuring,
    peak_mb_of,
    settings_of,
)
from bench.sittings import OutOfTimeError, Sitting
from demo.cluster import Worker, environment, stop
from domain.basics.weeks import month_number, month_text
from streams.devtools.local_kafka import LocalKafka
from streams.devtools.local_kafka.broker import Node
from streams.kafka.errors import KafkaError
from streams.settings import Settings
from streams.settings_table import FOUR_EYES, LEDGER, LIS, RULES
from streams.wire.control_records import run_of
from streams.worker.app import STAGES

SIZES: Final = os.environ.get("COUNTRY_CITIZENS", "1400000")
MONTHS: Final = int(os.environ.get("COUNTRY_MONTHS", "12"))
FOLDER: Final = os.environ.get("COUNTRY_FOLDER", "")
MINUTES: Final = float(os.environ.get("COUNTRY_MINUTES", math.inf))
FIRST: Final = month_number("2023-01")
WORKERS: Final = 2
PROGRAM: Final = Path(sys.executable).parent / "refusion"
OTHER_RULES: Final = Path(__file__).parent.parent / "examples" / "what-if" / "halved-staircase.yaml"
"""The rule set by which everybody is settled anew. Nearly each row of refusion moves, which is the
most that a change of the law can do."""
REPORTED: Final = b'"reported_at":"'
MONTH_BYTES: Final = len("2023-01")
PATIENCE_S: Final = 3600.0
"""The longest wait for a month to be settled."""
LOOK_S: Final = 0.2
_RESTORED: Final = re.compile(r"restored \d+ records")
MEGA: Final = 1e6
BLOCK: Final = 512
"""Bytes of a block, in which a file system counts what a file takes."""
RAW: Final = "reports.raw"
KEPT: Final = ("reports", "postings", "citizens", "notices")
"""The topics that are kept; raw reports go after a week."""


class Country:
    """One size of the country: its folder, its broker, its workers, and what they have spent."""

    def __init__(
        self, run: Bench, folder: Path, node: Node, citizens: int, sitting: Sitting
    ) -> None:
        self.citizens = citizens
        self._run = run
        self._folder = folder
        self._sitting = sitting
        assert node.pid is not None
        self._broker = node.pid
        self._data = node.folder / "data"
        self._output = folder / "output"
        self._workers: list[Worker] = []

    async def whole(self) -> None:
        """Go through the year and what comes after it, as far as no earlier sitting has.

        Raises OutOfTimeError where there is no time for all of it.
        """
        do = self._sitting.step
        await do("simulated", self._simulated)
        await self._start("again" if self._sitting.has_done("restored") else "worker")
        for month in map(month_text, _months()):
            await do(month, partial(self._month, month))
        await do("summed up", self._summed_up)
        await do("restored", self._restored)
        await do("settled anew", self._recalculated)
        await do("audited", self._audited)

    async def _start(self, name: str) -> None:
        """Start the workers with state folders of this name, and wait until they share it all."""
        self._workers = [self._run.start(f"{name}-{at}", STAGES) for at in range(WORKERS)]
        await self._run.shared(self._workers, STAGES)

    # --- the year ---------------------------------------------------------------------------------

    async def _simulated(self) -> None:
        """Simulate the year into a file for each month of arrival; the rest comes with the last."""
        last = FIRST + MONTHS - 1
        command = [
            *(str(PROGRAM), "simulate", "--citizens", str(self.citizens), "--seed", "1"),
            *("--months", f"{month_text(FIRST)}..{month_text(last)}"),
        ]
        out = {month: self._lines(month_text(month)).open("wb") for month in _months()}
        with subprocess.Popen(command, stdout=subprocess.PIPE) as simulating:
            assert simulating.stdout is not None
            for line in simulating.stdout:
                out[_arrives(line)].write(line)
        for file in out.values():
            file.close()
        if simulating.returncode:
            raise BenchError("the country could not be simulated")

    def _lines(self, month: str) -> Path:
        """Return the file of the reports that arrive in a month."""
        return self._folder / f"{month}.jsonl"

    async def _month(self, month: str) -> None:
        """Publish, settle, close and export a month."""
        lines = self._lines(month)
        number = _lines_in(lines)
        with self._measured() as settling:
            await self._command("publish", str(lines))
            await self._caught_up()
        close = ("run", "close", "--month", month, "--accept", "a measurement")
        with self._measured() as closing:
            close_peak = await self._command(*close)
        run = str(run_of(month_number(month)))
        with self._measured() as exporting:
            out = str(self._folder / "files")
            export_peak = await self._command("export", "--run", run, "--out", out)
        for spent in (*settling, *closing, *exporting):
            self._sitting.add(spent)
        self._sitting.reports += number
        peak = max(peak_mb_of(worker.process.pid) for worker in self._workers)
        self._figure(
            f"{month}: {number:,} reports, raw to ledger",
            f"{number / settling[0].clock_s:,.0f}/s, {_said(settling[0])}, {peak:,.0f} MB",
        )
        self._figure(
            f"{month}: close, export",
            f"{_said(closing[0])}, {close_peak}; {_said(exporting[0])}, {export_peak}",
        )

    async def _summed_up(self) -> None:
        """Note what the year has taken, and what a citizen costs."""
        year = self._sitting.spent
        self._figure(f"{MONTHS} months with {self._sitting.reports:,} reports", _said(year))
        self._figure("the broker's peak", f"{peak_mb_of(self._broker):,.0f} MB")
        self._sizes()
        self._sitting.figures += cost_rows(self._used(year.cpu_s).of_a_year(MONTHS))

    async def _caught_up(self) -> None:
        """Wait until all stages have processed everything."""
        until = time.monotonic() + PATIENCE_S
        for stage in STAGES:
            while not await self._is_over(stage):
                for worker in self._workers:
                    worker.check()
                if time.monotonic() > until:
                    raise BenchError(f"{stage} is still behind after {PATIENCE_S:,.0f} s")
                await asyncio.sleep(LOOK_S)

    async def _is_over(self, stage: str) -> bool:
        with suppress(KafkaError):  # a group whose coordinator is still being found
            return (await self._run.watch.lag(stage)).over
        return False

    # --- after it ---------------------------------------------------------------------------------

    async def _restored(self) -> None:
        """Lose all disks of state, and wait until the workers have restored them."""
        await self.stop()
        for folder in self._run.settings.state_dir.glob("worker-*"):
            rmtree(folder)
        with self._measured() as restoring:
            await self._start("again")
            logs = [self._run.settings.state_dir / f"again-{at}" / "log" for at in range(WORKERS)]
            while sum(restored_in(log.read_text()) for log in logs) < len(PARTITION_NUMBERS):
                await asyncio.sleep(LOOK_S)
        self._figure("restore of all state", _said(restoring[0]))

    async def _recalculated(self) -> None:
        """Settle everybody anew by other rules: its dry run, then applied until it stands."""
        how = ("--apply", "--yes", "--jobs", "2", "--json")
        with self._measured() as applying:
            peak = await self._command("replay", "--rules", OTHER_RULES.stem, *how)
            await self._caught_up()
        told = orjson.loads(self._output.read_bytes())
        moved = told["applied"]
        self._figure(
            "everybody settled anew",
            f"{_said(applying[0])}, {peak}; of it the dry run {told['seconds']:,.0f} s, postings"
            f" until they stood {moved['seconds']:,.0f} s",
        )
        self._figure(
            f"of {told['citizens_in_scope']:,} citizens {told['citizens_changed']:,} moved",
            f"{moved['messages']:,} messages, {moved['rows']:,} rows,"
            f" {moved['cost_ore'] / 100:,.2f} kr.",
        )

    async def _audited(self) -> None:
        with self._measured() as auditing:
            peak = await self._command("verify", "--jobs", "2")
        self._figure("verify", f"{_said(auditing[0])}, {peak}")

    async def stop(self) -> None:
        """Stop the workers, and wait until they have ended."""
        await asyncio.to_thread(stop, self._workers)
        self._workers = []

    # --- measuring --------------------------------------------------------------------------------

    async def _command(self, *words: str) -> str:
        """Run a command of the program to its end. Returns its peak of memory in words.

        That of its largest process, where it has several. Raises BenchError where it fails.
        """
        with self._output.open("wb") as output:
            process = subprocess.Popen(
                [str(PROGRAM), *words],
                env=environment(self._run.settings),
                stdout=output,
                stderr=subprocess.PIPE,
            )
        try:
            said, kilobytes = await asyncio.to_thread(_ended, process)
        finally:
            process.kill()
        if process.returncode:
            raise BenchError(f"refusion {words[0]}: status {process.returncode}: {said}")
        return f"{kilobytes / 1024:,.0f} MB"

    def _cpu_s(self) -> float:
        """Return the processor seconds so far: the broker, the workers, and what has ended."""
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        living = [self._broker, *(worker.process.pid for worker in self._workers)]
        return ended.ru_utime + ended.ru_stime + sum(map(cpu_seconds, living))

    @contextmanager
    def _measured(self) -> Iterator[list[Spent]]:
        """Measure a block; the list has its spending when it is over."""
        spent: list[Spent] = []
        clock, cpu = time.monotonic(), self._cpu_s()
        yield spent
        spent.append(Spent(time.monotonic() - clock, self._cpu_s() - cpu))

    def _figure(self, subject: str, figure: str) -> None:
        """Note a figure, and show it: the whole takes hours."""
        self._sitting.figures.append((f"{self.citizens:,} citizens, {subject}", figure, ""))
        print(f"{self.citizens:,} citizens, {subject}: {figure}", flush=True)

    def _sizes(self) -> None:
        """Note the bytes on disk, by topic and by store."""
        for name, size in [*self._topic_bytes().items(), *self._store_bytes().items()]:
            self._figure(f"on disk: {name}", f"{size / MEGA:,.0f} MB, {self._each(size)}")

    def _each(self, size: int) -> str:
        return f"{size / self.citizens:,.0f} bytes a citizen"

    def _topic_bytes(self) -> dict[str, int]:
        """Return the bytes of each topic, by its name without the prefix."""
        prefix, sizes = self._run.settings.prefix, dict.fromkeys((*KEPT, RAW), 0)
        for folder in self._data.glob(f"{prefix}*"):
            topic = folder.name.removeprefix(prefix).rpartition("-")[0]
            if topic in sizes:
                sizes[topic] += _bytes_in(folder)
        return sizes

    def _store_bytes(self) -> dict[str, int]:
        state = self._run.settings.state_dir
        workers = [path for path in state.iterdir() if (path / "log").exists()]
        return {
            "state": sum(map(_bytes_in, workers)),
            "ledger": _bytes_in(self._folder / "ledger"),
            "tables of LIS": _bytes_in(self._folder / "lis"),
            "files": _bytes_in(self._folder / "files"),
        }

    def _used(self, cpu_s: float) -> Used:
        topics, stores = self._topic_bytes(), self._store_bytes()
        raw = topics.pop(RAW)
        return Used(self.citizens, cpu_s, sum(topics.values()), sum(stores.values()), raw)


# --- the whole --------------------------------------------------------------------------------


def figures(folder: Path) -> list[Figure]:
    """Measure each size of the country, as far as there is time."""
    place = Path(FOLDER) if FOLDER else folder
    return [row for size in SIZES.split(",") for row in _size(place / size, int(size))]


def _size(folder: Path, citizens: int) -> list[Figure]:
    (folder / "kafka").mkdir(parents=True, exist_ok=True)
    sitting = Sitting(folder, MINUTES if FOLDER else math.inf)
    try:
        with LocalKafka(folder=folder / "kafka") as kafka:
            asyncio.run(_country(kafka, folder, citizens, sitting))
    except OutOfTimeError:
        print(f"{citizens:,} citizens: it goes on with COUNTRY_FOLDER={FOLDER}", flush=True)
    finally:
        if not FOLDER:
            rmtree(folder)
    return sitting.figures


async def _country(kafka: LocalKafka, folder: Path, citizens: int, sitting: Sitting) -> None:
    (node,) = kafka.nodes
    async with measuring(_settings(kafka.bootstrap, folder)) as run:
        country = Country(run, folder, node, citizens, sitting)
        try:
            await country.whole()
        finally:
            await country.stop()


def _settings(bootstrap: str, folder: Path) -> Settings:
    """Return the settings of a country: all that it keeps is in its folder."""
    state = folder / "state"
    state.mkdir(exist_ok=True)
    more = {
        LEDGER.name: str(folder / "ledger"),
        LIS.name: str(folder / "lis"),
        FOUR_EYES.name: "0",
        RULES.name: str(OTHER_RULES.parent),
    }
    return settings_of(bootstrap, "country.", state, more)


def restored_in(log: str) -> int:
    """Count the partitions that a worker has restored to the end, by what it has told."""
    return len(_RESTORED.findall(log))


def _months() -> range:
    return range(FIRST, FIRST + MONTHS)


def _arrives(line: bytes) -> int:
    """Return the month in which a report arrives: within the year, the first or the last."""
    at = line.index(REPORTED) + len(REPORTED)
    month = month_number(line[at : at + MONTH_BYTES].decode())
    return min(max(month, FIRST), FIRST + MONTHS - 1)


def _ended(process: subprocess.Popen[bytes]) -> tuple[str, int]:
    """Wait for a process. Returns what it said on stderr, and its peak of memory in kilobytes."""
    assert process.stderr is not None
    said = process.stderr.read().decode()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return said, used.ru_maxrss


def _lines_in(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for _ in file)


def _bytes_in(folder: Path) -> int:
    return sum(path.stat().st_blocks * BLOCK for path in folder.rglob("*") if path.is_file())


def _said(spent: Spent) -> str:
    return f"{spent.clock_s:,.0f} s, {spent.cpu_s:,.0f} s of processor time"
