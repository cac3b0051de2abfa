"""Live explanations on the site: of citizens with ten years of reports, from a journal in Kafka.

A ledger that is made straight as its files has no journal, of which an explanation is made. So
they are measured over a Kafka of WEB_CITIZENS (300) simulated citizens whose reports a worker has
settled; 0 leaves them out. The partitions of a country have a hundred times the reports, which an
index on disk finds one citizen's among.

The first asking reads what of a partition is not in the index yet, for one citizen of twelve or so.
"""

import asyncio
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import orjson

from bench.rig import Bench, Figure, bench, reached
from bench.web import CITIZEN, CITIZENS_ASKED, WebPage, measured, served, told
from demo.cluster import environment
from domain.basics.weeks import month_number
from streams.devtools.local_kafka import LocalKafka
from streams.settings import LEDGER
from streams.simulation import SimulationOptions, simulate
from streams.web.visitors import Role
from streams.worker.app import STAGES

CITIZENS: Final = int(os.environ.get("WEB_CITIZENS", "300"))
FIRST_MONTH, LAST_MONTH = month_number("2016-01"), month_number("2025-12")
PAGES: Final = (
    WebPage(f"/borger/{CITIZEN}", Role.AUDITOR),
    WebPage(f"/borger/{CITIZEN}/forklaring", Role.AUDITOR, shows=b'id="ahead"'),
)
AT_ONCE: Final = (1, 4)
"""Clients at once: who explains has two threads, and an explanation takes a processor."""


def figures(folder: Path) -> list[Figure]:
    """Settle ten years of some citizens, serve the site, and ask for their explanations."""
    if not CITIZENS:
        return []
    out = io.BytesIO()
    simulate(SimulationOptions(CITIZENS, FIRST_MONTH, LAST_MONTH, seed=1), out)
    lines = out.getvalue().splitlines()
    with LocalKafka() as kafka:
        return asyncio.run(_explained(kafka.bootstrap, folder, lines))


async def _explained(bootstrap: str, folder: Path, lines: Sequence[bytes]) -> list[Figure]:
    more = {LEDGER.name: str(folder / "explained-ledger")}
    async with bench(bootstrap, folder, more) as run:
        worker = run.start("worker", STAGES)
        await run.shared([worker], STAGES)
        await run.publish(lines)
        await _settled(run, len(lines))
        return await asyncio.to_thread(_asked, run, _citizens(run, lines))


async def _settled(run: Bench, reports: int) -> None:
    """Wait until every report has gone all the way to the ledger."""
    await reached("the citizens stage", run.committed("citizens"), reports)
    *_, last = STAGES

    async def is_over() -> bool:
        return (await run.watch.lag(last)).over

    await run.watch.until("the ledger has all postings", is_over)


def _citizens(run: Bench, lines: Sequence[bytes]) -> list[str]:
    """Return the pseudonyms of those who come first; one more, before whom nothing is measured."""
    identity = run.settings.identity()
    numbers = dict.fromkeys(orjson.loads(line)["cpr"] for line in lines)
    return [identity.of(cpr)[0] for cpr in [*numbers][: CITIZENS_ASKED + 1]]


def _asked(run: Bench, citizens: Sequence[str]) -> list[Figure]:
    with served(environment(run.settings), citizens) as site:
        found = [measured(site, page, (), AT_ONCE) for page in PAGES]
    return [
        (name.replace("web:", "web, ten years in a journal:"), figure, peer)
        for page in found
        for name, figure, peer in told(page, most=AT_ONCE)
    ]
