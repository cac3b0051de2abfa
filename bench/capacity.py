"""The memory of a worker with many citizens, and the restore of a lost disk."""

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from bench.rig import PARTITION_NUMBERS, bench, peak_mb_of, reached
from demo.cluster import stop

RESTORED: Final = re.compile(r"restored (\d+) records in ([\d.]+) s")


class Size(NamedTuple):
    """The size of a worker with many citizens."""

    peak_mb: float
    records: int
    restore_seconds: float


async def memory_and_restore(bootstrap: str, folder: Path, lines: Sequence[bytes]) -> Size:
    """Measure the peak memory of a worker that settled everything, and a full restore.

    The restore is of all its partitions on an empty disk.
    """
    async with bench(bootstrap, folder) as run:
        first = run.start("first")
        async with run.held_back(lines):
            await run.shared([first])
        await reached("memory", run.committed("citizens"), len(lines))
        peak_mb = peak_mb_of(first.process.pid)
        await asyncio.to_thread(stop, [first])
        log = run.settings.state_dir / "second" / "log"
        run.start("second", ["citizens"])

        async def restored() -> int:
            return len(RESTORED.findall(log.read_text()))

        await reached("the restore", restored, len(PARTITION_NUMBERS))
        parts = RESTORED.findall(log.read_text())
        return Size(
            peak_mb,
            sum(int(count) for count, _ in parts),
            max(float(seconds) for _, seconds in parts),
        )
