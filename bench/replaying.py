"""Replay and audits beside live settling in the same run.

Two workers settle a population, which is the peer; the same two apply a replay. Dry run and audits
have two processes. Everything runs on one broker on this machine, which shares the cores with what
is measured.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from bench.rig import BenchError, Figure, bench, population
from bench.throughput import settled
from streams.acts.chain_file import new_id
from streams.audit.verify import Verified, VerifyRequest, verify
from streams.devtools.local_kafka import LocalKafka
from streams.operations.replay import DryRun, ReplayRequest, dry_run
from streams.operations.replay_apply import Applied, apply
from streams.settings import RULES, Settings

PROCESSES: Final = 2
OTHER: Final = "second-step-35"
OTHER_RULES: Final = """\
name: second-step-35
based_on: R-1
valid_from: 2014-07-01
valid_to: null
note: "Tænkt: andet trin er 35 pct., så at næsten alle får en anden sats."
overrides:
  staircase.yaml:
    staircases:
      - valid_from: 2016-01-04
        valid_to: null
        before_first: not_in_force
        unit: percent of the amount
        reference: "tænkt"
        evidence: assumed
        bands:
          - {from_week: 1, to_week: 4, refusion: 80, medfinansiering: 20, reference: "tænkt"}
          - {from_week: 5, to_week: 26, refusion: 35, medfinansiering: 65, reference: "tænkt"}
          - {from_week: 27, to_week: 52, refusion: 30, medfinansiering: 70, reference: "tænkt"}
          - {from_week: 53, to_week: null, refusion: 20, medfinansiering: 80, reference: "tænkt"}
"""


class Measured(NamedTuple):
    """The figures of a run.

    `live` is in reports a second; `same` and `other` are dry runs by the valid rules and by others.
    """

    live: float
    same: DryRun
    other: DryRun
    applied: Applied
    scan: Verified
    fold: Verified


async def measured(bootstrap: str, folder: Path, lines: Sequence[bytes]) -> Measured:
    """Settle, preview a replay, apply it, and audit the result."""
    rules = folder / "rules"
    rules.mkdir()
    (rules / f"{OTHER}.yaml").write_text(OTHER_RULES, encoding="utf-8")
    async with bench(bootstrap, folder, {RULES.name: str(rules)}) as run:
        live = await settled(run, lines, PROCESSES)
        settings, replay = run.settings, ReplayRequest(rules=OTHER, jobs=PROCESSES)
        same = await dry_run(settings, ReplayRequest(jobs=PROCESSES), _unshown)
        other = await dry_run(settings, replay, _unshown)
        applied = await apply(settings, replay, other, new_id(), _unshown)
        scan = await _audited(settings, VerifyRequest(jobs=PROCESSES))
        return Measured(
            live,
            same,
            other,
            applied,
            scan,
            await _audited(settings, VerifyRequest(jobs=PROCESSES, fold=True)),
        )


async def _audited(settings: Settings, request: VerifyRequest) -> Verified:
    done = await asyncio.to_thread(verify, settings, request, lambda *_: None)
    if done.violations.total:
        raise BenchError(
            f"the audit has found {done.violations.total:,} violations,"
            f" the first: {done.violations.named[0]}"
        )
    return done


def _unshown(_what: str, _done: int, _total: int) -> None:
    """Show no progress between the figures."""


def figures(folder: Path, citizens: int) -> list[Figure]:
    """Measure everything, with a year of `citizens`."""
    lines = population(citizens)
    with LocalKafka() as kafka:
        run = asyncio.run(measured(kafka.bootstrap, folder, lines))
    live = run.live
    dry = [
        (f"dry run, {name}", each.reports / each.seconds)
        for name, each in (("the valid rules", run.same), ("other rules", run.other))
    ]
    changed = run.applied.messages / run.applied.seconds
    fold_only_s = run.fold.seconds - run.scan.seconds
    return [
        ("peer: live, raw to postings, two workers", f"{live:,.0f} reports/s", "1.00"),
        *(
            (name, f"{per_second:,.0f} reports/s", f"{per_second / live:.2f}")
            for name, per_second in dry
        ),
        ("apply, the same two workers", f"{changed:,.0f} citizens/s", f"{changed / live:.2f}"),
        ("verify, scan", f"{run.scan.records / run.scan.seconds:,.0f} records/s", ""),
        (
            "verify, fold",
            f"{len(lines) / fold_only_s:,.0f} reports/s",
            f"{len(lines) / fold_only_s / live:.2f}",
        ),
    ]
