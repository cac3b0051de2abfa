"""Counts what a worker process does, and tells whether it is well.

Nothing is counted by the report. A stage is wrapped (`MeteredStage`): each batch is counted when it
is kept, which is after its commit, so that work that was done again counts once. How far behind a
stage is, and how old the oldest record is that it has not done, is asked of the brokers
(`broker_watch.py`). No label names a citizen: there are stages, partitions, reasons and mechanisms.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.process_collector import ProcessCollector

from streams.engine.clock_skew import ClockSkew
from streams.engine.liveness import Outage
from streams.engine.ports import (
    Counts,
    Ends,
    Kafka,
    Processed,
    Record,
    Refused,
    Sink,
    Source,
    Stage,
    Work,
)
from streams.kafka.topic_settings import TopicDifference
from streams.worker.events import EventsCollector

STANDSTILL_S: Final = 10.0
"""Seconds without a turn after which the event loop is taken for dead; a batch takes 0.1 s."""
BEAT_S: Final = 1.0
"""Seconds between two signs that the event loop turns."""

_STAGE: Final = ("stage",)
_REASONS: Final = ("reason",)
_MECHANISM: Final = ("mechanism",)


class Metrics:
    """The metrics of this process, and the facts that its health is told by."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.stages: list[Stage] = []
        self.registry.register(EventsCollector(self.stages))
        own: dict[str, Any] = {"registry": self.registry, "namespace": "refusion"}
        ProcessCollector(namespace="refusion", registry=self.registry)
        self.records = Counter(
            "records", "Records of its source that a stage has done.", _STAGE, **own
        )
        self.batch_records = Histogram(
            "batch_records",
            "Records in a batch.",
            _STAGE,
            buckets=(1, 10, 50, 200, 1000, 2000, 4000),
            **own,
        )
        self.process_seconds = Histogram(
            "process_seconds", "To work out a batch, without its commit.", _STAGE, **own
        )
        self.commit_seconds = Histogram(
            "commit_seconds", "To commit a batch, its outputs included.", _STAGE, **own
        )
        self.abandoned = Counter(
            "abandoned_batches", "Batches given up before their commit.", _STAGE, **own
        )
        self.restores = Counter(
            "restores", "Partitions that a stage took possession of.", _STAGE, **own
        )
        self.restore_seconds = Counter(
            "restore_seconds", "Spent in taking possession of partitions.", _STAGE, **own
        )
        self.partitions = Gauge(
            "partitions", "Partitions that a stage has here, ready or not.", _STAGE, **own
        )
        self._count_messages(own)
        self.lag = Gauge(
            "lag_records",
            "Offsets that a stage has before it, transactions' marks among them.",
            ["stage", "partition"],
            **own,
        )
        self.oldest = Gauge(
            "oldest_unprocessed_seconds",
            "Age of the oldest record that a stage has not done.",
            _STAGE,
            **own,
        )

    def _count_messages(self, own: dict[str, Any]) -> None:
        """Make the counters of the messages and rows that stages write."""
        self.rejected = Counter("rejected", "Dead letters.", ["stage", "reason"], **own)
        self.rejected_of = Counter(
            "rejected_of_reporter",
            "Records that intake refused, by the reporter's CVR number as the register has it.",
            ["reporter"],
            **own,
        )
        self.foreign = Counter("foreign_records", "Foreign records passed over.", _STAGE, **own)
        self.postings = Counter("postings", "Posting messages by reason.", _REASONS, **own)
        self.corrections = Counter(
            "correction_rows", "Correction rows in posting messages, by reason.", _REASONS, **own
        )
        self.booked_rows = Counter("booked_rows", "Rows in the ledger.", _MECHANISM, **own)
        self.booked_ore = Gauge(
            "booked_ore",
            "Øre of results entered into the ledger since this process began.",
            _MECHANISM,
            **own,
        )
        self._add_answers_of_brokers(own)
        self.outage = Gauge("kafka_outage", "1 while no broker answers.", **own)
        self.restoring: set[tuple[str, int]] = set()
        self.held: set[tuple[str, int]] = set()
        self.started = False
        self.beat_at = time.monotonic()
        self._outage: Outage | None = None
        self._clock = ClockSkew()

    def _add_answers_of_brokers(self, own: dict[str, Any]) -> None:
        """Add what brokers tell: of their topics, of their clock, of what is gone."""
        self.topic_settings = Gauge(
            "topic_settings",
            "Settings of topics that are not what they must be, by what comes of it.",
            ["topic", "effect"],
            **own,
        )
        self.clock_ahead = Gauge(
            "clock_ahead_seconds", "Seconds that our clock is ahead of the brokers'.", **own
        )
        self.unread = Counter(
            "unread_records",
            "Records that were gone before a stage read them.",
            ["stage", "partition"],
            **own,
        )

    def begins(self, outage: Outage) -> None:
        """The stages have begun; `outage` knows whether a broker answers."""
        self._outage = outage
        self.outage.set_function(lambda: float(outage.is_on))
        self.started = True

    def follow_clock(self, clock: ClockSkew) -> None:
        """Show a clock's skew, and take it out of ages."""
        self._clock = clock
        self.clock_ahead.set_function(lambda: clock.ahead_s)

    def age_s(self, written_ms: int | None) -> float:
        """Tell how long ago a broker wrote a record, in seconds of its own clock."""
        if written_ms is None:
            return 0.0
        return max(0.0, self._clock.now() - self._clock.ahead_s - written_ms / 1000)

    def show_topics(self, found: Sequence[TopicDifference]) -> None:
        """Show the settings of topics that are not what they must be."""
        self.topic_settings.clear()
        for difference in found:
            self.topic_settings.labels(difference.topic, difference.effect.value).inc()

    def count(self, name: str, stage: str, label: str, number: int) -> None:
        """Add a figure that a stage's work has reported."""
        match name:
            case "rejected":
                self.rejected.labels(stage, label).inc(number)
            case "rejected_of":
                self.rejected_of.labels(label).inc(number)
            case "postings":
                self.postings.labels(label).inc(number)
            case "correction_rows":
                self.corrections.labels(label).inc(number)
            case "booked_rows":
                self.booked_rows.labels(label).inc(number)
            case "booked_ore":
                self.booked_ore.labels(label).inc(number)
            case "foreign":
                self.foreign.labels(stage).inc(number)
            case _:
                raise AssertionError(f"no metric is called {name}")

    def problem(self, *, ready: bool) -> str:
        """Say why this process is not healthy, or not ready; "" where it is."""
        if time.monotonic() - self.beat_at > STANDSTILL_S:
            return f"the event loop has stood still for over {STANDSTILL_S:.0f} s"
        if not ready:
            return ""
        if not self.started:
            return "the stages have not begun"
        if self._outage is not None and self._outage.is_on:
            return "Kafka does not answer"
        if self.restoring:
            return f"{len(self.restoring)} partitions are being restored"
        return ""


# --- counting -------------------------------------------------------------------------------------


class MeteredStage:
    """A stage whose work is counted."""

    def __init__(self, stage: Stage, metrics: Metrics) -> None:
        self._stage = stage
        self._metrics = metrics
        self.name = stage.name
        self.topic = stage.topic
        self.source_expires = stage.source_expires
        self.events = stage.events
        metrics.stages.append(stage)
        metrics.records.labels(
            stage.name
        )  # 0 is told too: a stage that stands still from the start
        self.blameless = stage.blameless

    def work(self, partition: int) -> Work[Any]:
        """Work on a partition, counted."""
        return MeteredWork(self._stage.work(partition), self._stage.name, partition, self._metrics)

    def sink(self, kafka: Kafka, group: str, source: Source, partition: int) -> Sink[Any]:
        """The stage's own sink."""
        return self._stage.sink(kafka, group, source, partition)


class MeteredWork:
    """Work on a partition, counted by the batch."""

    def __init__(self, work: Work[Any], stage: str, partition: int, metrics: Metrics) -> None:
        self._work = work
        self._stage = stage
        self._place = (stage, partition)
        self._metrics = metrics
        self._batch: tuple[int, float, float, Counts] | None = None
        """The batch that is not kept yet: records, seconds of work, when that was done, figures."""

    async def restore(self) -> None:
        """Take possession, timed."""
        metrics, began = self._metrics, time.monotonic()
        metrics.restoring.add(self._place)
        metrics.held.add(self._place)
        self._count_partitions()
        await self._work.restore()
        metrics.restoring.discard(self._place)
        metrics.restores.labels(self._stage).inc()
        metrics.restore_seconds.labels(self._stage).inc(time.monotonic() - began)

    async def position(self, committed: int | None) -> int | None:
        """Return the offset to go on at."""
        return await self._work.position(committed)

    def process(self, records: Sequence[Record], position: int) -> Processed[Any]:
        """Work a batch out, timed."""
        return self._timed(lambda: self._work.process(records, position))

    def refuse(self, record: Record, position: int, reason: Refused) -> Processed[Any]:
        """Pass a record over, timed as a batch of its own."""
        return self._timed(lambda: self._work.refuse(record, position, reason))

    def _timed(self, work: Callable[[], Processed[Any]]) -> Processed[Any]:
        self._give_up()
        began = time.monotonic()
        processed = work()
        now = time.monotonic()
        self._batch = processed.done, now - began, now, processed.counts
        return processed

    async def keep(self, ends: Ends, position: int) -> None:
        """The batch is committed, and counts."""
        assert self._batch is not None, "what is kept was worked out before"
        done, seconds, worked_out, counts = self._batch
        self._batch = None
        metrics, stage = self._metrics, self._stage
        metrics.commit_seconds.labels(stage).observe(time.monotonic() - worked_out)
        metrics.process_seconds.labels(stage).observe(seconds)
        metrics.batch_records.labels(stage).observe(done)
        metrics.records.labels(stage).inc(done)
        for (name, label), number in counts.items():
            metrics.count(name, stage, label, number)
        await self._work.keep(ends, position)

    async def close(self) -> None:
        """Let go; a batch that was worked out and not kept is done again by whoever comes next."""
        self._give_up()
        self._metrics.restoring.discard(self._place)
        self._metrics.held.discard(self._place)
        self._count_partitions()
        await self._work.close()

    def _give_up(self) -> None:
        if self._batch is not None:
            self._batch = None
            self._metrics.abandoned.labels(self._stage).inc()

    def _count_partitions(self) -> None:
        self._metrics.partitions.labels(self._stage).set(
            sum(stage == self._stage for stage, _ in self._metrics.held)
        )


# --- showing that it lives -----------------------------------------------------------------------


async def beat(metrics: Metrics) -> None:
    """Show that the event loop turns."""
    while True:
        metrics.beat_at = time.monotonic()
        await asyncio.sleep(BEAT_S)
