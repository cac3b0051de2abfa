"""One long run: faults one after the other, then rest, and an audit of everything."""

import random
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from streams.kafka import topics
from tests.cluster.audit import REST_S, audit
from tests.cluster.faults import Faults
from tests.cluster.machines import (
    FAKETIME,
    ProxiedKafka,
    Publisher,
    WorkerMachine,
    endless,
    wait_for,
)
from tests.support.pipeline import Pipeline, settings_for
from tests.support.population import reports_of_some_lives
from tests.support.small_disk import small_disk

REST_EVERY = 25
"""Faults after which the system must come to rest once."""
ENOUGH = 100
"""Reports without which a run shows little; the last of them may come after all faults."""
SMALL = "64m"
_SHARED = Path("/dev/shm")  # noqa: S108 - libfaketime writes there


class Told(NamedTuple):
    """The figures of a run."""

    faults: Counter
    seconds: float
    published: int
    refused_to_publisher: int
    postings: int
    rows: int

    def sentence(self):
        """Say it in a line."""
        kinds = ", ".join(f"{name} {number}" for name, number in sorted(self.faults.items()))
        return (
            f"{sum(self.faults.values())} faults in {self.seconds:.0f} s ({kinds});"
            f" {self.published:,} reports acknowledged, {self.refused_to_publisher} times a"
            f" publisher began again; {self.postings:,} messages, {self.rows:,} rows in the ledger;"
            " nothing lost, nothing twice"
        )


def run(count, seed, folder, longest_s=40.0, tell=lambda _: None, disks=True, within_s=1e9):
    """Make a cluster, do so many faults to it, and audit it. Raises AssertionError."""
    chance = random.Random(seed)
    with cluster(folder, disks) as (kafka, settings, workers, disk):
        pipeline = Pipeline(settings)
        lines = [line for portion in reports_of_some_lives() for line in portion]
        publisher = Publisher(settings, endless(lines))
        for worker in workers:
            worker.start()
        wait_for(lambda: _has_topics(pipeline), "the start of the workers", REST_S)
        publisher.start()
        faults = Faults(kafka, workers, settings, chance, longest_s, disk)
        began, done = time.monotonic(), Counter[str]()
        for number, name in enumerate(drawn(chance, faults.doings, count), 1):
            at = time.monotonic()
            faults.doings[name]()
            done[name] += 1
            tell(f"{number} {name} {time.monotonic() - at:.1f} s")
            time.sleep(chance.choice([0.0, 0.5, 2.0]))
            _check_alive(workers)
            if time.monotonic() - began > within_s:
                break
            if number % REST_EVERY == 0:
                rest(kafka, pipeline)
                tell(f"rest after {number} faults, {time.monotonic() - began:.0f} s")
        rest(kafka, pipeline)
        enough = "the publisher, which faults may have kept from nearly all"
        wait_for(lambda: len(publisher.acknowledged) > ENOUGH, enough, REST_S)
        publisher.stop()
        rest(kafka, pipeline)
        _check_alive(workers)
        rows = audit(pipeline, publisher, folder, workers)
        took = time.monotonic() - began
        postings = sum(map(len, pipeline.records(topics.POSTINGS).values()))
        return Told(done, took, len(publisher.acknowledged), publisher.failures, postings, rows)


def drawn(chance, names, count):
    """Each fault once in its turn, in an order that the seed draws, again and again."""
    left: list[str] = []
    for _ in range(count):
        left = left or chance.sample([*names], len(names))
        yield left.pop()


@contextmanager
def cluster(folder, disks):
    """Brokers behind their proxy, settings, workers that do not run yet, and a small disk."""
    kafka = ProxiedKafka()
    kafka.proxy.start()
    with kafka, _disk(folder / "state-1", disks) as disk:
        settings = settings_for(kafka, "night.", folder / "state-0")
        given = {
            name: value for name, (value, at) in settings.values.items() if at == "environment"
        }
        settings = type(settings).load(given | {"REFUSION_LEDGER": str(folder / "ledger")})
        workers = [
            WorkerMachine(number, settings, folder, number == 3 and FAKETIME.exists())
            for number in (1, 2, 3)
        ]
        try:
            yield kafka, settings, workers, disk
        finally:
            for worker in workers:
                if worker.process is not None:
                    worker.kill()
            kafka.proxy.stop()
            _tidy_up_faketime()


def _tidy_up_faketime():
    """Remove what killed processes whose clock was ours have left in memory."""
    for path in _SHARED.glob("*faketime_s*_[0-9]*"):
        if not Path("/proc", path.name.rpartition("_")[2]).exists():
            path.unlink(missing_ok=True)


@contextmanager
def _disk(folder, wanted):
    if not wanted:
        yield None
        return
    with small_disk(folder, SMALL) as disk:
        yield disk


def _has_topics(pipeline):
    try:
        return pipeline.lags("projections") is not None
    except Exception:  # noqa: BLE001 - the workers make them
        return False


def _check_alive(workers):
    ended = {worker.number: worker.ended() for worker in workers if worker.ended() is not None}
    assert not ended, f"workers ended by themselves, by number and status: {ended}"


def rest(kafka, pipeline):
    """When faults have ended, all that was published is settled and booked within a bound."""
    for node in kafka.nodes:
        kafka.begin(node.number)
    wait_for(lambda: all(kafka.node_listens(node.number) for node in kafka.nodes), "the brokers")
    deadline = time.monotonic() + REST_S
    for stage in ("intake", "citizens", "projections"):
        while not _is_done(pipeline, stage):
            assert time.monotonic() < deadline, f"{stage} did not come to rest: {_lag(pipeline)}"
            time.sleep(1.0)


def _is_done(pipeline, stage):
    """While the publisher goes on a little is always left."""
    try:
        return all(lag < 300 for lag in pipeline.lags(stage).values())
    except Exception:  # noqa: BLE001 - brokers come back one by one
        return False


def _lag(pipeline):
    return {stage: pipeline.lags(stage) for stage in ("intake", "citizens", "projections")}
