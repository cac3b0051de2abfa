"""Both stages on a real Kafka: the table of their figures."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Final

from bench.arrivals import StandStills, latencies, stand_stills
from bench.capacity import Size, memory_and_restore
from bench.rig import Figure, population
from bench.throughput import Pace, each_stage_alone, end_to_end, peer
from streams.devtools.local_kafka import LocalKafka
from streams.engine.timing import SESSION_S

PEER_SHARE: Final = 10
"""The peer gets every report of the first tenth: all of them would take minutes."""
WARM_UPS: Final = 2
"""The runs before the first measurement: a Java that has just started is several times slower."""
ROUNDS: Final = 3
"""The rounds of the peer, one worker and two, in turn.

The table has their medians, and the medians of the ratios within a round.
"""


def figures(folder: Path, citizens: int, many: int) -> list[Figure]:
    """Measure a year of `citizens`, and of `many` citizens for memory and restore."""
    lines = population(citizens)
    with LocalKafka() as kafka:
        return asyncio.run(_figures(kafka.bootstrap, folder, lines, many))


async def _figures(bootstrap: str, folder: Path, lines: Sequence[bytes], many: int) -> list[Figure]:
    share = lines[: len(lines) // PEER_SHARE]
    for _ in range(WARM_UPS):
        await end_to_end(bootstrap, folder, lines, 1)
    rounds = [
        (
            await peer(bootstrap, folder, share),
            await end_to_end(bootstrap, folder, lines, 1),
            await end_to_end(bootstrap, folder, lines, 2),
        )
        for _ in range(ROUNDS)
    ]
    peers, one, two = (median(rates) for rates in zip(*rounds, strict=True))
    of_one = median(one / peers for peers, one, _ in rounds)
    of_two = median(two / peers for peers, _, two in rounds)
    return [
        ("peer: Faust agent, RocksDB table, at least once", f"{peers:,.0f}/s", "1.00"),
        ("raw to postings, exactly once, one worker", f"{one:,.0f}/s", f"{of_one:.1f}"),
        ("raw to postings, exactly once, two workers", f"{two:,.0f}/s", f"{of_two:.1f}"),
        *_stage_rows(await each_stage_alone(bootstrap, folder, lines), peers),
        *_latency_rows(await latencies(bootstrap, folder, lines, one / 2), one / 2),
        *_stand_still_rows(await stand_stills(bootstrap, folder, lines)),
        *_size_rows(await memory_and_restore(bootstrap, folder, population(many)), many),
    ]


def _stage_rows(paces: dict[str, Pace], peers: float) -> list[Figure]:
    return [
        row
        for stage, pace in paces.items()
        for row in (
            (f"{stage} alone, one worker", f"{pace.rate:,.0f}/s", f"{pace.rate / peers:.1f}"),
            (f"{stage} alone, processor time a report", f"{pace.cpu_us:.0f} µs", ""),
        )
    ]


def _latency_rows(latencies: Sequence[float], rate: float) -> list[Figure]:
    at = f"publish to posting at {rate:,.0f}/s, one worker"
    return [
        (f"{at}, p{part}", f"{latencies[len(latencies) * part // 100]:.2f} s", "")
        for part in (50, 99)
    ]


def _stand_still_rows(longest: StandStills) -> list[Figure]:
    return [
        ("longest stand-still, a second worker joins", f"{longest.joining:.1f} s", ""),
        ("longest stand-still, it leaves", f"{longest.leaving:.1f} s", ""),
        (
            f"longest stand-still, SIGKILL, less the session's {SESSION_S:.0f} s",
            f"{longest.killed - SESSION_S:.1f} s",
            "",
        ),
        (
            "longest stand-still of the survivor's own partitions then",
            f"{longest.survivor:.1f} s",
            "",
        ),
    ]


def _size_rows(size: Size, citizens: int) -> list[Figure]:
    return [
        (
            f"one worker, peak memory at {citizens:,} citizens x 12 months",
            f"{size.peak_mb:.0f} MB",
            "",
        ),
        (
            "restore of a lost disk, changelog records",
            f"{size.records / size.restore_seconds:,.0f}/s",
            "",
        ),
    ]
